package release_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
)

const linuxBinary, windowsBinary = "bin/tiny_v1.2.3_linux_amd64", "bin/tiny_v1.2.3_windows_amd64.exe"

func inspect(t *testing.T, c release.Container, v *release.Verdict) *release.Inspection {
	t.Helper()
	i, err := release.Inspect(t.Context(), c, v)
	if err != nil {
		t.Fatal(err)
	}
	data, err := i.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(release.InspectionSchema)) {
		t.Error("the document does not name its schema")
	}
	return i
}

// cells returns, for a binary, the state in each document.
func cells(t *testing.T, i *release.Inspection, path string) map[string]release.Cell {
	t.Helper()
	for _, b := range i.Binaries {
		if b.Path == path {
			all := map[string]release.Cell{}
			for _, c := range b.Cells {
				all[c.Document] = c
			}
			return all
		}
	}
	t.Fatalf("no row for %s", path)
	return nil
}

func TestInspectionOfAGoodPackage(t *testing.T) {
	for name, m := range map[string]*memory{
		"signed": must(cached(t, "signed, cyclonedx", newKey(t, 1), withCycloneDX)), "dry run": must(cached(t, "dry, cyclonedx", nil, withCycloneDX)),
	} {
		i := inspect(t, m, verify(t, m, newKey(t, 1)))
		if len(i.Binaries) != 2 || i.Agree != 12 || i.Differ != 0 || i.Absent != 0 {
			t.Errorf("%s: %d binaries, %d agree, %d differ, %d absent:\n%s", name, len(i.Binaries), i.Agree, i.Differ, i.Absent, i.Table())
		}
		for document, least := range map[string]int{"manifest": 3, "checksums": 1, "build-info": 7, "spdx": 8, "cyclonedx": 1, "provenance": 10} {
			if c := cells(t, i, linuxBinary)[document]; c.Compared < least {
				t.Errorf("%s: %s: %d facts compared, expected at least %d", name, document, c.Compared, least)
			}
		}
	}
	m, _ := signed(t)
	i := inspect(t, m, verify(t, m, newKey(t, 1)))
	if c := cells(t, i, linuxBinary)["cyclonedx"]; c.State != release.Absent || i.Absent != 2 {
		t.Errorf("without a CycloneDX document: %+v, %d absent", c, i.Absent)
	}
}

func must(m *memory, _ []byte) *memory { return m }

// Each change is seen in the cells that it touches, and in no other.
func TestInspectionSaysWhatDiffers(t *testing.T) {
	replace := func(path, old, new string) func(*memory) {
		return func(m *memory) {
			if !bytes.Contains(m.files[path], []byte(old)) {
				panic(path + " does not hold " + old)
			}
			m.put(path, bytes.Replace(m.files[path], []byte(old), []byte(new), 1))
		}
	}
	for name, tc := range map[string]struct {
		change func(m *memory)
		want   string // of the Linux binary: document and fact, sorted
	}{
		"other bytes":       {func(m *memory) { m.put(linuxBinary, append(bytes.Clone(m.files[linuxBinary]), 0)) }, "checksums sha256, manifest sha256, manifest size, provenance sha256, spdx sha256, spdx size"},
		"executable bit":    {func(m *memory) { m.modes[linuxBinary] = 0o644 }, "manifest mode"},
		"no Go binary":      {func(m *memory) { m.put(linuxBinary, []byte("#!/bin/sh\n")) }, "build-info build info, checksums sha256, manifest sha256, manifest size, provenance sha256, spdx sha256, spdx size"},
		"missing":           {func(m *memory) { m.remove(linuxBinary) }, "build-info absent, checksums sha256, manifest sha256, manifest size, provenance sha256, spdx sha256, spdx size"},
		"binary of another": {func(m *memory) { m.files[linuxBinary] = m.files[windowsBinary] }, "build-info platform, checksums sha256, manifest sha256, manifest size, provenance setting GOOS, provenance sha256, spdx platform, spdx sha256, spdx size"},
		"checksum": {func(m *memory) {
			at := bytes.Index(m.files["checksums.txt"], []byte("  "+linuxBinary)) - 1
			data := bytes.Clone(m.files["checksums.txt"])
			data[at] = "10"[data[at]&1]
			m.put("checksums.txt", data)
		}, "checksums sha256"},
		"damaged checksums":  {func(m *memory) { m.put("checksums.txt", []byte("x\n")) }, "checksums document"},
		"damaged SPDX":       {replace("tiny.spdx.json", "SPDX-2.3", "SPDX-2.2"), "cyclonedx document, sha256, spdx document"},
		"other CycloneDX":    {replace("tiny.cdx.json", "library", "libraru"), "cyclonedx document, sha256"},
		"damaged provenance": {replace("tiny.provenance.json", "slsa.dev/provenance/v1", "slsa.dev/provenance/v2"), "provenance document"},
		"commit":             {replace("tiny.provenance.json", "gitCommit", "gitCommot"), "provenance commit"},
		"recipe":             {replace("tiny.provenance.json", "GOAMD64=v1", "GOAMD64=v3"), "provenance setting GOAMD64"},
		"recipe's package":   {replace("tiny.provenance.json", `"."`, `"./x"`), "provenance main package"},
		"toolchain":          {replace("tiny.provenance.json", `"toolchain": "go1`, `"toolchain": "go2`), "provenance toolchain"},
		"no subject":         {replace("tiny.provenance.json", `"name": "`+linuxBinary, `"name": "bin/other`), "provenance absent"},
	} {
		m, _ := cached(t, "dry, cyclonedx", nil, withCycloneDX)
		tc.change(m)
		i := inspect(t, m, verify(t, m, nil))
		var got []string
		for document, c := range cells(t, i, linuxBinary) {
			for _, d := range c.Differences {
				got = append(got, document+" "+d.Fact)
			}
			if c.State == release.Absent {
				got = append(got, document+" absent")
			}
			if (c.State == release.Differ) != (len(c.Differences) > 0) {
				t.Errorf("%s: %s is %s with %d differences", name, document, c.State, len(c.Differences))
			}
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%s: %s\nwant %s", name, strings.Join(got, ", "), tc.want)
		}
		if i.Verdict != release.Fail {
			t.Errorf("%s: the verdict is %s", name, i.Verdict)
		}
	}
}

// Rows are whatever some document takes for a binary.
func TestInspectionShowsWhatOneDocumentAloneNames(t *testing.T) {
	m, _ := dry(t)
	m.put("bin/extra\x1b[2J", []byte("x"))
	i := inspect(t, m, verify(t, m, nil))
	row := cells(t, i, `bin/extra\u{1b}[2J`)
	if row["manifest"].State != release.Absent || row["spdx"].State != release.Absent || row["build-info"].State != release.Differ {
		t.Errorf("%+v", row)
	}
	table := string(i.Table())
	if strings.Contains(table, "\x1b") || !strings.Contains(table, "DIFFER") {
		t.Errorf("table:\n%s", table)
	}
}

func TestInspectionNeedsItsVerdict(t *testing.T) {
	m, _ := signed(t)
	if _, err := release.Inspect(t.Context(), m, nil); err == nil {
		t.Error("inspected without a verdict")
	}
	v := verify(t, m, newKey(t, 1))
	other, _ := dry(t)
	if _, err := release.Inspect(t.Context(), other, v); err == nil || !strings.Contains(err.Error(), "the verdict is about") {
		t.Errorf("the verdict of another package: %v", err)
	}
	m.remove("release-evidence.json")
	if _, err := release.Inspect(t.Context(), m, verify(t, m, newKey(t, 1))); err == nil {
		t.Error("inspected without a manifest")
	}
}

func TestInspectionTable(t *testing.T) {
	m, _ := cached(t, "dry, cyclonedx", nil, withCycloneDX)
	m.put("checksums.txt", bytes.Replace(m.files["checksums.txt"], []byte("  "+windowsBinary), []byte("  bin/z.exe"), 1))
	table := string(inspect(t, m, verify(t, m, nil)).Table())
	for _, want := range []string{
		"binary  ", "manifest   checksums   build-info  spdx", linuxBinary + "        agree (3)  agree (1)   agree (7)",
		windowsBinary + "  agree (3)  -   ", "bin/z.exe", "DIFFER (1)", "  said      ", "  expected  (nothing)\n", "the verdict is fail\n",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table does not hold %q:\n%s", want, table)
		}
	}
}
