package gobuild

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// A machine is where children run: the tools, the caller's environment, and a
// private directory that stands outside the repository and is removed by close.
type machine struct {
	env     []string // the caller's environment, NAME=value
	gitTool string   // absolute path
	goTool  string   // absolute path
	root    string   // the private directory
	path    string   // PATH of private children, "" for the caller's
}

// newMachine finds the tools and makes nothing.
func newMachine(env []string) (*machine, error) {
	m := &machine{env: env}
	var err error
	if m.gitTool, err = m.findTool("git"); err != nil {
		return nil, err
	}
	if m.goTool, err = m.findTool("go"); err != nil {
		return nil, err
	}
	return m, nil
}

// findTool searches the caller's PATH, which need not be this process's.
func (m *machine) findTool(name string) (string, error) {
	for _, dir := range filepath.SplitList(m.lookup("PATH")) {
		// A relative element would run whatever lies in the repository.
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", &Error{
		Kind: KindFailed,
		Msg:  name + " is not on PATH",
		Hint: "install " + name + ", or add its directory to PATH",
	}
}

// lookup returns a variable of the caller's environment, "" where it is unset.
// The last of several settings counts, as it does for a process.
func (m *machine) lookup(name string) string {
	value := ""
	for _, entry := range m.env {
		key, v, ok := strings.Cut(entry, "=")
		if ok && (key == name || runtime.GOOS == "windows" && strings.EqualFold(key, name)) {
			value = v
		}
	}
	return value
}

// pick copies the named variables of the caller that are set.
func (m *machine) pick(names ...string) []string {
	var env []string
	for _, name := range names {
		if value := m.lookup(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// open makes the private directory. It must not stand inside the repository:
// files there would make the build "modified".
func (m *machine) open(repository string) error {
	if m.root != "" {
		return nil
	}
	parent, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return failed(err, "temporary directory %s cannot be used: %v", os.TempDir(), err)
	}
	if within(repository, parent) {
		return usage("set TMPDIR to a directory outside of it",
			"temporary directory %s lies inside the repository", parent)
	}
	return m.openIn(parent)
}

// openIn makes the private directory below parent.
func (m *machine) openIn(parent string) error {
	root, err := os.MkdirTemp(parent, "gobuild-")
	if err != nil {
		return failed(err, "temporary directory cannot be made: %v", err)
	}
	m.root = root
	return m.furnish()
}

// isolate leaves private children no program to find by name but git, which go
// needs to read the commit. From then on go is the one below its own root: what
// PATH calls go may be a script that chooses one.
func (m *machine) isolate(goroot string) error {
	bin := filepath.Join(m.root, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return failed(err, "private directory cannot be made: %v", err)
	}
	m.path = bin
	if os.Symlink(m.gitTool, filepath.Join(bin, filepath.Base(m.gitTool))) != nil { // Windows asks for a privilege
		m.path = filepath.Dir(m.gitTool)
	}
	if tool, err := exec.LookPath(filepath.Join(goroot, "bin", "go")); err == nil {
		m.goTool = tool
	}
	return nil
}

// furnish makes the private home. go's telemetry is off there: its counters are
// state of the machine, and starting them costs every child time.
func (m *machine) furnish() error {
	for _, dir := range []string{m.home(), m.temp(), m.configDir("go", "telemetry")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return failed(err, "private directory cannot be made: %v", err)
		}
	}
	if err := os.WriteFile(m.configDir("go", "telemetry", "mode"), []byte("off\n"), 0o600); err != nil {
		return failed(err, "private directory cannot be written: %v", err)
	}
	return nil
}

func (m *machine) close() error {
	if m.root == "" {
		return nil
	}
	root := m.root
	m.root = ""
	return os.RemoveAll(root)
}

func (m *machine) home() string   { return filepath.Join(m.root, "home") }
func (m *machine) temp() string   { return filepath.Join(m.root, "tmp") }
func (m *machine) source() string { return filepath.Join(m.root, "source") }
func (m *machine) cache() string  { return filepath.Join(m.root, "cache") }

// configDir is a path below what os.UserConfigDir gives under privateEnv.
func (m *machine) configDir(elem ...string) string {
	base := filepath.Join(m.home(), ".config")
	switch runtime.GOOS {
	case "darwin", "ios":
		base = filepath.Join(m.home(), "Library", "Application Support")
	case "windows":
		base = m.home()
	}
	return filepath.Join(append([]string{base}, elem...)...)
}

// privateEnv is what every child but "go env" and "go mod download" starts from.
func (m *machine) privateEnv() []string {
	env := []string{
		"HOME=" + m.home(),
		"TMPDIR=" + m.temp(),
	}
	if runtime.GOOS == "windows" {
		env = append(env,
			"USERPROFILE="+m.home(), "APPDATA="+m.home(), "LOCALAPPDATA="+m.home(),
			"TEMP="+m.temp(), "TMP="+m.temp())
		env = append(env, m.pick("SYSTEMROOT", "COMSPEC", "PATHEXT")...)
	}
	if m.path != "" {
		env = append(env, "PATH="+m.path)
	} else {
		env = append(env, m.pick("PATH")...)
	}
	return append(env, gitEnv...)
}

// gitEnv cuts git off from every configuration but the repository's own, and
// from every transport but the local one.
var gitEnv = []string{
	"GIT_CONFIG_GLOBAL=" + os.DevNull,
	"GIT_CONFIG_SYSTEM=" + os.DevNull,
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_ATTR_NOSYSTEM=1",
	"GIT_NO_REPLACE_OBJECTS=1",
	"GIT_NO_LAZY_FETCH=1",
	"GIT_GRAFT_FILE=" + os.DevNull,
	"GIT_TERMINAL_PROMPT=0",
	"GIT_OPTIONAL_LOCKS=0",
	"GIT_ALLOW_PROTOCOL=file",
	"LC_ALL=C",
	"TZ=UTC",
}

// git is a git command in dir. safe.directory is what lets it read a repository
// of another user, as in CI containers; nothing that such a repository could
// make git execute is left on.
func (m *machine) git(dir string, args ...string) child {
	fixed := []string{
		"-c", "core.hooksPath=/dev/null",
		"-c", "core.fsmonitor=false",
		"-c", "safe.directory=*",
		"-c", "gc.auto=0",
		"-c", "maintenance.auto=false",
	}
	return child{path: m.gitTool, args: append(fixed, args...), dir: dir, env: m.privateEnv()}
}

// within says whether path is dir or lies below it. Both are absolute.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
