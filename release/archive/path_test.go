package archive_test

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollproof/rollproof/release/archive"
)

func TestCheckPathAccepts(t *testing.T) {
	for _, good := range []string{
		"a", "Z", "0", "LICENSE", "checksums.txt", "checksums.txt.sig",
		"bin/age_v1.2.1_linux_amd64", "bin/age_v2.0.0-rc.1+build_windows_arm64.exe",
		"trust/1.trust.json", "trust/1.trust.0123456789abcdef.sigstore.json",
		"a..b", "a--b", "a-", "a_", "a+", "CONSOLE", "com", "COM10", "LPT", "LPT10.txt", "nul1", "null", "a.nul", "xCON", "CON-1",
		strings.Repeat("x", 200), strings.Repeat("x", 199) + "/" + strings.Repeat("y", 200),
	} {
		if err := archive.CheckPath(good); err != nil {
			t.Errorf("%.50q is refused: %v", good, err)
		}
	}
}

func TestCheckPathRefuses(t *testing.T) {
	tests := []struct{ name, path, want string }{
		{"empty", "", "empty path"},
		{"too long", strings.Repeat("x", 200) + "/" + strings.Repeat("y", 200), "path of 401 bytes, expected at most 400"},
		{"long element", strings.Repeat("x", 201), "element of 201 bytes, expected at most 200"},
		{"absolute", "/x", "absolute path"},
		{"two slashes in front", "//host/share", "absolute path"},
		{"parent", "..", `element ".."`},
		{"parent in the middle", "a/../../b", `element ".."`},
		{"this directory", "a/.", `element "."`},
		{"three dots", "...", `begins with "."`},
		{"backslash", `a\b`, "backslash in a path"},
		{"drive", "c:x", "path begins with a Windows drive"},
		{"drive alone", "c:", "path begins with a Windows drive"},
		{"colon", "file:stream", `character ":"`},
		{"directory", "a/", "names a directory"},
		{"empty element", "a//b", "empty element"},
		{"CON", "CON", "device name"},
		{"prn in the middle", "a/prn/b", "device name"},
		{"AUX with extension", "Aux.c", "device name"},
		{"NUL with two extensions", "nul.tar.gz", "device name"},
		{"COM0", "COM0", "device name"},
		{"com9", "com9.log", "device name"},
		{"LPT5", "LPT5", "device name"},
		{"CONIN$", "CONIN$", "device name"},
		{"conout$", "conout$.txt", "device name"},
		{"superscript digit", "COM\u00b9", `character \u{b9}`},
		{"trailing dot", "a./b", `ends in "."`},
		{"leading plus", "+x", `begins with "+"`},
		{"leading underscore", "a/_x", `begins with "_"`},
		{"space", "a b", `character \u{20}`},
		{"trailing space", "a ", `character \u{20}`},
		{"tab", "a\tb", `character \u{9}`},
		{"DEL", "a\x7f", `character \u{7f}`},
		{"C1 control", "a\u009bm", `a\u{9b}m: character \u{9b}`},
		{"asterisk", "*.go", `character "*"`},
		{"quote", `a"b`, `character "\""`},
		{"tilde", "~", `character "~"`},
		{"dollar", "$HOME", `character "$"`},
		{"full-width letter", "\uff41", `character \u{ff41}`},
		{"isolate", "a\u2066b", `a\u{2066}b: character \u{2066}`},
		{"invalid UTF-8", "a\xc0\xaf", `a\x{c0}\x{af}: character \x{c0}`},
		{"surrogate", "a\xed\xa0\x80", `a\x{ed}\x{a0}\x{80}: character \x{ed}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantError(t, archive.CheckPath(test.path), test.want)
			wantError(t, archive.CheckSet([]string{"good", test.path}), test.want)
		})
	}
}

// TestCheckPathKnowsEachByte tries every byte in front, inside and at the end.
func TestCheckPathKnowsEachByte(t *testing.T) {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for c := range 256 {
		b := string([]byte{byte(c)})
		letter, special := strings.Contains(letters, b), strings.Contains("._+-", b)
		for path, good := range map[string]bool{
			b:             letter,
			b + "x":       letter,
			"y/" + b:      letter,
			"x" + b + "x": letter || special || b == "/",
			"x" + b:       letter || special && b != ".",
		} {
			if err := archive.CheckPath(path); (err == nil) != good {
				t.Errorf("%q: %v", path, err)
			}
		}
	}
}

func TestCheckSet(t *testing.T) {
	tests := []struct {
		name  string
		paths []string
		want  string // "" for a good set
	}{
		{"nothing", nil, ""},
		{"package", []string{"bin/a", "bin/b", "LICENSE", "a.json", "bin.json", "bin-x/a", "bin+"}, ""},
		{"same names in two directories", []string{"a/x", "b/x", "a/b/x"}, ""},
		{"same start", []string{"ab/x", "a/b/x", "abc", "a-b"}, ""},
		{"twice", []string{"b", "a", "b"}, "b: listed twice"},
		{"case", []string{"readme", "x", "README"}, "readme: differs only by case from README"},
		{"case of a directory", []string{"A/x", "a/y"}, "a/y: directory a differs only by case from A"},
		{"case of a directory far apart", []string{"A/x", "a/zz/y", "A/y/z", "A/z"}, "a/zz/y: directory a differs only by case from A"},
		{"case of a directory in a directory", []string{"x/A/y", "x/a/z"}, "x/a/z: directory x/a differs only by case from x/A"},
		{"case in a file and its sibling", []string{"x/Ab", "x/aC"}, ""},
		{"file and directory", []string{"a", "a/b"}, "a/b: lies in a directory with the name of the file a"},
		{"file and directory with names between", []string{"a", "a-b", "a.b", "a+", "a/b"}, "a/b: lies in a directory with the name of the file a"},
		{"file and directory by case", []string{"x/A/b", "x/a", "x/a-b"}, "x/A/b: lies in a directory with the name of the file x/a"},
		{"file and deep directory", []string{"a/b/c/d", "a/b"}, "a/b/c/d: lies in a directory with the name of the file a/b"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for range 5 {
				err := archive.CheckSet(test.paths)
				if test.want != "" {
					wantError(t, err, test.want)
				} else if err != nil {
					t.Error(err)
				}
				test.paths = append(test.paths[min(1, len(test.paths)):], test.paths[:min(1, len(test.paths))]...)
			}
		})
	}
}

// collide is CheckSet for good paths, put plainly: the files and directories of
// all paths, spelled in lower case, must each be one thing with one spelling.
func collide(paths []string) bool {
	spelled, files, dirs := map[string]string{}, map[string]bool{}, map[string]bool{}
	for _, path := range paths {
		if files[path] {
			return true
		}
		files[path] = true
		for i := range len(path) + 1 {
			if i < len(path) && path[i] != '/' {
				continue
			}
			name := path[:i]
			if before, ok := spelled[strings.ToLower(name)]; ok && before != name {
				return true
			}
			spelled[strings.ToLower(name)] = name
			if i < len(path) {
				dirs[name] = true
			}
		}
	}
	for name := range files {
		if dirs[name] {
			return true
		}
	}
	return false
}

func TestCheckSetAgainstThePlainRule(t *testing.T) {
	element := rapid.StringMatching(`[aA][bB+.-]?[cC]?|[abAB]`).Filter(func(s string) bool { return !strings.HasSuffix(s, ".") })
	genPath := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(element, 1, 3).Draw(t, "elements"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOfN(genPath, 0, 6).Draw(t, "paths")
		before := slices.Clone(paths)
		err := archive.CheckSet(paths)
		if (err != nil) != collide(paths) {
			t.Fatalf("%q: error is %v, the plain rule says %v", paths, err, collide(paths))
		}
		if !slices.Equal(paths, before) {
			t.Fatalf("%q became %q", before, paths)
		}
		slices.Reverse(paths)
		if again := archive.CheckSet(paths); err != nil && again.Error() != err.Error() {
			t.Fatalf("%q: error is %v, in another order %v", paths, err, again)
		}
	})
}

// FuzzGoodPathStaysInside: what CheckPath accepts is a clean local path in every
// sense of the standard library and prints as it is.
func FuzzGoodPathStaysInside(f *testing.F) {
	for _, seed := range []string{"bin/age", "../x", "/x", `a\b`, "NUL", "a.", "é", "\u202e", "a//b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if err := archive.CheckPath(p); err != nil {
			if archive.Printable(err.Error()) != err.Error() {
				t.Errorf("error %q is not printable", err)
			}
			return
		}
		if !filepath.IsLocal(p) || path.Clean(p) != p || filepath.ToSlash(p) != p || archive.Printable(p) != p {
			t.Errorf("%q is accepted", p)
		}
	})
}
