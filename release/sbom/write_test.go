package sbom_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/rollproof/rollproof/release/sbom"
)

var update = flag.Bool("update", false, "rewrite golden files")

func write(t testing.TB, f sbom.Facts) []byte {
	t.Helper()
	data, err := sbom.Write(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGolden(t *testing.T) {
	bare := smallFacts()
	bare.Supplier, bare.Source.License, bare.Source.Listing = sbom.Supplier{}, sbom.License{}, sbom.Checksums{}
	bare.Source.URI, bare.Direct, bare.Modules[0].License.Expression = "https://app.example.com", nil, ""
	for i := range bare.Binaries {
		bare.Binaries[i].MainVersion = "(devel)"
	}
	for name, f := range map[string]sbom.Facts{"small": smallFacts(), "bare": bare} {
		data := write(t, f)
		golden := filepath.Join("testdata", name+".spdx.json")
		if *update {
			if err := os.WriteFile(golden, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(data)); diff != "" {
			t.Errorf("%s differs (-want +got), run with -update if it should:\n%s", golden, diff)
		}
	}
}

func TestReadReturnsWhatWasWritten(t *testing.T) {
	for name, change := range map[string]func(*sbom.Facts){
		"as it is":        func(*sbom.Facts) {},
		"no import graph": func(f *sbom.Facts) { f.Direct = nil },
		"no modules": func(f *sbom.Facts) {
			f.Binaries[0].Modules, f.Binaries[1].Modules, f.Modules, f.Direct = nil, nil, nil, nil
		},
		"two main versions": func(f *sbom.Facts) {
			f.Binaries[0].MainVersion = "v1.4.3-0.20260302000203-c0ffee00c0ff"
		},
		"main at the root":   func(f *sbom.Facts) { f.Binaries[0].MainPackage = f.Module },
		"sha256 git":         func(f *sbom.Facts) { f.Source.GitCommit, f.Source.GitTree = hex256("c"), hex256("t") },
		"experiments":        func(f *sbom.Facts) { f.Binaries[0].GoVersion = "go1.26.8 X:nocoverageredesign" },
		"tag of a directory": func(f *sbom.Facts) { f.Version = "sub/v1.4.2" },
		"vendored, without sums": func(f *sbom.Facts) {
			f.Binaries[0].Modules[0].Sum, f.Modules[1].Sum = "", ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := smallFacts()
			change(&f)
			got, err := sbom.Read(write(t, f))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wanted(f), got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestOrderOfFactsDoesNotMatter(t *testing.T) {
	want := write(t, smallFacts())
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		if got := write(t, shuffled(smallFacts(), r)); !bytes.Equal(got, want) {
			t.Fatalf("another order gives another document:\n%s", cmp.Diff(string(want), string(got)))
		}
	}
}

// TestEveryFactCounts changes one fact at a time: the bytes must change, and the
// namespace with them.
func TestEveryFactCounts(t *testing.T) {
	seen := map[string]string{string(write(t, smallFacts())): "nothing"}
	namespaces := map[string]bool{}
	for name, change := range map[string]func(*sbom.Facts){
		"project":         func(f *sbom.Facts) { f.Project = "other" },
		"version":         func(f *sbom.Facts) { f.Version = "v1.4.3" },
		"supplier":        func(f *sbom.Facts) { f.Supplier.Name = "Other" },
		"contact":         func(f *sbom.Facts) { f.Supplier.Email = "" },
		"uri":             func(f *sbom.Facts) { f.Source.URI = "https://example.com/app" },
		"commit":          func(f *sbom.Facts) { f.Source.GitCommit = strings.Repeat("1", 40) },
		"tree":            func(f *sbom.Facts) { f.Source.GitTree = strings.Repeat("1", 40) },
		"time":            func(f *sbom.Facts) { f.Source.CommitTime = f.Source.CommitTime.Add(1e9) },
		"dirty":           func(f *sbom.Facts) { f.Source.Dirty = true },
		"license":         func(f *sbom.Facts) { f.Source.License.Expression = "MIT" },
		"copyright":       func(f *sbom.Facts) { f.Source.License.Copyright = "" },
		"source listing":  func(f *sbom.Facts) { f.Source.Listing = sbom.List(nil) },
		"tool":            func(f *sbom.Facts) { f.Tool = "rollproof-v1.0.1" },
		"toolchain files": func(f *sbom.Facts) { f.Toolchain.Listing = sbom.List(nil) },
		"binary path":     func(f *sbom.Facts) { f.Binaries[0].Path = "bin/x" },
		"binary name":     func(f *sbom.Facts) { f.Binaries[0].Name = "x" },
		"binary sha256":   func(f *sbom.Facts) { f.Binaries[0].SHA256 = hex256("x") },
		"binary sha512":   func(f *sbom.Facts) { f.Binaries[0].SHA512 = hex512("x") },
		"binary size":     func(f *sbom.Facts) { f.Binaries[0].Size++ },
		"binary os":       func(f *sbom.Facts) { f.Binaries[0].OS = "plan9" },
		"binary arch":     func(f *sbom.Facts) { f.Binaries[0].Arch = "riscv64" },
		"main package":    func(f *sbom.Facts) { f.Binaries[0].MainPackage = "github.com/example/app/cmd/x" },
		"main version":    func(f *sbom.Facts) { f.Binaries[0].MainVersion = "v1.4.4" },
		"module less":     func(f *sbom.Facts) { f.Binaries[1].Modules = f.Binaries[1].Modules[:1] },
		"module version": func(f *sbom.Facts) {
			f.Binaries[0].Modules[0].Version, f.Modules[1].Version, f.Direct[2].Version = "v2.0.1+incompatible", "v2.0.1+incompatible", "v2.0.1+incompatible"
		},
		"module sum":     func(f *sbom.Facts) { f.Binaries[0].Modules[0].Sum, f.Modules[1].Sum = sumC, sumC },
		"replaced":       func(f *sbom.Facts) { f.Binaries[0].Modules[1].Replace.Sum, f.Modules[2].Sum = "", "" },
		"zip sha256":     func(f *sbom.Facts) { f.Modules[0].ZipSHA256 = hex256("x") },
		"zip sha512":     func(f *sbom.Facts) { f.Modules[0].ZipSHA512 = "" },
		"module license": func(f *sbom.Facts) { f.Modules[0].License.Expression = "MIT" },
		"import less":    func(f *sbom.Facts) { f.Modules[0].DependsOn = f.Modules[0].DependsOn[:1] },
		"direct less":    func(f *sbom.Facts) { f.Direct = f.Direct[:2] },
		"no graph":       func(f *sbom.Facts) { f.Direct = nil },
		"std license": func(f *sbom.Facts) {
			f.Modules = append(f.Modules, sbom.Module{Path: "std", License: sbom.License{Expression: "MIT"}})
		},
		"license text": func(f *sbom.Facts) {
			f.Modules[1].License = sbom.License{Expression: refOf("x"), Extracted: []sbom.ExtractedText{{ID: refOf("x"), Text: "x"}}}
		},
	} {
		f := smallFacts()
		change(&f)
		data := write(t, f)
		if other, ok := seen[string(data)]; ok {
			t.Errorf("changing %s gives the same document as changing %s", name, other)
		}
		seen[string(data)] = name
		if _, err := sbom.Read(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var d v2_3.Document
		if err := json.Unmarshal(data, &d); err != nil {
			t.Fatal(err)
		}
		if namespaces[d.DocumentNamespace] {
			t.Errorf("%s: namespace %s again", name, d.DocumentNamespace)
		}
		namespaces[d.DocumentNamespace] = true
	}
}

// TestToolsReadOurBytes lets the SPDX library read a document and write it again.
func TestToolsReadOurBytes(t *testing.T) {
	data := write(t, smallFacts())
	var d v2_3.Document
	if err := spdxjson.ReadInto(bytes.NewReader(data), &d); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := spdxjson.Write(&d, &again, spdxjson.Indent("  "), spdxjson.EscapeHTML(false)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), again.String()); diff != "" {
		t.Errorf("the SPDX library reads something else (-ours +its):\n%s", diff)
	}
}

// TestListIsWhatSha256sumPrints follows the recipe of the package comment with
// the real tools.
func TestListIsWhatSha256sumPrints(t *testing.T) {
	dir := t.TempDir()
	var files []sbom.Listed
	for _, name := range []string{"b", "a.exe", "B", "a", "new\nline", `back\slash`, "ünicode"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, sbom.Listed{Path: name, SHA256: hex256(name)})
	}
	want := sbom.List(files)
	for tool, want := range map[string]string{"sha256sum": want.SHA256, "sha512sum": want.SHA512} {
		cmd := exec.Command("sh", "-c", "LC_ALL=C; export LC_ALL; sha256sum * | "+tool)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", tool, err)
		}
		if got, _, _ := strings.Cut(string(out), " "); got != want {
			t.Errorf("List gives %s, %s %s", want, tool, got)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*sbom.Facts)
		want   string
	}{
		"no binary": {func(f *sbom.Facts) { f.Binaries = nil }, "at least one binary"},
		"project":   {func(f *sbom.Facts) { f.Project = "a b" }, `project is "a b"`},
		"version":   {func(f *sbom.Facts) { f.Version = "" }, "version"},
		"module":    {func(f *sbom.Facts) { f.Module = "../app" }, "module"},
		"tool":      {func(f *sbom.Facts) { f.Tool = "rollproof" }, "tool"},
		"commit":    {func(f *sbom.Facts) { f.Source.GitCommit = "main" }, "source commit"},
		"tree":      {func(f *sbom.Facts) { f.Source.GitTree = "" }, "source tree"},
		"time": {func(f *sbom.Facts) {
			f.Source.CommitTime = time.Time{}
		}, "commit time"},
		"uri":               {func(f *sbom.Facts) { f.Source.URI = "https://a\nb" }, "source URI"},
		"toolchain":         {func(f *sbom.Facts) { f.Toolchain.Version = "1.26.8" }, "toolchain"},
		"supplier":          {func(f *sbom.Facts) { f.Supplier.Name = `Ada "Labs"` }, "supplier name"},
		"supplier brackets": {func(f *sbom.Facts) { f.Supplier.Name = `Ada (UK) Ltd` }, "supplier name"},
		"supplier bidi":     {func(f *sbom.Facts) { f.Supplier.Name = "Ada\u202e" }, "supplier name"},
		"same path":         {func(f *sbom.Facts) { f.Binaries[0].Path = f.Binaries[1].Path }, "two binaries"},
		"same path, apart": {func(f *sbom.Facts) {
			f.Binaries = append(f.Binaries, f.Binaries[0])
			f.Binaries[0].Path, f.Binaries[2].Path = "bin/z", "bin/z"
		}, "two binaries"},
		"replaced with a sum":  {func(f *sbom.Facts) { f.Binaries[0].Modules[1].Sum = sumA }, "expected one or none"},
		"directory with a sum": {func(f *sbom.Facts) { f.Binaries[0].Modules[2].Replace.Sum = sumA }, "expected no sum"},
		"escaping path":        {func(f *sbom.Facts) { f.Binaries[0].Path = "bin/../x" }, "binary path"},
		"digest":               {func(f *sbom.Facts) { f.Binaries[0].SHA256 = strings.ToUpper(hex256("x")) }, "sha256"},
		"no sha512":            {func(f *sbom.Facts) { f.Binaries[0].SHA512 = "" }, "sha512"},
		"size":                 {func(f *sbom.Facts) { f.Binaries[0].Size = 0 }, "size"},
		"foreign main":         {func(f *sbom.Facts) { f.Binaries[0].MainPackage = "github.com/example/application" }, "is not in module"},
		"other toolchain":      {func(f *sbom.Facts) { f.Binaries[0].GoVersion = "go1.26.7" }, "expected the toolchain go1.26.8"},
		"no facts":             {func(f *sbom.Facts) { f.Modules = f.Modules[1:] }, "there are no facts"},
		"facts twice":          {func(f *sbom.Facts) { f.Modules = append(f.Modules, f.Modules[0]) }, "given twice"},
		"other sum":            {func(f *sbom.Facts) { f.Modules[1].Sum = sumC }, "go.sum has"},
		"two sums":             {func(f *sbom.Facts) { f.Binaries[1].Modules[0].Sum = "" }, "linked in two ways"},
		"h1 as digest":         {func(f *sbom.Facts) { f.Modules[0].ZipSHA256 = sumA }, "zip sha256"},
		"zip without sum":      {func(f *sbom.Facts) { f.Modules[0].Sum = "" }, "zip digests without"},
		"zip of a directory":   {func(f *sbom.Facts) { f.Modules[3].Sum, f.Modules[3].ZipSHA256 = sumA, hex256("x") }, "replaced by a directory"},
		"unlinked import":      {func(f *sbom.Facts) { f.Direct[1].Version = "v9.0.0" }, "which no binary links"},
		"local path":           {func(f *sbom.Facts) { f.Binaries[0].Modules[0].Path = "./lib" }, "module path"},
		"expression":           {func(f *sbom.Facts) { f.Source.License.Expression = "MIT Or ISC" }, "license expression"},
		"expression spacing":   {func(f *sbom.Facts) { f.Source.License.Expression = "MIT  AND ISC" }, "is not written as"},
		"missing text":         {func(f *sbom.Facts) { f.Source.License.Expression = "LicenseRef-0123456789abcdef" }, "no text"},
		"wrong text":           {func(f *sbom.Facts) { f.Modules[1].License.Extracted[0].Text += "x" }, "the text is that of"},
		"unused text": {func(f *sbom.Facts) {
			f.Source.License.Extracted = []sbom.ExtractedText{{ID: refOf("x"), Text: "x"}}
		}, "no license expression uses"},
		"carriage return": {func(f *sbom.Facts) {
			f.Modules[1].License.Extracted[0] = sbom.ExtractedText{ID: refOf("x\r\n"), Text: "x\r\n"}
		}, "LF line ends"},
	} {
		t.Run(name, func(t *testing.T) {
			f := smallFacts()
			test.change(&f)
			_, err := sbom.Write(f)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func BenchmarkWritePerBinary(b *testing.B) {
	f := wideFacts(12, 100)
	for b.Loop() {
		write(b, f)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N*len(f.Binaries)), "ms/binary")
}

func BenchmarkRead(b *testing.B) {
	data := write(b, wideFacts(12, 100))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := sbom.Read(data); err != nil {
			b.Fatal(err)
		}
	}
}

// wideFacts makes a release of some binaries that all link the same modules.
func wideFacts(binaries, modules int) sbom.Facts {
	f := smallFacts()
	var linked []sbom.Linked
	f.Modules = nil
	for i := range modules {
		path := "github.com/example/module" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		linked = append(linked, sbom.Linked{Path: path, Version: "v1.0.0", Sum: sumA})
		m := sbom.Module{Path: path, Version: "v1.0.0", Sum: sumA, ZipSHA256: hex256(path), ZipSHA512: hex512(path),
			License: sbom.License{Expression: "MIT", Copyright: "Copyright 2024 Example"}, DependsOn: []sbom.ModuleName{{Path: "std"}}}
		for j := 0; j < i; j += 9 {
			m.DependsOn = append(m.DependsOn, sbom.ModuleName{Path: linked[j].Path, Version: "v1.0.0"})
		}
		f.Modules = append(f.Modules, m)
	}
	f.Direct = []sbom.ModuleName{{Path: "std"}, {Path: linked[0].Path, Version: "v1.0.0"}}
	first := f.Binaries[0]
	f.Binaries = nil
	for i := range binaries {
		b := first
		b.Path += string(rune('a' + i))
		b.Modules = linked
		f.Binaries = append(f.Binaries, b)
	}
	return f
}
