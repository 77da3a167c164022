package release_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
)

func withCycloneDX(in *release.Ingredients) { in.CycloneDX = true }

const cycloneDXFile = "tiny.cdx.json"

func TestPackageWithCycloneDX(t *testing.T) {
	m, zip := cached(t, "signed, cyclonedx", newKey(t, 1), withCycloneDX)
	for kind, c := range map[string]release.Container{"directory": m, "zip": release.OpenZip(bytes.NewReader(zip), int64(len(zip)))} {
		v := verify(t, c, newKey(t, 1))
		if v.Result != release.Pass || v.Failed != 0 || v.NotChecked != 0 {
			t.Errorf("%s: %s: %+v", kind, v.Result, v.Checks)
		}
		if !slices.ContainsFunc(v.Checks, func(c release.Check) bool {
			return c.ID == "sbom" && c.Subject == cycloneDXFile && c.Result == release.Pass
		}) {
			t.Errorf("%s: no check is about %s", kind, cycloneDXFile)
		}
	}
	for _, path := range []string{cycloneDXFile, cycloneDXFile + ".sigstore.json"} {
		if m.files[path] == nil {
			t.Errorf("%s is missing", path)
		}
	}
	if !bytes.Contains(m.files["checksums.txt"], []byte("  "+cycloneDXFile+"\n")) {
		t.Errorf("checksums.txt does not list %s", cycloneDXFile)
	}
}

func TestPackageWithCycloneDXIsAttacked(t *testing.T) {
	for name, attack := range map[string]func(m *memory){
		"removed":              func(m *memory) { m.remove(cycloneDXFile) },
		"without signature":    func(m *memory) { m.remove(cycloneDXFile + ".sigstore.json") },
		"the SPDX one instead": func(m *memory) { m.put(cycloneDXFile, m.files["tiny.spdx.json"]) },
		"renamed":              func(m *memory) { m.rename(cycloneDXFile, "other.cdx.json") },
	} {
		m, _ := cached(t, "signed, cyclonedx", newKey(t, 1), withCycloneDX)
		attack(m)
		if v := verify(t, m, newKey(t, 1)); v.Result != release.Fail || !slices.Contains(failed(v), "closed-set") {
			t.Errorf("%s: %s, failed %v", name, v.Result, failed(v))
		}
	}
	plain, _ := signed(t)
	full, _ := cached(t, "signed, cyclonedx", newKey(t, 1), withCycloneDX)
	plain.put(cycloneDXFile, full.files[cycloneDXFile])
	if v := verify(t, plain, newKey(t, 1)); v.Result != release.Fail || !slices.Contains(failed(v), "closed-set") {
		t.Errorf("added: %s, failed %v", v.Result, failed(v))
	}
}

// A maker of a package who writes one thing in the SPDX document and another in the
// CycloneDX one, and corrects every digest, is found by comparing the two.
func TestCycloneDXThatSaysSomethingElse(t *testing.T) {
	m, _ := cached(t, "dry, cyclonedx", nil, withCycloneDX)
	if v := verifyUnsigned(t, m); v.Result != release.Pass {
		t.Fatalf("the package itself: %+v", v.Checks)
	}
	lie := bytes.Replace(m.files[cycloneDXFile], []byte("pkg:golang/example.com/tiny@v1.2.3"), []byte("pkg:golang/example.com/tiny@v1.2.4"), 1)
	change(m, cycloneDXFile, lie)
	if v := verifyUnsigned(t, m); v.Result != release.Fail || !slices.Equal(failed(v), []string{"sbom"}) {
		t.Errorf("%s, failed %v: %+v", v.Result, failed(v), v.Checks)
	}
}

// change replaces a file and corrects its digest wherever it stands.
func change(m *memory, path string, data []byte) {
	old, sum := evidence.SHA256(m.files[path]), evidence.SHA256(data)
	m.put(path, data)
	for _, other := range m.paths() {
		if bytes.Contains(m.files[other], []byte(old)) {
			change(m, other, bytes.ReplaceAll(m.files[other], []byte(old), []byte(sum)))
		}
	}
}

func verifyUnsigned(t *testing.T, c release.Container) *release.Verdict {
	t.Helper()
	v, err := release.Verify(t.Context(), c, release.VerifyOptions{AllowUnsigned: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
