package osv_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/osv"
)

// build packages a repository of one file and returns where the package lies.
func build(t *testing.T, key *keys.Private) string {
	t.Helper()
	repo := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/tiny\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "tiny"}, {"tag", "v1.2.3"}} {
		cmd := exec.Command("git", append([]string{"-C", repo, "-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	b, err := gobuild.New(gobuild.Options{Dir: repo, Platforms: []release.Platform{{OS: "linux", Arch: "amd64"}}, Offline: true, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	plan, err := b.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stage, err := dist.NewStage(filepath.Join(repo, "dist"))
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	built, facts, err := b.Build(t.Context(), plan, stage.Dir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := release.Assemble(t.Context(), release.Ingredients{Plan: plan, Built: built, Facts: facts, Tool: "v0.0.0-test", Signer: key}, stage)
	if err != nil {
		t.Fatal(err)
	}
	result, err := stage.Commit(made.Manifest.Release.Name(false), made.Entries, false)
	if err != nil {
		t.Fatal(err)
	}
	return result.Dir
}

// A real package is read after it passed verification, and not once it was swapped.
func TestReadARealPackage(t *testing.T) {
	key, err := keys.Generate(bytes.NewReader(bytes.Repeat([]byte{1}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	dir := build(t, key)
	c, closer, err := dist.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	verdict, err := release.Verify(t.Context(), c, release.VerifyOptions{Authority: trust.SingleKey(key.Public())})
	if err != nil || verdict.Result != release.Pass {
		t.Fatalf("%v: %+v", err, verdict)
	}
	f, err := osv.Read(c, verdict)
	if err != nil {
		t.Fatal(err)
	}
	var d osv.Database
	for name, module := range map[string]string{"R-1": "stdlib", "R-2": "toolchain", "R-3": "example.com/tiny", "R-4": "example.com/other"} {
		entry := `{"id":"` + name + `","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"` + module + `"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}`
		if err := d.Add(name, bytes.NewReader([]byte(entry))); err != nil {
			t.Fatal(err)
		}
	}
	r, err := osv.Scan(&d, f, osv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Encode(); err != nil {
		t.Error(err)
	}
	var got []string
	for _, x := range r.Findings {
		got = append(got, x.ID+" "+x.Kind)
	}
	slices.Sort(got)
	if want := []string{"R-1 stdlib", "R-2 toolchain", "R-3 release"}; !slices.Equal(got, want) || len(r.NotChecked) != 0 {
		t.Errorf("%v, expected %v; %+v", got, want, r.NotChecked)
	}
	bad := *verdict
	bad.Result = release.Fail
	for _, v := range []*release.Verdict{nil, {}, &bad} {
		if _, err := osv.Read(c, v); err == nil {
			t.Errorf("read with verdict %+v", v)
		}
	}
	for _, name := range []string{release.SBOMPath("tiny"), release.ManifestFile} {
		file := filepath.Join(dir, name)
		data, err := os.ReadFile(file)
		if err := errors.Join(err, os.WriteFile(file, append(data, '\n'), 0o644)); err != nil {
			t.Fatal(err)
		}
		if _, err := osv.Read(c, verdict); err == nil || !strings.Contains(err.Error(), "not the file that was verified") {
			t.Errorf("%s: read after it was changed: %v", name, err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
