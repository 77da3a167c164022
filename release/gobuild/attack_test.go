package gobuild_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/release/gobuild"
)

// modified is a time of files that git has not seen: it must read them again.
var modified = time.Unix(1, 0)

const evil = "package main\n\nfunc main() { print(\"evil\") }\n"

func wantHonest(t *testing.T, r *result) {
	t.Helper()
	if out := r.run(); out != "honest" {
		t.Errorf("binary prints %q, want %q", out, "honest")
	}
}

// script writes a program that leaves a marker, then does what it is told.
func script(t *testing.T, name, marker, then string) string {
	t.Helper()
	writeFile(t, name, fmt.Sprintf("#!/bin/sh\ntouch '%s'\n%s\n", marker, then), 0o755)
	return name
}

func wantAbsent(t *testing.T, marker string) {
	t.Helper()
	if _, err := os.Lstat(marker); err == nil {
		t.Errorf("%s was run", filepath.Base(marker))
	}
}

func TestReplaceRefsDoNotSwapTheSource(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	honest := r.git("rev-parse", "HEAD")
	r.git("checkout", "-q", "-b", "other")
	r.commit(map[string]string{"cmd/hello/main.go": evil})
	r.git("replace", honest, r.git("rev-parse", "HEAD"))
	r.git("checkout", "-q", "-f", "v1.0.0")
	if got := r.git("show", "HEAD:cmd/hello/main.go"); !strings.Contains(got, "evil") {
		t.Fatal("the replacement has no effect, the test would prove nothing")
	}
	// To git without the replacement, which is how the repository is read, the
	// swapped files are changes.
	_, err := plan(r.options())
	wantError(t, err, gobuild.KindRule, "cmd/hello/main.go")

	r.git("--no-replace-objects", "checkout", "-q", "-f", "v1.0.0")
	result := build(t, r.options())
	wantHonest(t, result)
	if result.plan.Source.GitCommit != honest {
		t.Errorf("commit is %s, want %s", result.plan.Source.GitCommit, honest)
	}
}

func TestReplacedBlobIsNotBuilt(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	r.write(map[string]string{"evil.txt": evil})
	other := r.git("hash-object", "-w", "evil.txt")
	if err := os.Remove(r.path("evil.txt")); err != nil {
		t.Fatal(err)
	}
	r.git("replace", r.git("rev-parse", "HEAD:cmd/hello/main.go"), other)
	wantHonest(t, build(t, r.options()))
}

func TestBranchNamedLikeTheTagIsNotBuilt(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	r.git("checkout", "-q", "-b", "v1.0.0")
	r.commit(map[string]string{"cmd/hello/main.go": evil})
	r.git("checkout", "-q", "main")
	wantHonest(t, build(t, r.options()))
}

// Between reading the repository and fetching from it, somebody moves the tag.
func TestTagThatIsMovedMeanwhile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the wrapper here is a shell script")
	}
	r := newRepo(t, hello(), "v1.0.0")
	r.git("checkout", "-q", "-b", "other")
	r.commit(map[string]string{"cmd/hello/main.go": evil})
	r.git("checkout", "-q", "main")
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	writeFile(t, filepath.Join(bin, "git"), fmt.Sprintf(
		"#!/bin/sh\ncase \" $* \" in *' fetch '*) '%s' -C '%s' tag -f v1.0.0 other >/dev/null;; esac\nexec '%s' \"$@\"\n", real, r.dir, real), 0o755)
	opts := r.options()
	opts.Env = append(slices.Clone(opts.Env), "PATH="+bin+":"+os.Getenv("PATH"))
	_, err = plan(opts)
	wantError(t, err, gobuild.KindTampered, r.git("rev-parse", "other"), r.git("rev-parse", "main"))
}

func TestExportAttributesHaveNoEffect(t *testing.T) {
	r := newRepo(t, with(hello(), map[string]string{
		".gitattributes":       "cmd/hello/more.go export-ignore\nstamp.txt export-subst\n",
		"cmd/hello/main.go":    "package main\n\nimport _ \"embed\"\n\n//go:embed stamp.txt\nvar stamp string\n\nfunc main() { print(word + stamp) }\n",
		"cmd/hello/more.go":    "package main\n\nconst word = \"honest\"\n",
		"cmd/hello/stamp.txt":  "$Format:%H$",
		"stamp.txt":            "$Format:%H$",
		"cmd/hello/.gitignore": "",
	}), "v1.0.0")
	result := build(t, r.options())
	if out := result.run(); out != "honest$Format:%H$" {
		t.Errorf("binary prints %q", out)
	}
	wantHazard(t, result.plan.CommitHazards, "export-subst")
}

// Everything that makes a checkout write other bytes than the commit has.
func TestCheckoutAttributesChangeNoByte(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "smudge")
	r := newRepo(t, with(hello(), map[string]string{
		"cmd/hello/data.txt":  "$Id$\nline\n",
		"cmd/hello/wide.txt":  "wide\n",
		"cmd/hello/READ.md":   "$Id$\n",
		"cmd/hello/embed.go":  "package main\n\nimport _ \"embed\"\n\n//go:embed data.txt\nvar data string\n\n//go:embed wide.txt\nvar wide string\n",
		"cmd/hello/main.go":   "package main\n\nfunc main() { print(word, \":\", data, wide) }\n",
		"cmd/hello/word.go":   "package main\n\nconst word = \"honest\"\n",
		"cmd/hello/crlf.bat":  "echo\r\n",
		"cmd/hello/empty.txt": "",
	}))
	r.write(map[string]string{
		".gitattributes": "*.go filter=swap\ndata.txt text eol=crlf ident\nwide.txt text working-tree-encoding=UTF-16\n[attr]all filter=swap ident\n*.md all\n",
	})
	r.git("-c", "core.attributesFile=/dev/null", "add", ".gitattributes")
	r.git("commit", "-q", "-m", "attributes")
	r.git("tag", "v1.0.0")
	smudge := script(t, filepath.Join(t.TempDir(), "smudge.sh"), marker, "sed s/honest/evil/")
	r.git("config", "filter.swap.smudge", smudge)
	r.git("config", "filter.swap.clean", script(t, filepath.Join(t.TempDir(), "clean.sh"), marker, "cat"))
	r.git("config", "filter.swap.required", "true")
	if err := os.Chtimes(r.path("cmd/hello/word.go"), modified, modified); err != nil {
		t.Fatal(err)
	}
	result := build(t, r.options())
	if out, want := result.run(), "honest:$Id$\nline\nwide\n"; out != want {
		t.Errorf("binary prints %q, want %q", out, want)
	}
	wantAbsent(t, marker)
}

func TestHooksAndMonitorsAreNotRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("hooks here are shell scripts")
	}
	r := newRepo(t, hello(), "v1.0.0")
	marker := filepath.Join(t.TempDir(), "hook")
	for _, hook := range []string{"post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"} {
		script(t, r.path(".git/hooks/"+hook), marker, "")
	}
	r.git("-c", "core.hooksPath=/dev/null", "config", "core.fsmonitor", r.path(".git/hooks/fsmonitor-watchman"))
	r.git("-c", "core.hooksPath=/dev/null", "config", "uploadpack.packObjectsHook", r.path(".git/hooks/post-checkout"))
	r.git("-c", "core.hooksPath=/dev/null", "config", "core.hooksPath", r.path(".git/hooks"))
	wantHonest(t, build(t, r.options()))
	wantAbsent(t, marker)

	// In a dry run of changed files go build itself starts git in the repository.
	r.write(map[string]string{"LICENSE": "changed\n"})
	opts := r.options()
	opts.DryRun = true
	wantHonest(t, build(t, opts))
	wantAbsent(t, marker)
}

func TestGraftsHaveNoEffect(t *testing.T) {
	r := newRepo(t, hello())
	first := r.git("rev-parse", "HEAD")
	r.commit(map[string]string{"LICENSE": "second\n"})
	r.git("tag", "v1.0.0")
	commit := r.git("rev-parse", "HEAD")
	writeFile(t, r.path(".git/info/grafts"), commit+"\n"+first+" "+commit+"\n", 0o644)
	result := build(t, r.options())
	wantHonest(t, result)
	if result.plan.Source.GitCommit != commit {
		t.Errorf("commit is %s, want %s", result.plan.Source.GitCommit, commit)
	}
}

// go stamps the highest of several tags.
func TestOnlyTheReleasesTagIsStamped(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0", "v1.9.0")
	r.git("tag", "-a", "-m", "annotated", "v1.5.0")
	_, err := plan(r.options())
	wantError(t, err, gobuild.KindUsage, "3 tags", "v1.9.0", "--version")

	for _, version := range []string{"v1.0.0", "v1.5.0"} {
		opts := r.options()
		opts.Version = version
		result := build(t, opts)
		if !bytes.Contains(result.binary(0), []byte("mod\texample.com/hello\t"+version+"\t")) {
			t.Errorf("build info does not hold version %s", version)
		}
	}
}

// go keeps versions of the main module itself in the module cache: of the commit
// before it was tagged, or of whoever wrote there.
func TestModuleCacheDoesNotNameTheVersion(t *testing.T) {
	for _, tag := range []string{"v1.0.0", "2026.07"} {
		t.Run(tag, func(t *testing.T) {
			r := newRepo(t, hello())
			commit := r.git("rev-parse", "--short=12", "HEAD")
			clean := filepath.Join(t.TempDir(), "clean")
			used := filepath.Join(t.TempDir(), "used")
			for _, version := range []string{"v0.0.0-20200101220405-", "v1.9.9-0.20200101220405-"} {
				writeFile(t, filepath.Join(used, "cache", "download", "example.com", "hello", "@v", version+commit+".info"),
					fmt.Sprintf(`{"Version":"%s%s","Time":"2020-01-01T22:04:05Z"}`, version, commit), 0o644)
			}
			r.git("tag", tag)
			var binaries [][]byte
			for _, cache := range []string{clean, used} {
				opts := r.options()
				opts.Env = append(slices.Clone(opts.Env), "GOMODCACHE="+cache)
				binaries = append(binaries, build(t, opts).binary(0))
			}
			if !bytes.Equal(binaries[0], binaries[1]) {
				t.Error("the module cache changed the binary")
			}
		})
	}
}

func TestGoSettingsDoNotReachTheBuild(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the tool here is a shell script")
	}
	r := newRepo(t, hello(), "v1.0.0")
	marker := filepath.Join(t.TempDir(), "toolexec")
	tool := script(t, filepath.Join(t.TempDir(), "tool.sh"), marker, `exec "$@"`)
	envFile := filepath.Join(t.TempDir(), "env")
	writeFile(t, envFile, "GOFLAGS=-toolexec="+tool+" -ldflags=-X=main.x=y\nGOAMD64=v3\n", 0o644)
	work := filepath.Join(t.TempDir(), "go.work")
	writeFile(t, work, "go 1.24\n", 0o644)
	clean := build(t, r.options())

	opts := r.options()
	opts.Env = append(slices.Clone(opts.Env), "GOENV="+envFile, "GOFLAGS=-toolexec="+tool, "GOWORK="+work, "GOEXPERIMENT=arenas", "CGO_ENABLED=1")
	opts.FreshCache = true
	result := build(t, opts)
	wantHonest(t, result)
	wantAbsent(t, marker)
	if !bytes.Equal(result.binary(0), clean.binary(0)) {
		t.Error("settings of the machine changed the binary")
	}
	wantHazard(t, result.plan.MachineHazards, "go-env")
	for _, h := range result.plan.MachineHazards {
		if h.ID == "go-env" && !strings.Contains(h.Detail, "CGO_ENABLED, GOAMD64, GOEXPERIMENT, GOFLAGS, GOWORK") {
			t.Errorf("hazard names %q", h.Detail)
		}
	}
}

// The canary stands for every secret of the caller: no child's environment has
// it, nor has a binary.
func TestSecretsReachNoChild(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the wrappers here are shell scripts")
	}
	const canary = "canary-7c1f"
	r := newRepo(t, hello(), "v1.0.0")
	dump := t.TempDir()
	bin := t.TempDir()
	for _, tool := range []string{"git", "go"} {
		real, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(bin, tool), fmt.Sprintf("#!/bin/sh\nenv > '%s/%s'.$$\nexec '%s' \"$@\"\n", dump, tool, real), 0o755)
	}
	opts := r.options()
	opts.Env = append(slices.Clone(opts.Env),
		"PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"ROLLPROOF_SIGNING_KEY="+canary, "GITHUB_TOKEN="+canary, "GIT_CONFIG_PARAMETERS='user.name="+canary+"'",
		"GIT_ASKPASS="+canary, "SSH_AUTH_SOCK=/"+canary, "GO_"+"SECRET="+canary)
	result := build(t, opts)
	if bytes.Contains(result.binary(0), []byte(canary)) {
		t.Error("the binary holds the canary")
	}
	dumps, err := filepath.Glob(filepath.Join(dump, "*"))
	if err != nil {
		t.Fatal(err)
	}
	byTool := map[string]int{}
	for _, name := range dumps {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tool, _, _ := strings.Cut(filepath.Base(name), ".")
		byTool[tool]++
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s saw the canary:\n%s", tool, data)
		}
	}
	if byTool["git"] < 8 || byTool["go"] < 2 {
		t.Errorf("children seen: %v; the wrappers were passed by", byTool)
	}
}

func TestRepositoryOfAnotherUser(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	r := newRepo(t, hello(), "v1.0.0")
	err := filepath.WalkDir(r.dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, 65534, 65534)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantHonest(t, build(t, r.options()))

	r.write(map[string]string{"LICENSE": "changed\n"})
	opts := r.options()
	opts.DryRun = true
	wantHonest(t, build(t, opts))
}

func TestUnusualPaths(t *testing.T) {
	for _, name := range []string{"with space", "per%41cent", "quote'quote", "колокол", "-dash", "dollar$HOME"} {
		t.Run(name, func(t *testing.T) {
			r := newRepoAt(t, filepath.Join(t.TempDir(), name), hello(), "v1.0.0")
			wantHonest(t, build(t, r.options()))
		})
	}
}

// A file that a plain go build takes from the work tree is not in the commit.
func TestUntrackedFilesAreNotBuilt(t *testing.T) {
	r := newRepo(t, with(hello(), map[string]string{
		"cmd/hello/main.go":      "package main\n\nimport \"embed\"\n\n//go:embed all:data\nvar data embed.FS\n\nfunc main() {\n\tlist, _ := data.ReadDir(\"data\")\n\tprint(word, len(list))\n}\n",
		"cmd/hello/word.go":      "package main\n\nvar word = \"honest\"\n",
		"cmd/hello/data/one.txt": "one",
	}), "v1.0.0")
	r.write(map[string]string{
		"cmd/hello/init.go":      "package main\n\nfunc init() { word = \"evil\" }\n",
		"cmd/hello/data/two.txt": "two",
		"notes.txt":              "unrelated",
	})
	result := build(t, r.options())
	if out := result.run(); out != "honest1" {
		t.Errorf("binary prints %q, want %q", out, "honest1")
	}
	for _, h := range result.plan.MachineHazards {
		if h.ID == "untracked-sources" {
			if !strings.Contains(h.Detail, "cmd/hello/data/two.txt, cmd/hello/init.go") || strings.Contains(h.Detail, "notes.txt") {
				t.Errorf("hazard names %q", h.Detail)
			}
			return
		}
	}
	t.Error("no hazard names the untracked sources")
}

func TestTemporaryDirectoryInTheRepository(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	inside := r.path("tmp")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", inside)
	t.Setenv("TMP", inside)
	_, err := plan(r.options())
	wantError(t, err, gobuild.KindUsage, "inside the repository")
	if left := leftovers(t, inside); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
