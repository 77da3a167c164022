package license

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

// The scanner of the usual licenses says what the scanner of all licenses says: on
// every license file of the modules that this repository was built from.
func TestUsualAgreesWithAll(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, usual := 0, 0
	seen := map[string]bool{}
	err = filepath.WalkDir(strings.TrimSpace(string(out)), func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "cache":
			return fs.SkipDir
		case e.IsDir() || !IsFile(e.Name()) || files >= 400:
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := normalize(data)
		if seen[text] {
			return nil
		}
		seen[text] = true
		files++
		term := usualLicense(text)
		if term == "" {
			return nil
		}
		usual++
		var all []string
		for _, m := range licensecheck.Scan([]byte(text)).Match {
			all = append(all, spdxTerm(m.ID))
		}
		if !slices.Equal(all, []string{term}) {
			t.Errorf("%s: the usual scanner says %s, that of all licenses %v", path, term, all)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if usual == 0 {
		t.Errorf("none of %d license files is a usual one", files)
	}
	t.Logf("%d of %d license files are usual ones", usual, files)
}

// What is nearly a usual license is left to the scanner of all.
func TestNearlyUsual(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	if term := usualLicense(string(data)); term != "BSD-3-Clause" {
		t.Errorf("Go's license is taken for %q", term)
	}
	for _, changed := range []string{string(data) + "\nYou owe Ada a coffee.\n", "Ask Ada first.\n" + string(data), strings.Replace(string(data), "Redistributions", "Distributions", 1)} {
		if term := usualLicense(changed); term != "" {
			t.Errorf("a changed text is taken for %s", term)
		}
	}
}
