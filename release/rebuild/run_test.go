package rebuild_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/rebuild"
)

// Three formats of executables, from a repository and from the package alone.
func TestHonestPackageMatches(t *testing.T) {
	r := newRepo(t, tiny())
	r.commit(map[string]string{"cmd/other/main.go": "package main\n\nfunc main() {}\n", "empty": ""})
	r.git("tag", tag)
	p := r.release(making{key: newKey(t, 1), withSource: true, platforms: []release.Platform{
		{OS: "darwin", Arch: "arm64"}, {OS: "linux", Arch: "amd64"}, {OS: "windows", Arch: "amd64"},
	}}).verified()
	for source, want := range map[string]string{r.dir: "repository", "": "package"} {
		opts := p.options()
		opts.Source = source
		report := run(t, opts)
		wantResult(t, report, rebuild.Match)
		if report.Source != want || report.Matched != 6 || report.Matched != len(report.Targets) {
			t.Errorf("%+v", report)
		}
	}
}

// The tag is only a name: a repository that lacks it, or has it elsewhere, serves.
func TestSourceWithoutTheTag(t *testing.T) {
	r := newRepo(t, tiny(), tag)
	p := r.release(making{key: newKey(t, 1)}).verified()
	r.git("tag", "-d", tag)
	wantResult(t, run(t, p.options()), rebuild.Match)
	r.commit(map[string]string{"main.go": "package main\n\nfunc main() { println(\"later\") }\n"})
	r.git("tag", tag)
	bare := filepath.Join(t.TempDir(), "bare.git")
	r.git("clone", "-q", "--bare", r.dir, bare)
	opts := p.options()
	opts.Source = bare
	wantResult(t, run(t, opts), rebuild.Match)
}

// With an empty module cache and no network, the package is enough.
func TestPackageAloneReproducesOffline(t *testing.T) {
	proxy, files := dependent(t)
	r := newRepo(t, files, tag)
	r.download(proxy)
	p := r.release(making{key: newKey(t, 1), withSource: true}).verified()
	network := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		t.Errorf("the network was asked for %s", q.URL)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer network.Close()
	opts := p.options()
	opts.Source = ""
	opts.Env = append(slices.Clone(opts.Env), "GOMODCACHE="+t.TempDir(), "GOPROXY="+network.URL, "GOSUMDB=off", "HTTP_PROXY="+network.URL)
	report := run(t, opts)
	wantResult(t, report, rebuild.Match)
	if report.Modules != "package" || report.Source != "package" {
		t.Errorf("%+v", report)
	}
	// Without the package's modules, the same machine can't.
	bare := r.release(making{key: newKey(t, 1)}).verified()
	again := bare.options()
	again.Env = opts.Env
	report = run(t, again)
	wantResult(t, report, rebuild.Incomplete)
	if got := report.Targets[0]; got.Result != rebuild.NotChecked || !strings.Contains(got.Reason, "no such file") || !strings.Contains(got.Hint, "go mod download") {
		t.Errorf("%+v", got)
	}
}

// Two machines whose module caches came about differently make one package.
func TestCarriedSourceDependsOnTheCommitAlone(t *testing.T) {
	proxy, files := dependent(t)
	r := newRepo(t, files, tag)
	r.download(proxy)
	first := r.release(making{key: newKey(t, 1), withSource: true}).verified()
	for _, name := range []string{"v1.0.0.info", "v1.0.0.zip"} {
		file := filepath.Join(proxy.dir, "example.com", "!greet", "@v", name)
		if strings.HasSuffix(name, ".info") {
			writeFile(t, file, `{"Version":"v1.0.0","Origin":{"VCS":"git"}}`, 0o644)
			continue
		}
		recompress(t, file)
	}
	other := newRepo(t, files, tag, "unrelated")
	other.git("tag", "-d", "unrelated")
	other.download(proxy)
	second := other.release(making{key: newKey(t, 1), withSource: true}).verified()
	for _, name := range []string{release.SourcePackPath("tiny", tag), release.SourceModulesPath("tiny", tag)} {
		if !bytes.Equal(first.read(name), second.read(name)) {
			t.Errorf("another module cache makes another %s", name)
		}
	}
}

// A repository of somebody else runs nothing here.
func TestSourceRepositoryRunsNothing(t *testing.T) {
	r := newRepo(t, tiny(), tag)
	p := r.release(making{key: newKey(t, 1)}).verified()
	marker := filepath.Join(t.TempDir(), "marker")
	evil := filepath.Join(t.TempDir(), "evil")
	writeFile(t, evil, fmt.Sprintf("#!/bin/sh\ntouch '%s'\nexec \"$@\"\n", marker), 0o755)
	for _, name := range []string{"post-checkout", "reference-transaction", "post-index-change"} {
		writeFile(t, filepath.Join(r.dir, ".git", "hooks", name), "#!/bin/sh\ntouch '"+marker+"'\n", 0o755)
	}
	for key, value := range map[string]string{"core.fsmonitor": evil, "uploadpack.packObjectsHook": evil, "filter.x.smudge": evil + " cat"} {
		r.git("config", key, value)
	}
	writeFile(t, filepath.Join(r.dir, ".git", "info", "attributes"), "* filter=x\n", 0o644)
	wantResult(t, run(t, p.options()), rebuild.Match)
	if _, err := os.Lstat(marker); err == nil {
		t.Error("the source repository ran a program")
	}
}

func TestOtherToolchainComparesNothing(t *testing.T) {
	r := newRepo(t, tiny(), tag)
	p := r.release(making{key: newKey(t, 1)}).verified()
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	opts := p.options()
	opts.Go = filepath.Join(t.TempDir(), "go")
	writeFile(t, opts.Go, fmt.Sprintf("#!/bin/sh\n'%s' \"$@\" | sed 's/\"GOVERSION\": \"[^\"]*/\"GOVERSION\": \"go1.20/'\n", real), 0o755)
	report := run(t, opts)
	wantResult(t, report, rebuild.Incomplete)
	if got := report.Targets[0]; got.Result != rebuild.NotChecked || !strings.Contains(got.Reason, "go1.20") || got.Rebuilt != "" {
		t.Errorf("%+v", got)
	}
}

func TestDryRuns(t *testing.T) {
	r := newRepo(t, tiny())
	clean := r.release(making{}).verified()
	report := run(t, clean.options())
	wantResult(t, report, rebuild.Match)
	if _, err := rebuild.NewStatement(report, rebuild.Actor{}, when); err == nil {
		t.Error("a statement about a dry run")
	}
	r.write(map[string]string{"main.go": "package main\n\nfunc main() { println(\"changed\") }\n"})
	dirty := r.release(making{}).verified()
	report = run(t, dirty.options())
	wantResult(t, report, rebuild.Incomplete)
	if got := report.Targets[0]; got.Result != rebuild.NotChecked || !strings.Contains(got.Reason, "changed files") {
		t.Errorf("%+v", got)
	}
}

// From a zip, too.
func TestNothingIsLeft(t *testing.T) {
	proxy, files := dependent(t)
	r := newRepo(t, files, tag)
	r.download(proxy)
	p := r.open(r.release(making{key: newKey(t, 1), withSource: true}).dir+".zip", newKey(t, 1)).verified()
	opts := p.options()
	opts.Source, opts.Dir = "", t.TempDir()
	wantResult(t, run(t, opts), rebuild.Match)
	if left, err := os.ReadDir(opts.Dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestSourceThatIsNotThere(t *testing.T) {
	r := newRepo(t, tiny(), tag)
	p := r.release(making{key: newKey(t, 1)}).verified()
	other := newRepo(t, map[string]string{"go.mod": "module example.com/other\n"})
	for source, part := range map[string]string{"": "carries no source", other.dir: "has no commit " + r.git("rev-parse", "HEAD"), t.TempDir(): "no git repository"} {
		opts := p.options()
		opts.Source = source
		_, err := rebuild.Run(t.Context(), opts)
		wantError(t, err, gobuild.KindUsage, part)
	}
}
