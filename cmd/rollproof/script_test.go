package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rollproof/rollproof/schemas"
)

var update = flag.Bool("update", false, "write the golden files again")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rollproof": main})
}

// TestScripts runs testdata/script/*.txtar: the real program on real repositories.
func TestScripts(t *testing.T) {
	goEnv := goEnvironment(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, goEnv...)
			e.Vars = append(e.Vars,
				"HOME="+e.WorkDir, "DOCS="+filepath.Join(root, "docs"), "GIT_CONFIG_GLOBAL="+filepath.Join(e.WorkDir, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1",
				"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z", "ROLLPROOF_SIGNING_KEY=")
			return os.WriteFile(filepath.Join(e.WorkDir, "gitconfig"), []byte("[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n"), 0o600)
		},
		Condition: func(name string) (bool, error) {
			if name == "unshare" {
				return exec.Command("unshare", "-rn", "true").Run() == nil, nil
			}
			tool, ok := strings.CutPrefix(name, "tool:")
			if !ok {
				return false, errors.New("unknown condition")
			}
			_, err := exec.LookPath(tool)
			required := "ROLLPROOF_REQUIRE_TOOLS"
			if tool == "cosign" { // "make interop" builds it
				required = "ROLLPROOF_REQUIRE_INTEROP"
			}
			if err != nil && os.Getenv(required) == "1" {
				return false, err
			}
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "commit": commit, "module": module, "validate": validate, "same": same, "append": appendBytes, "verifier": verifier, "agree": agree,
		},
	})
}

// goEnvironment carries the caches of this machine into a script's own HOME.
func goEnvironment(t *testing.T) []string {
	t.Helper()
	names := []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GONOPROXY"}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var vars []string
	for i, value := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		vars = append(vars, names[i]+"="+value)
	}
	return vars
}

// exits CODE COMMAND [ARG…] runs a command and checks its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, expected %d", code, want)
	}
}

// commit DIR [TAG] makes a repository of DIR with one commit of everything in it.
func commit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: commit DIR [TAG…]")
	}
	steps := [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "all of it"}}
	for _, tag := range args[1:] {
		steps = append(steps, []string{"tag", tag})
	}
	for _, s := range steps {
		ts.Check(ts.Exec("git", append([]string{"-C", ts.MkAbs(args[0])}, s...)...))
	}
}

// module PATH@VERSION DIR copies a published module out of the module cache, where
// "go mod download" puts it.
func module(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: module PATH@VERSION DIR")
	}
	ts.Check(ts.Exec("go", "mod", "download", args[0]))
	path, version, _ := strings.Cut(args[0], "@")
	dir := ts.MkAbs(args[1])
	ts.Check(os.CopyFS(dir, os.DirFS(filepath.Join(ts.Getenv("GOMODCACHE"), path+"@"+version))))
	ts.Check(filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(name, 0o755)
	}))
}

// validate SCHEMA FILE checks a document against the schema of a name such as
// verdict/v1.
func validate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: validate SCHEMA FILE")
	}
	ts.Check(schemas.Validate(schemas.Prefix+args[0], []byte(ts.ReadFile(args[1]))))
}

// same FILE FILE compares two files byte for byte, without showing them.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same FILE FILE")
	}
	if equal := ts.ReadFile(args[0]) == ts.ReadFile(args[1]); equal == neg {
		ts.Fatalf("%s and %s: same bytes: %t", args[0], args[1], equal)
	}
}

// agree CODE DIR KEY lets rollproof and the stranger's script of docs/formats verify a
// directory: both exit with CODE.
func agree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: agree CODE DIR KEY")
	}
	exits(ts, false, []string{args[0], "rollproof", "release", "verify-package", args[1], "--key", args[2]})
	exits(ts, false, []string{args[0], "bash", filepath.Join(ts.Getenv("DOCS"), "formats", "verify.sh"), args[1], args[2]})
}

// verifier OS/ARCH FILE builds the tiny verifier, which may have 6 MiB.
func verifier(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: verifier OS/ARCH FILE")
	}
	goos, arch, _ := strings.Cut(args[0], "/")
	file := ts.MkAbs(args[1])
	for name, value := range map[string]string{"GOOS": goos, "GOARCH": arch, "CGO_ENABLED": "0"} {
		before := ts.Getenv(name)
		ts.Setenv(name, value)
		defer ts.Setenv(name, before)
	}
	ts.Check(ts.Exec("go", "build", "-C", filepath.Dir(ts.Getenv("DOCS")), "-trimpath", "-ldflags=-s -w", "-o", file, "./cmd/rollproof-verify"))
	info, err := os.Stat(file)
	ts.Check(err)
	if info.Size() > 6<<20 {
		ts.Fatalf("%s: %d bytes, the limit is 6 MiB", args[0], info.Size())
	}
}

// append TEXT FILE adds text to the end of a file.
func appendBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append TEXT FILE")
	}
	f, err := os.OpenFile(ts.MkAbs(args[1]), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteString(args[0])
	ts.Check(errors.Join(err, f.Close()))
}

// Every command line that the README shows runs in a script.
func TestReadmeCommandsRunInScripts(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var run []string
	for _, s := range scripts {
		text, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if _, command, ok := strings.Cut(line, "rollproof "); ok {
				run = append(run, normalize(strings.TrimSuffix(command, "'")))
			}
		}
	}
	found := 0
	for _, line := range strings.Split(string(readme), "\n") {
		command, ok := strings.CutPrefix(line, "    rollproof ")
		if !ok {
			continue
		}
		found++
		command, _, _ = strings.Cut(command, " #")
		command = strings.ReplaceAll(command, "sha256:…", "$(cat pin)")
		if !slices.Contains(run, normalize(command)) {
			t.Errorf("README shows %q, which no script runs", "rollproof "+normalize(command))
		}
	}
	if found == 0 {
		t.Error("no commands found in README.md")
	}
}

// Every script that makes a store verifies it whole.
func TestStoresOfScriptsAreVerified(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	makes := regexp.MustCompile(`rollproof (evidence add|evidence log init|policy sign|release verify-rollout)`)
	found := 0
	for _, s := range scripts {
		text, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		if !makes.Match(text) {
			continue
		}
		found++
		if !strings.Contains(string(text), "rollproof evidence verify --all") {
			t.Errorf("%s makes a store and never runs rollproof evidence verify --all", s)
		}
	}
	if found == 0 {
		t.Error("no script makes a store")
	}
}

func normalize(command string) string { return strings.Join(strings.Fields(command), " ") }
