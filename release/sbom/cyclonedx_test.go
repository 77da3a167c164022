package sbom_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollproof/rollproof/release/sbom"
)

func cycloneDX(t testing.TB, spdx []byte) []byte {
	t.Helper()
	data, err := sbom.CycloneDX(spdx)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCycloneDXGolden(t *testing.T) {
	for _, name := range []string{"small", "bare"} {
		data := cycloneDX(t, readFile(t, filepath.Join("testdata", name+".spdx.json")))
		golden := filepath.Join("testdata", name+".cdx.json")
		if *update {
			if err := os.WriteFile(golden, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(readFile(t, golden)), string(data)); diff != "" {
			t.Errorf("%s differs (-want +got), run with -update if it should:\n%s", golden, diff)
		}
	}
}

func TestCycloneDXCarriesEveryFact(t *testing.T) {
	bare := smallFacts()
	bare.Direct, bare.Source.License, bare.Supplier = nil, sbom.License{}, sbom.Supplier{Name: "Ada"}
	sharing := smallFacts()
	sharing.Modules[2].License = sharing.Modules[1].License
	for name, f := range map[string]sbom.Facts{"small": smallFacts(), "bare": bare, "wide": wideFacts(3, 30), "two modules of one license text": sharing} {
		t.Run(name, func(t *testing.T) { compareDocuments(t, write(t, f)) })
	}
}

// TestCycloneDXRefuses converts nothing that Read would not accept.
func TestCycloneDXRefuses(t *testing.T) {
	good := string(write(t, smallFacts()))
	for name, data := range map[string]string{
		"nothing": "", "null": "null\n", "another spelling": strings.Replace(good, `"SPDXID"`, `"spdxid"`, 1),
		"another version": strings.Replace(good, "v1.4.2", "v1.4.3", 1),
		"a CycloneDX one": string(cycloneDX(t, []byte(good))),
	} {
		if _, err := sbom.CycloneDX([]byte(data)); err == nil {
			t.Errorf("%s: converted", name)
		}
	}
}

// TestCycloneDXSerialNumber makes the serial number follow from the content.
func TestCycloneDXSerialNumber(t *testing.T) {
	form := regexp.MustCompile(`"serialNumber": "(urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"`)
	seen := map[string]bool{}
	for _, version := range []string{"v1.4.2", "v1.4.3"} {
		f := smallFacts()
		f.Version = version
		first, second := cycloneDX(t, write(t, f)), cycloneDX(t, write(t, f))
		if !bytes.Equal(first, second) {
			t.Error("the same facts give two documents")
		}
		found := form.FindSubmatch(first)
		if found == nil {
			t.Fatalf("no serial number: %.300s", first)
		}
		seen[string(found[1])] = true
	}
	if len(seen) != 2 {
		t.Error("two releases have one serial number")
	}
}

// compareDocuments takes both documents apart, each by what its own format says, and
// compares what they say. Nothing of either may stay unread.
func compareDocuments(t *testing.T, spdx []byte) {
	t.Helper()
	cdx := cycloneDX(t, spdx)
	want, got := spdxClaims(t, spdx), cycloneDXClaims(t, cdx, hex256(string(spdx)))
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the documents say (-SPDX +CycloneDX):\n%s", diff)
	}
}
