package upgrade_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/upgrade"
)

func read(t *testing.T, c release.Container, v *release.Verdict) upgrade.Facts {
	t.Helper()
	f, err := upgrade.Read(t.Context(), c, v)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Two real packages: every change of the second one is found, and nothing else.
func TestRealPackages(t *testing.T) {
	p := built(t)
	old, now := read(t, p.old, p.oldWord), read(t, p.now, p.nowWord)
	r, err := upgrade.Compare(old, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := r.Encode()
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %s: %s", f.Severity, f.ID, f.Subject, f.Text))
	}
	want := []string{
		"fail platform-dropped windows/amd64: The old release has the platform windows/amd64, the new one has not.",
		"fail control-dropped link: The old release has link, which the new one lacks.",
		"fail target-lost desktop: The deployment target desktop (manual, windows/amd64) no longer receives a binary.",
		"fail dependency-downgraded example.com/dep: example.com/dep goes back from v1.1.0 to v1.0.0.",
		"fail license-release licence: The licence of the release changes from MIT to BSD-3-Clause.",
		"warn target-path runner: runner installs to /opt/tiny/tiny, before to /usr/local/bin/tiny: what runs the old path must be told.",
		"warn dependency-added example.com/extra: example.com/extra v0.3.0 is new, licence MIT.",
	}
	if len(got) > 0 && strings.Contains(got[len(got)-1], "info size-changed") {
		got = got[:len(got)-1] // the toolchain decides about bytes
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if old.Binaries[0].Settings["-trimpath"] != "true" || old.Binaries[0].Settings["CGO_ENABLED"] != "0" || old.Binaries[0].Modules[0].License != "BSD-3-Clause" {
		t.Errorf("%+v", old.Binaries[0])
	}
	snapshot(t, r)
}

var update = flag.Lookup("update")

// snapshot compares the change record, without what the toolchain and the tests' key
// decide.
func snapshot(t *testing.T, r *upgrade.Report) {
	t.Helper()
	md := string(r.Markdown())
	for _, rule := range [][2]string{
		{`sha256:[0-9a-f]{64}`, "sha256:…"}, {`SHA256:[A-Za-z0-9\\+/]{43}`, "SHA256:…"}, {`\b[0-9a-f]{40}\b`, "…"}, {`go1\.[0-9.]+`, "go…"},
		{`(?m)^\| a binary has another size .*\n`, ""}, {`\| [0-9]+ \| [0-9]+ \| [+-][0-9]+ \([+-][0-9.]+ %\) \|`, "| … | … | … |"},
		{`(?s)\n## What else changes\n\n.*\|\n(\n## Sizes)`, "$1"}, {`[0-9]+ findings? for information`, "… for information"},
	} {
		md = regexp.MustCompile(rule[0]).ReplaceAllString(md, rule[1])
	}
	const golden = "testdata/real.md"
	if update.Value.String() == "true" {
		if err := os.WriteFile(golden, []byte(md), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), md); diff != "" {
		t.Error(diff)
	}
}

// A package that is the same has no news.
func TestAPackageAgainstItself(t *testing.T) {
	p := built(t)
	f := read(t, p.old, p.oldWord)
	r, err := upgrade.Compare(f, f, nil)
	if err != nil || len(r.Findings) != 2 || r.Findings[0].ID != "version-same" || r.Findings[1].ID != "commit-same" {
		t.Errorf("%v: %+v", err, r.Findings)
	}
}

// Whatever is swapped after the verdict is refused: each file that facts come from.
func TestReadRefusesASwappedPackage(t *testing.T) {
	p := built(t)
	for path := range p.old.files {
		used := !strings.HasSuffix(path, ".sigstore.json") || strings.HasSuffix(path, "provenance.sigstore.json")
		for _, unused := range []string{"LICENSE", "checksums", "package.", ".md"} {
			used = used && !strings.Contains(path, unused)
		}
		c := &memory{maps.Clone(p.old.files)}
		c.files[path] = append(bytes.Clone(c.files[path]), '\n')
		if _, err := upgrade.Read(t.Context(), c, p.oldWord); (err != nil) != used {
			t.Errorf("%s: %v", path, err)
		}
		if used {
			delete(c.files, path)
			if _, err := upgrade.Read(t.Context(), c, p.oldWord); err == nil {
				t.Errorf("%s: read without it", path)
			}
		}
	}
	if _, err := upgrade.Read(t.Context(), p.now, p.oldWord); err == nil {
		t.Error("read another package than the verdict is about")
	}
}

func TestReadNeedsAVerdictThatPasses(t *testing.T) {
	p := built(t)
	bad := *p.oldWord
	bad.Result = release.Fail
	for _, v := range []*release.Verdict{nil, {}, &bad} {
		if _, err := upgrade.Read(t.Context(), p.old, v); err == nil {
			t.Errorf("read with verdict %+v", v)
		}
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	p := built(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := upgrade.Read(ctx, p.old, p.oldWord); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
