package memory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/rollproof/rollproof/evidence/trust"
)

func digest(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

var pin = digest("0")

func newFile(t *testing.T) File {
	t.Helper()
	return File(filepath.Join(t.TempDir(), "state", "trust", "seen"))
}

func expectSeen(t *testing.T, f File, pin string, want trust.Seen) {
	t.Helper()
	if got, err := f.Seen(pin); err != nil || got != want {
		t.Errorf("seen %v (%v), want %v", got, err, want)
	}
}

func TestRemembersTheNewest(t *testing.T) {
	f := newFile(t)
	expectSeen(t, f, pin, trust.Seen{})
	for _, s := range []trust.Seen{{Version: 1, Digest: digest("a")}, {Version: 3, Digest: digest("c")}, {Version: 2, Digest: digest("b")}} {
		if err := f.Remember(pin, s); err != nil {
			t.Fatal(err)
		}
	}
	expectSeen(t, f, pin, trust.Seen{Version: 3, Digest: digest("c")})
	expectSeen(t, f, digest("1"), trust.Seen{})
	data, err := os.ReadFile(string(f))
	if err != nil {
		t.Fatal(err)
	}
	if want := pin + " 3 " + digest("c") + "\n"; !strings.Contains(string(data), want) {
		t.Errorf("the file is\n%s", data)
	}
	info, err := os.Stat(string(f))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestTwoDocumentsOfOneVersion(t *testing.T) {
	f := newFile(t)
	if err := f.Remember(pin, trust.Seen{Version: 2, Digest: digest("a")}); err != nil {
		t.Fatal(err)
	}
	if err := f.Remember(pin, trust.Seen{Version: 2, Digest: digest("b")}); !errors.Is(err, trust.ErrFork) {
		t.Errorf("got %v, want %v", err, trust.ErrFork)
	}
	if _, err := f.Seen(pin); !errors.Is(err, trust.ErrFork) {
		t.Errorf("the fork is forgotten: %v", err)
	}
	expectSeen(t, f, digest("1"), trust.Seen{})
}

// Processes that remember at the same time: nothing is lost, whatever the order.
func TestConcurrentProcesses(t *testing.T) {
	f := newFile(t)
	var wait sync.WaitGroup
	letters := "123456789abcdef"
	for i := range letters {
		wait.Go(func() {
			if err := f.Remember(pin, trust.Seen{Version: i + 1, Digest: digest(letters[i : i+1])}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	expectSeen(t, f, pin, trust.Seen{Version: len(letters), Digest: digest("f")})
}

func TestDamagedFile(t *testing.T) {
	good := pin + " 2 " + digest("a") + "\n"
	for name, data := range map[string]string{
		"torn":         good + good[:40],
		"without end":  strings.TrimSuffix(good, "\n"),
		"words":        "hello\n",
		"empty line":   "\n" + good,
		"two spaces":   strings.Replace(good, " ", "  ", 1),
		"version 0":    strings.Replace(good, " 2 ", " 0 ", 1),
		"leading zero": strings.Replace(good, " 2 ", " 02 ", 1),
		"negative":     strings.Replace(good, " 2 ", " -2 ", 1),
		"huge version": strings.Replace(good, " 2 ", " 1000000 ", 1),
		"upper case":   strings.ToUpper(good),
		"carriage":     strings.Replace(good, "\n", "\r\n", 1),
		"huge":         strings.Repeat(good, maxFile/len(good)+1),
		"NUL":          good + "\x00\n",
		"of an other":  good + "x\n",
	} {
		f := newFile(t)
		if err := os.MkdirAll(filepath.Dir(string(f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(string(f), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := f.Seen(pin); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: seen %v (%v)", name, s, err)
		}
		if err := f.Remember(pin, trust.Seen{Version: 9, Digest: digest("9")}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: remembered: %v", name, err)
		}
		if left, err := os.ReadFile(string(f)); err != nil || string(left) != data {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
	}
}

func TestNotToBeRemembered(t *testing.T) {
	f := newFile(t)
	for _, s := range []trust.Seen{{Version: 0, Digest: digest("a")}, {Version: 1, Digest: "a"}, {Version: 1, Digest: digest("a") + "\n" + pin + " 9 " + digest("b")}} {
		if err := f.Remember(pin, s); err == nil {
			t.Errorf("remembered %v", s)
		}
	}
	if err := f.Remember("pin", trust.Seen{Version: 1, Digest: digest("a")}); err == nil {
		t.Error("remembered for no pin")
	}
	if _, err := os.Stat(string(f)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file was made: %v", err)
	}
	if _, err := File(t.TempDir()).Seen(pin); err == nil {
		t.Error("a directory is a memory")
	}
}
