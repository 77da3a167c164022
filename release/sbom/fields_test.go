package sbom_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/rollproof/rollproof/release/sbom"
)

func TestRealModules(t *testing.T) {
	for name, make := range map[string]func(testing.TB) (string, realModule){"age": ageDir, "rollproof itself": selfDir, "a hundred dependencies": wideDir} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "age" {
				t.Skip("links a large binary")
			}
			dir, m := make(t)
			f := gather(t, dir, m)
			data := write(t, f)
			var d v2_3.Document
			if err := spdxjson.ReadInto(bytes.NewReader(data), &d); err != nil {
				t.Fatal(err)
			}
			checkDocument(t, f, &d)
			checkFields(t, f, &d)
			checkRelationships(t, f, &d)
			compareDocuments(t, data)
			got, err := sbom.Read(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wanted(f), got); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
			if example := "SPDXRef-Module-filippo.io-edwards25519-v1.1.0-d3e34e8464df39a5"; name == "age" && !bytes.Contains(data, []byte(example)) {
				t.Errorf("the example of the package comment, %s, is not in the document of age", example)
			}
			t.Logf("%d binaries, %d modules, %d bytes", len(f.Binaries), len(f.Modules), len(data))
		})
	}
}

func checkDocument(t *testing.T, f sbom.Facts, d *v2_3.Document) {
	t.Helper()
	kinds := map[string]string{}
	for _, c := range d.CreationInfo.Creators {
		kinds[c.CreatorType] = c.Creator
	}
	if len(kinds) != 2 || kinds["Organization"] == "" || kinds["Tool"] != f.Tool {
		t.Errorf("creators are %v", kinds)
	}
	if d.SPDXVersion != "SPDX-2.3" || d.DataLicense != "CC0-1.0" || d.DocumentName == "" {
		t.Errorf("document is %s, %s, %q", d.SPDXVersion, d.DataLicense, d.DocumentName)
	}
	if d.CreationInfo.Created != f.Source.CommitTime.UTC().Format("2006-01-02T15:04:05Z") {
		t.Errorf("created %s, expected the commit's time %s", d.CreationInfo.Created, f.Source.CommitTime)
	}
	if !strings.Contains(d.CreationInfo.CreatorComment, "build") || !strings.Contains(d.DocumentComment, "Lifecycle: build") {
		t.Error("no comment names the lifecycle")
	}
	if !regexp.MustCompile(`^https://[!-~]+-[0-9a-f]{64}$`).MatchString(d.DocumentNamespace) || strings.Contains(d.DocumentNamespace, "#") {
		t.Errorf("namespace is %s", d.DocumentNamespace)
	}
}

// checkFields asserts every field that a package entry must have.
func checkFields(t *testing.T, f sbom.Facts, d *v2_3.Document) {
	t.Helper()
	idGrammar := regexp.MustCompile(`^[A-Za-z0-9.-]+$`) // SPDX 2.3 clause 7.2
	supplier := regexp.MustCompile(`^[^()]+ \([^() ]+\)$`)
	location := regexp.MustCompile(`^(git\+)?https://[^ ]+$`)
	purl := regexp.MustCompile(`^pkg:golang/[A-Za-z0-9._~/-]+@[A-Za-z0-9.%~_-]+(\?[^#+ ]+)?(#[^+ ]+)?$`)
	ids, purls := map[common.ElementID]bool{}, map[string]int{}
	licensed := map[string]bool{}
	for _, m := range f.Modules {
		licensed[m.Path] = m.License.Expression != ""
	}
	for _, p := range d.Packages {
		if !idGrammar.MatchString(string(p.PackageSPDXIdentifier)) || ids[p.PackageSPDXIdentifier] {
			t.Errorf("%s: not an SPDX identifier, or not unique", p.PackageSPDXIdentifier)
		}
		ids[p.PackageSPDXIdentifier] = true
		isModule := strings.HasPrefix(string(p.PackageSPDXIdentifier), "Module-")
		for name, good := range map[string]bool{
			"name":             p.PackageName != "",
			"version":          p.PackageVersion != "",
			"supplier":         p.PackageSupplier.SupplierType == "Organization" && supplier.MatchString(p.PackageSupplier.Supplier),
			"downloadLocation": location.MatchString(p.PackageDownloadLocation) && !strings.Contains(p.PackageDownloadLocation, "proxy"),
			"purpose":          slices.Contains([]string{"APPLICATION", "LIBRARY", "SOURCE"}, p.PrimaryPackagePurpose),
			"checksums":        len(p.PackageChecksums) == 2 && p.PackageChecksums[0].Algorithm == common.SHA256 && p.PackageChecksums[1].Algorithm == common.SHA512,
			"licenseDeclared":  p.PackageLicenseDeclared != "" && (p.PackageLicenseDeclared != "NOASSERTION" || isModule && !licensed[p.PackageName]),
			"licenseConcluded": p.PackageLicenseConcluded != "" && (p.PackageLicenseConcluded != "NOASSERTION" || isModule && !licensed[p.PackageName]),
			"copyrightText":    p.PackageCopyrightText != "",
			"sourceInfo":       p.PackageSourceInfo != "",
			"filesAnalyzed":    !p.FilesAnalyzed,
			"dirHash":          !isModule || strings.HasPrefix(p.PackageComment, "dirHash h1:"),
			"purl":             len(p.PackageExternalReferences) > 0 && p.PackageExternalReferences[0].RefType == "purl" && purl.MatchString(p.PackageExternalReferences[0].Locator),
		} {
			if !good {
				t.Errorf("%s: %s is missing or malformed: %+v", p.PackageSPDXIdentifier, name, *p)
			}
		}
		for _, c := range p.PackageChecksums {
			if want := map[common.ChecksumAlgorithm]int{common.SHA256: 64, common.SHA512: 128}[c.Algorithm]; len(c.Value) != want {
				t.Errorf("%s: %s is %q", p.PackageSPDXIdentifier, c.Algorithm, c.Value)
			}
		}
		purls[p.PackageExternalReferences[0].Locator]++
	}
	if want := len(f.Binaries) + len(linkedModules(f)) + 4; len(d.Packages) != want {
		t.Errorf("%d packages, want %d", len(d.Packages), want)
	}
	for p, n := range purls {
		if n > 1 && p != "pkg:golang/"+f.Module+"@"+f.Version { // the release and its source
			t.Errorf("%d packages have the purl %s", n, p)
		}
	}
}

// checkRelationships writes the list down once more, from names instead of
// identifiers, and compares.
func checkRelationships(t *testing.T, f sbom.Facts, d *v2_3.Document) {
	t.Helper()
	names := map[common.ElementID]string{"DOCUMENT": "document"}
	for _, p := range d.Packages {
		names[p.PackageSPDXIdentifier] = p.PackageName + "@" + p.PackageVersion
		for kind, name := range map[string]string{"Release": "release", "Std": "std", "Toolchain": "toolchain", "Source": "source"} {
			if string(p.PackageSPDXIdentifier) == kind {
				names[p.PackageSPDXIdentifier] = name
			}
		}
		if p.PackageFileName != "" {
			names[p.PackageSPDXIdentifier] = p.PackageFileName
		}
	}
	var got []string
	for _, r := range d.Relationships {
		to := names[r.RefB.ElementRefID] + r.RefB.SpecialID
		got = append(got, fmt.Sprintf("%s %s %s", names[r.RefA.ElementRefID], r.Relationship, to))
	}
	want := []string{"document DESCRIBES release", "std DEPENDS_ON NONE"}
	for _, b := range f.Binaries {
		want = append(want, "release DEPENDS_ON "+b.Path, "release CONTAINS "+b.Path, b.Path+" GENERATED_FROM source", "toolchain BUILD_TOOL_OF "+b.Path,
			b.Path+" DEPENDS_ON std", b.Path+" STATIC_LINK std")
		for _, m := range b.Modules {
			want = append(want, b.Path+" DEPENDS_ON "+m.Path+"@"+m.Version, b.Path+" STATIC_LINK "+m.Path+"@"+m.Version)
		}
	}
	edge := func(from string, to []sbom.ModuleName) {
		if len(to) == 0 {
			want = append(want, from+" DEPENDS_ON NONE")
		}
		for _, m := range to {
			want = append(want, strings.TrimSuffix(from+" DEPENDS_ON "+m.Path+"@"+m.Version, "@"))
		}
	}
	edge("source", f.Direct)
	for _, m := range f.Modules {
		edge(m.Path+"@"+m.Version, m.DependsOn)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("relationships (-want +got):\n%s", diff)
	}
}
