package release_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/link"
)

// tiny is the smallest repository that has everything a package can show.
var tiny = map[string]string{
	"go.mod":       "module example.com/tiny\n\ngo 1.26\n",
	"main.go":      "package main\n\nfunc main() { println(\"tiny\") }\n",
	"LICENSE":      "All rights reserved by Ada.\n",
	"NOTICE":       "Made with care.\n",
	"rollproof.md": "not a configuration\n",
}

var platforms = []release.Platform{{OS: "linux", Arch: "amd64"}, {OS: "windows", Arch: "amd64"}}

// build packages the tiny repository with a key, or as a dry run without one, after
// changes of what it is made from, and returns where the package lies.
func build(t testing.TB, key *keys.Private, settings release.Settings, changes ...func(*release.Ingredients)) dist.Result {
	t.Helper()
	repo := t.TempDir()
	for name, text := range tiny {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-qm", "tiny"}, {"tag", "v1.2.3"}} {
		cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C", repo}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	b, err := gobuild.New(gobuild.Options{Dir: repo, Platforms: platforms, Offline: true, DryRun: key == nil, Env: os.Environ()})
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
	built, facts, err := b.Build(t.Context(), plan, stage.Dir(), func(release.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	in := release.Ingredients{Plan: plan, Built: built, Facts: facts, Settings: settings, Tool: "v0.0.0-test", DryRun: key == nil, Link: link.Write}
	if key != nil {
		in.Signer = key
	}
	for _, change := range changes {
		change(&in)
	}
	if in.Imported != nil {
		for _, path := range in.Imported.Archives {
			if err := stage.Write(path, []byte("an archive")); err != nil {
				t.Fatal(err)
			}
		}
	}
	made, err := release.Assemble(t.Context(), in, stage)
	if err != nil {
		t.Fatal(err)
	}
	result, err := stage.Commit(made.Manifest.Release.Name(in.DryRun), made.Entries, false)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// once holds packages that several tests look at and none changes.
var once struct {
	sync.Mutex
	packages map[string]*memory
	zips     map[string][]byte
}

// signed returns the tiny package signed by the key of seed 1; dry returns it as a
// dry run.
func signed(t testing.TB) (*memory, []byte) { return cached(t, "signed", newKey(t, 1)) }
func dry(t testing.TB) (*memory, []byte)    { return cached(t, "dry", nil) }

func cached(t testing.TB, name string, key *keys.Private, changes ...func(*release.Ingredients)) (*memory, []byte) {
	t.Helper()
	once.Lock()
	defer once.Unlock()
	if once.packages[name] == nil {
		r := build(t, key, release.Settings{}, changes...)
		c, closer, err := dist.Open(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer closer.Close()
		zip, err := os.ReadFile(r.Zip)
		if err != nil {
			t.Fatal(err)
		}
		if once.packages == nil {
			once.packages, once.zips = map[string]*memory{}, map[string][]byte{}
		}
		once.packages[name], once.zips[name] = load(t, c), zip
	}
	return once.packages[name].clone(), bytes.Clone(once.zips[name])
}

func TestSignedPackagePasses(t *testing.T) {
	m, zip := signed(t)
	for kind, c := range map[string]release.Container{"directory": m, "zip": release.OpenZip(bytes.NewReader(zip), int64(len(zip)))} {
		v := verify(t, c, newKey(t, 1))
		if v.Result != release.Pass || v.Failed != 0 || v.NotChecked != 0 {
			t.Errorf("%s: %s: %+v", kind, v.Result, v.Checks)
		}
	}
	want := []string{
		"LICENSE", "NOTICE", "bin/tiny_v1.2.3_linux_amd64", "bin/tiny_v1.2.3_linux_amd64.sigstore.json",
		"bin/tiny_v1.2.3_windows_amd64.exe", "bin/tiny_v1.2.3_windows_amd64.exe.sigstore.json",
		"checksums.txt", "checksums.txt.sig", "checksums.txt.sigstore.json",
		"endpoint-deployment.json", "endpoint-deployment.json.sigstore.json", "installers.json", "installers.json.sigstore.json",
		"package.5e2d627c.link",
		"release-evidence.json", "release-evidence.md", "release-evidence.sigstore.json",
		"tiny.provenance.sigstore.json", "tiny.spdx.json", "tiny.spdx.json.sigstore.json",
	}
	if got := m.paths(); !slices.Equal(got, want) {
		t.Errorf("files %v\nwant %v", got, want)
	}
}

func TestDryRunIsRefusedUnlessAllowed(t *testing.T) {
	m, _ := dry(t)
	if v := verify(t, m, nil); v.Result != release.Fail || !slices.Contains(failed(v), "dry-run") {
		t.Errorf("without a flag: %s, failed %v", v.Result, failed(v))
	}
	v, err := release.Verify(t.Context(), m, release.VerifyOptions{AllowUnsigned: true})
	if err != nil {
		t.Fatal(err)
	}
	if v.Result != release.Pass || len(v.Weakenings) != 1 || v.NotChecked == 0 {
		t.Errorf("with --allow-unsigned: %+v", v)
	}
	for _, path := range m.paths() {
		if strings.Contains(path, "sigstore") || strings.HasSuffix(path, ".sig") {
			t.Errorf("a dry run holds %s", path)
		}
	}
	m.put("checksums.txt", append(m.files["checksums.txt"], '\n'))
	if v, _ := release.Verify(t.Context(), m, release.VerifyOptions{AllowUnsigned: true}); v.Result == release.Pass {
		t.Error("a changed dry run passes with --allow-unsigned")
	}
}

// AllowUnsigned is for dry runs: a package that says it is signed must be.
func TestAllowUnsignedDoesNotExcuseARelease(t *testing.T) {
	m, _ := signed(t)
	for _, opts := range []release.VerifyOptions{{}, {AllowUnsigned: true}} {
		v, err := release.Verify(t.Context(), m, opts)
		if err != nil {
			t.Fatal(err)
		}
		if v.Result != release.Fail || !slices.Contains(failed(v), "trust") {
			t.Errorf("%+v: %s, failed %v", opts, v.Result, failed(v))
		}
	}
}

// Each attack names the checks that must fail.
func TestAttacks(t *testing.T) {
	const linux, windows = "bin/tiny_v1.2.3_linux_amd64", "bin/tiny_v1.2.3_windows_amd64.exe"
	for name, tc := range map[string]struct {
		attack func(t *testing.T, m *memory)
		want   []string
	}{
		"foreign key": {func(t *testing.T, m *memory) {
			other := resign(t, m, newKey(t, 2))
			m.files, m.modes = other.files, other.modes
		}, []string{"closing-signature", "provenance-signature", "raw-signature", "signature"}},
		"missing file": {func(t *testing.T, m *memory) { m.remove("NOTICE") }, []string{"closed-set", "closing-subjects"}},
		"extra file":   {func(t *testing.T, m *memory) { m.put("README", []byte("hello")) }, []string{"closed-set", "closing-subjects"}},
		"renamed file": {func(t *testing.T, m *memory) { m.rename("NOTICE", "NOTICES") }, []string{"closed-set", "closing-subjects"}},
		"swapped binaries": {func(t *testing.T, m *memory) {
			m.files[linux], m.files[windows] = m.files[windows], m.files[linux]
		}, []string{"checksums", "closed-set", "closing-subjects", "provenance", "provenance-subjects", "sbom", "signature"}},
		"swapped binaries, checksums.txt corrected": {func(t *testing.T, m *memory) {
			m.files[linux], m.files[windows] = m.files[windows], m.files[linux]
			correctChecksums(t, m)
		}, []string{"closed-set", "closing-subjects", "provenance", "provenance-subjects", "raw-signature", "sbom", "signature"}},
		"emptied checksums.txt":  {func(t *testing.T, m *memory) { m.put("checksums.txt", nil) }, []string{"checksums", "closed-set", "closing-subjects", "raw-signature", "signature"}},
		"executable bit removed": {func(t *testing.T, m *memory) { m.modes[linux] = 0o644 }, []string{"closed-set"}},
		"executable bit added":   {func(t *testing.T, m *memory) { m.modes["LICENSE"] = 0o755 }, []string{"closed-set"}},
		"signature of another file": {func(t *testing.T, m *memory) {
			m.files[linux+".sigstore.json"] = m.files[windows+".sigstore.json"]
		}, []string{"closed-set", "closing-subjects", "signature"}},
		"a second closing bundle by a foreign key": {func(t *testing.T, m *memory) {
			foreign := newKey(t, 2)
			b, err := envelope.ParseBundle(m.files["release-evidence.sigstore.json"])
			if err != nil {
				t.Fatal(err)
			}
			again, err := envelope.Sign(foreign, evidence.PayloadType, b.Payload)
			if err != nil {
				t.Fatal(err)
			}
			data, _ := again.Marshal()
			m.put(release.ClosingName(foreign.Public()), data)
		}, []string{"closing-signature"}},
		"a container with a link": {func(t *testing.T, m *memory) { m.problems = []string{"x: a symbolic link"} }, []string{"container"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := signed(t)
			tc.attack(t, m)
			v := verify(t, m, newKey(t, 1))
			if v.Result != release.Fail {
				t.Fatal("passes")
			}
			for _, id := range tc.want {
				if !slices.Contains(failed(v), id) {
					t.Errorf("check %s did not fail; failed: %v", id, failed(v))
				}
			}
		})
	}
}

// resign makes the whole package again with another key, as a thief without the
// releaser's key would.
func resign(t *testing.T, _ *memory, key *keys.Private) *memory {
	t.Helper()
	r := build(t, key, release.Settings{})
	c, closer, err := dist.Open(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	return load(t, c)
}

// correctChecksums makes checksums.txt agree with the files again.
func correctChecksums(t *testing.T, m *memory) {
	t.Helper()
	sums, err := release.ParseChecksums(m.files["checksums.txt"])
	if err != nil {
		t.Fatal(err)
	}
	for i := range sums {
		sums[i].SHA256 = evidence.SHA256(m.files[sums[i].Path])
	}
	m.put("checksums.txt", release.FormatChecksums(sums))
}

// One byte changed in any file is refused, and some check names that file.
func TestOneByteInEachFile(t *testing.T) {
	m, _ := signed(t)
	for _, path := range m.paths() {
		c := m.clone()
		data := bytes.Clone(c.files[path])
		data[len(data)/2] ^= 1
		c.files[path] = data
		v := verify(t, c, newKey(t, 1))
		named := slices.ContainsFunc(v.Checks, func(c release.Check) bool {
			return c.Result == release.Fail && strings.Contains(c.Subject, path)
		})
		if v.Result != release.Fail || !named {
			t.Errorf("%s: %s, named: %t", path, v.Result, named)
		}
	}
}

// 2,000 places over every file and the zip, headers included: one bit flipped or
// bytes removed, and every one is refused.
func TestMutations(t *testing.T) {
	m, zip := signed(t)
	key := newKey(t, 1)
	const places = 2000
	total := len(zip)
	for _, path := range m.paths() {
		total += len(m.files[path])
	}
	refused := func(what string, c release.Container) {
		if v := verify(t, c, key); v.Result == release.Pass {
			t.Errorf("%s: passes", what)
		}
	}
	sources := append(m.paths(), "")
	for _, path := range sources {
		data := zip
		if path != "" {
			data = m.files[path]
		}
		n := max(12, places*len(data)/total)
		for i := range n {
			at := i * len(data) / n
			if path == "" && i%2 == 0 {
				at = len(data) - 1 - i%4000 // the central directory
			}
			bad := mutate(data, at, i)
			what := fmt.Sprintf("%s, byte %d of %d, mutation %d", path, at, len(data), i%3)
			if path == "" {
				refused("zip"+what, release.OpenZip(bytes.NewReader(bad), int64(len(bad))))
				continue
			}
			c := m.clone()
			c.files[path] = bad
			refused(what, c)
		}
	}
}

// mutate flips a bit, removes a byte, or cuts the rest off.
func mutate(data []byte, at, i int) []byte {
	at = min(max(at, 0), len(data)-1)
	switch i % 3 {
	case 0:
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (i / 3 % 8)
		return bad
	case 1:
		return slices.Delete(bytes.Clone(data), at, at+1)
	}
	return bytes.Clone(data[:at])
}
