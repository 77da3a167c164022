package gobuild

import (
	"context"
	"crypto/sha1"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// layOut writes a small tree and lists it as the commit would.
func layOut(t *testing.T) (string, []entry) {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"dir", ".git"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var entries []entry
	for _, f := range []struct{ name, data, mode string }{
		{"a.go", "package a\n", modeFile}, {"dir/run.sh", "#!/bin/sh\n", modeExec}, {"empty", "", modeFile},
	} {
		mode := fs.FileMode(0o644)
		if f.mode == modeExec {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(root, f.name), []byte(f.data), mode); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{f.mode, objectID(sha1.New, "blob", []byte(f.data)), f.name})
	}
	if err := os.Symlink("a.go", filepath.Join(root, "link")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, ".git", "config"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	entries = append(entries, entry{modeLink, objectID(sha1.New, "blob", []byte("a.go")), "link"},
		entry{modeGitlink, strings.Repeat("0", 40), "sub"})
	return root, entries
}

func TestEveryDifferenceFromTheCommitIsRefused(t *testing.T) {
	replace := func(name, data string, mode fs.FileMode) func(string) error {
		return func(root string) error {
			name := filepath.Join(root, name)
			return errors.Join(os.RemoveAll(name), os.WriteFile(name, []byte(data), mode), os.Chmod(name, mode))
		}
	}
	tests := map[string]struct {
		change func(root string) error
		text   string
	}{
		"same":            {func(string) error { return nil }, ""},
		"one byte":        {replace("a.go", "package b\n", 0o644), "a.go"},
		"line ends":       {replace("a.go", "package a\r\n", 0o644), "a.go"},
		"appended":        {replace("a.go", "package a\n\n", 0o644), "a.go"},
		"no longer empty": {replace("empty", "x", 0o644), "empty"},
		"missing":         {func(root string) error { return os.Remove(filepath.Join(root, "empty")) }, "empty"},
		"extra":           {replace("extra.go", "", 0o644), "extra.go"},
		"extra deeper":    {replace("dir/extra.go", "", 0o644), "dir/extra.go"},
		"extra in the submodule": {func(root string) error {
			return errors.Join(os.Mkdir(filepath.Join(root, "sub"), 0o755), replace("sub/x.go", "", 0o644)(root))
		}, "sub/x.go"},
		"executable":     {replace("a.go", "package a\n", 0o755), "a.go"},
		"not executable": {replace("dir/run.sh", "#!/bin/sh\n", 0o644), "dir/run.sh"},
		"link elsewhere": {func(root string) error {
			return errors.Join(os.Remove(filepath.Join(root, "link")), os.Symlink("empty", filepath.Join(root, "link")))
		}, "link"},
		"file for link": {replace("link", "a.go", 0o644), "link"},
		"link for file": {func(root string) error {
			return errors.Join(os.Rename(filepath.Join(root, "a.go"), filepath.Join(root, ".git", "a.go")),
				os.Symlink(".git/a.go", filepath.Join(root, "a.go")))
		}, "a.go"},
		"directory for file": {func(root string) error {
			return errors.Join(os.Remove(filepath.Join(root, "empty")), os.Mkdir(filepath.Join(root, "empty"), 0o755))
		}, "empty"},
		"empty submodule": {func(root string) error { return os.Mkdir(filepath.Join(root, "sub"), 0o755) }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root, entries := layOut(t)
			if err := test.change(root); err != nil {
				t.Fatal(err)
			}
			files, notes, err := compareTree(context.Background(), root, entries, sha1.New)
			if test.text == "" {
				if err != nil || len(files) != 3 || len(notes.gitlinks) != 1 {
					t.Errorf("%d files, notes %+v, error %v", len(files), notes, err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindTampered || !strings.HasPrefix(e.Msg, test.text+": ") {
				t.Errorf("error is %v, want one about %s", err, test.text)
			}
		})
	}
}

func TestHostileListings(t *testing.T) {
	blob := strings.Repeat("a", 40)
	for _, line := range []string{
		"100644 blob " + blob + "\t../x", "100644 blob " + blob + "\t/x", "100644 blob " + blob + "\ta//b",
		"100644 blob " + blob + "\t.git/config", "100644 blob " + blob + "\ta/.GIT/x", "100644 blob " + blob + "\t",
		"100644 blob " + blob + "\t.", "100644 blob " + blob + " x", "100644 " + blob + "\tx",
		"100600 blob " + blob + "\tx", "040000 tree " + blob + "\tx", "\x00",
	} {
		if entries, err := parseListing([]byte(line + "\x00")); err == nil {
			t.Errorf("%q gives %v, want an error", line, entries)
		}
	}
}

// Whatever git prints, no entry names a file outside of the tree or in a
// repository.
func FuzzListingNamesOnlyFilesInsideTheTree(f *testing.F) {
	blob := strings.Repeat("a", 40)
	f.Add([]byte("100644 blob " + blob + "\ta/b.go\x00100755 blob " + blob + "\trun\x00"))
	f.Add([]byte("120000 blob " + blob + "\t../up\x00"))
	f.Add([]byte("160000 commit " + blob + "\t.git\x00"))
	f.Fuzz(func(t *testing.T, listing []byte) {
		entries, err := parseListing(listing)
		if err != nil {
			return
		}
		for _, e := range entries {
			if !filepath.IsLocal(filepath.FromSlash(e.path)) || strings.Contains("/"+strings.ToLower(e.path)+"/", "/.git/") {
				t.Errorf("entry names %q", e.path)
			}
		}
	})
}

// A commit's name is the hash of exactly its bytes.
func FuzzCommitKeepsItsName(f *testing.F) {
	tree := strings.Repeat("b", 40)
	f.Add([]byte("tree "+tree+"\nauthor Ada <ada@example.com> 1 +0000\ncommitter Ada <ada@example.com> 1700000000 +0100\n\nmessage\n"), byte('x'))
	f.Add([]byte("tree "+tree+"\ncommitter > 1 2> 3 +0000\n\n"), byte(0))
	f.Fuzz(func(t *testing.T, raw []byte, b byte) {
		c, err := parseCommit("sha1", raw)
		if err != nil {
			return
		}
		if len(c.tree) != 40 || c.time.Location().String() != "UTC" || c.time.Nanosecond() != 0 {
			t.Errorf("commit is %+v", c)
		}
		if other, err := parseCommit("sha1", append(raw, b)); err == nil && other.id == c.id {
			t.Errorf("two commits have the name %s", c.id)
		}
	})
}
