package gobuild

import (
	"fmt"
	"go/version"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"
	gomodule "golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// A module is the go.mod that is built.
type module struct {
	path         string
	dir          string // below the source's root, slash-separated, "" for the root
	root         string // absolute path of the directory
	goVersion    string // of the go directive, as "go1.24"; "" without one
	requires     bool   // there is a module to download
	vendored     bool   // packages come from its vendor directory
	localReplace []string
}

// strictName is the pattern of project, binary and version strings: they become
// file names and parts of command lines.
var strictName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`) })

func checkName(what, name, hint string) error {
	if !strictName().MatchString(name) {
		return usage(hint, "%s is %q, want 1 to 100 letters, digits or . _ + -, the first a letter or digit", what, plain(name))
	}
	return nil
}

// findModule takes the go.mod in the directory prefix of the source, or the
// nearest one above it.
func findModule(s *source, prefix, toolchain string) (*module, error) {
	for dir := prefix; ; dir = path.Dir(dir) {
		if dir == "." {
			dir = ""
		}
		root := filepath.Join(s.root, filepath.FromSlash(dir))
		if isRegular(filepath.Join(root, "go.mod")) {
			return readModule(root, dir, toolchain)
		}
		if dir == "" {
			return nil, usage("go mod init, then commit go.mod; or -C with the directory of a module",
				"the commit has no go.mod in %q or above it", "/"+prefix)
		}
	}
}

func isRegular(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}

// readModule reads go.mod twice. The lax reader alone understands a file that is
// newer than this program: enough to tell that it asks for a newer Go.
func readModule(root, dir, toolchain string) (*module, error) {
	name := path.Join(dir, "go.mod")
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, failed(err, "%s cannot be read: %v", name, err)
	}
	m := &module{dir: dir, root: root}
	lax, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return nil, usage("go mod edit -fmt shows the place", "%v", telling([]byte(err.Error())))
	}
	if lax.Go != nil {
		m.goVersion = "go" + lax.Go.Version
	}
	if lax.Module == nil {
		return nil, usage("go mod init", "%s names no module", name)
	}
	m.path = lax.Module.Mod.Path
	if err := m.checkGo(toolchain); err != nil {
		return nil, err
	}
	strict, err := modfile.Parse(name, data, nil)
	if err != nil {
		return nil, usage("go mod edit -fmt shows the place", "%v", telling([]byte(err.Error())))
	}
	m.requires = len(strict.Require) > 0
	for _, r := range strict.Replace {
		if r.New.Version == "" {
			m.localReplace = append(m.localReplace, r.Old.Path)
		}
	}
	// Without a go directive of 1.14 or newer, go build passes the directory over.
	m.vendored = isRegular(filepath.Join(root, "vendor", "modules.txt")) &&
		m.goVersion != "" && version.Compare(m.goVersion, "go1.14") >= 0
	return m, nil
}

// checkGo refuses a toolchain that is older than the go directive asks for.
func (m *module) checkGo(toolchain string) error {
	have, _, _ := strings.Cut(toolchain, " ")
	if m.goVersion == "" || !version.IsValid(have) || version.Compare(m.goVersion, have) <= 0 {
		return nil
	}
	return &Error{
		Kind: KindFailed,
		Msg:  fmt.Sprintf("go.mod asks for %s, the toolchain is %s", m.goVersion, toolchain),
		Hint: "install " + m.goVersion + " and put it first on PATH; no toolchain is downloaded",
	}
}

// mod is the value of go build's -mod flag.
func (m *module) mod() string {
	if m.vendored {
		return "vendor"
	}
	return "readonly"
}

// name is the project's name: the last element of the module path without its
// major version, as in example.com/tool/v2 or gopkg.in/tool.v2.
func (m *module) name() string {
	prefix, _, ok := gomodule.SplitPathVersion(m.path)
	if !ok {
		prefix = m.path
	}
	return path.Base(prefix)
}

// importPath is the import path of a package, given relative to the module.
func (m *module) importPath(main string) string {
	return path.Join(m.path, main)
}

// stamp is the main-module version that go writes into a binary built from a
// commit with this tag alone, "" where Go cannot express the tag as one.
func (m *module) stamp(tag, toolchain string) string {
	have, _, _ := strings.Cut(toolchain, " ")
	_, major, ok := gomodule.SplitPathVersion(m.path)
	switch {
	case m.dir != "" || !ok || semver.Canonical(tag) != tag || tag == "":
		return ""
	case !version.IsValid(have) || version.Compare(have, "go1.24") < 0:
		return ""
	case strings.HasPrefix(m.path, "gopkg.in/"): // go finds no version for these
		return ""
	case gomodule.CheckPathMajor(tag, major) != nil || gomodule.IsPseudoVersion(tag):
		return ""
	}
	return tag
}
