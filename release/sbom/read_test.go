package sbom_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/rollproof/rollproof/release/sbom"
)

var namespaceLine = regexp.MustCompile(`"documentNamespace": "([^"]*-)?[^"]*"`)

// reseal gives a changed document the namespace that its content has, so that a
// test reaches the check behind.
func reseal(data string) []byte {
	prefix := namespaceLine.FindStringSubmatch(data)[1]
	sum := sha256.Sum256([]byte(strings.Replace(data, namespaceLine.FindString(data), `"documentNamespace": ""`, 1)))
	return []byte(strings.Replace(data, namespaceLine.FindString(data), `"documentNamespace": "`+prefix+hex.EncodeToString(sum[:])+`"`, 1))
}

// cut removes what pattern matches, which must be there.
func cut(pattern string) func(string) string { return replaced(pattern, "") }

func replaced(pattern, with string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(s string) string {
		at := re.FindStringIndex(s)
		if at == nil {
			panic("nothing matches " + pattern)
		}
		return s[:at[0]] + re.ReplaceAllString(s[at[0]:at[1]], with) + s[at[1]:]
	}
}

func all(old, new string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, old, new) }
}

// project gives the release another name wherever it stands.
func project(name string) func(string) string {
	return func(s string) string {
		s = replaced(`"name": "app-v1`, `"name": "`+name+`-v1`)(s)
		s = replaced(`/spdx/app-`, "/spdx/"+name+"-")(s)
		return replaced(`"name": "app",\n(      "SPDXID": "SPDXRef-Release")`, `"name": "`+name+"\",\n$1")(s)
	}
}

// noBinary removes all binaries and what refers to them.
func noBinary(s string) string {
	entry := regexp.MustCompile(`(?s)    \{\n      "name": "app",\n      "SPDXID": "SPDXRef-Binary[^\n]*\n.*?\n    \},\n`)
	related := regexp.MustCompile(`    \{\n      "spdxElementId": "SPDXRef-Binary[^}]*\},\n|    \{\n[^\n]*\n      "relatedSpdxElement": "SPDXRef-Binary[^}]*\},?\n`)
	return replaced(`\},\n  \]\n\}\n$`, "}\n  ]\n}\n")(related.ReplaceAllString(entry.ReplaceAllString(s, ""), ""))
}

func TestReadRefusesHostileJSON(t *testing.T) {
	good := string(write(t, smallFacts()))
	if !bytes.Equal(reseal(good), []byte(good)) {
		t.Fatal("the test does not know how a namespace is made")
	}
	for name, test := range map[string]struct{ data, want string }{
		"nothing":               {"", "not a JSON object"},
		"null":                  {"null\n", "not a JSON object"},
		"array":                 {"[" + good + "]", "not a JSON object"},
		"text":                  {`"spdx"`, "not a JSON object"},
		"empty object":          {"{}\n", "not the exact encoding"},
		"cut off":               {good[:len(good)/2], "unexpected end"},
		"byte order mark":       {"\ufeff" + good, "not a JSON object"},
		"not UTF-8":             {strings.Replace(good, "Example GmbH", "Example\xff", 1), "not UTF-8"},
		"UTF-16":                {"\xff\xfe{\x00", "not UTF-8"},
		"no final LF":           {strings.TrimSuffix(good, "\n"), "not the exact encoding"},
		"two final LFs":         {good + "\n", "not the exact encoding"},
		"another document":      {good + good, "invalid character"},
		"CRLF":                  {strings.ReplaceAll(good, "\n", "\r\n"), "not the exact encoding"},
		"re-spaced":             {strings.Replace(good, `": "`, `" : "`, 1), "not the exact encoding"},
		"compact":               {strings.Join(strings.Fields(good), " "), "not the exact encoding"},
		"escaped":               {strings.Replace(good, "<ada@", `\u003cada@`, 1), "not the exact encoding"},
		"escaped solidus":       {strings.Replace(good, "https://", `https:\/\/`, 1), "not the exact encoding"},
		"lone surrogate":        {strings.Replace(good, "Example GmbH", `\ud800`, 1), "not the exact encoding"},
		"duplicate key":         {strings.Replace(good, `  "dataLicense"`, `  "dataLicense": "CC0-1.0",`+"\n"+`  "dataLicense"`, 1), "not the exact encoding"},
		"duplicate packages":    {strings.Replace(good, "\n}\n", ",\n  \"packages\": []\n}\n", 1), "not the exact encoding"},
		"case-folded key":       {strings.Replace(good, `"downloadLocation"`, `"downloadlocation"`, 1), "not the exact encoding"},
		"folded by Unicode":     {strings.Replace(good, `"checksums"`, `"checKsums"`, 1), "not the exact encoding"},
		"other order":           {swapFields(good), "not the exact encoding"},
		"unknown field":         {strings.Replace(good, `"versionInfo"`, `"versionInfos"`, 1), `the nearest known name is "versionInfo"`},
		"unknown, far away":     {strings.Replace(good, `  "packages": [`, `  "`+strings.Repeat("x", 5000)+`": 1,`+"\n"+`  "packages": [`, 1), "unknown field"},
		"files":                 {strings.Replace(good, `  "packages": [`, `  "files": [],`+"\n"+`  "packages": [`, 1), "unknown field"},
		"wrong type":            {strings.Replace(good, `"filesAnalyzed": false`, `"filesAnalyzed": "false"`, 1), "cannot unmarshal"},
		"null field":            {strings.Replace(good, `"filesAnalyzed": false`, `"filesAnalyzed": null`, 1), "not the exact encoding"},
		"deep":                  {`{"packages": ` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}", "nested deeper than"},
		"very deep":             {`{"packages": ` + strings.Repeat(`{"a":`, 5_000_000), "nested deeper than"},
		"huge":                  {good + strings.Repeat(" ", sbom.MaxSize), "at most 67108864"},
		"bomb of packages":      {`{"packages": [` + strings.Repeat("{},", 2_000_000) + "{}]}", "more than any SPDX document"},
		"bomb of creators":      {`{"creationInfo": {"creators": [` + strings.Repeat(`"",`, 2_000_000) + `""]}}`, "more than any SPDX document"},
		"bomb of relationships": {`{"relationships": [` + strings.Repeat(`{"spdxElementId":""},`, 300_000) + "{}]}", "more than any SPDX document"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := sbom.Read([]byte(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			} else if len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func swapFields(s string) string {
	return regexp.MustCompile(`(  "dataLicense": .*\n)(  "SPDXID": .*\n)`).ReplaceAllString(s, "$2$1")
}

// TestReadRefusesLies changes what a good document says, in its exact encoding and
// with the namespace that belongs to it.
func TestReadRefusesLies(t *testing.T) {
	good := string(write(t, smallFacts()))
	relationship := func(from, kind, to string) string {
		return `(?s)    \{\n      "spdxElementId": "SPDXRef-` + from + `[^"]*",\n      "relatedSpdxElement": "` + to + `[^"]*",\n      "relationshipType": "` + kind + "\"\n    \\},\n"
	}
	for name, test := range map[string]struct {
		change func(string) string
		want   string
	}{
		"other SPDX version":      {replaced(`SPDX-2\.3`, "SPDX-2.2"), "spdxVersion"},
		"other data license":      {replaced(`CC0-1\.0`, "MIT"), "dataLicense"},
		"other document id":       {replaced(`SPDXRef-DOCUMENT`, "SPDXRef-DOC"), "SPDXID"},
		"other name":              {replaced(`"name": "app-v1\.4\.2"`, `"name": "app-v1.4.3"`), "document is named"},
		"a person made it":        {replaced(`"Organization: `, `"Person: `), "creators"},
		"no tool":                 {replaced(`,\n      "Tool: [^"]*"`, ""), "creators"},
		"created in another form": {replaced(`"created": "[^"]*"`, `"created": "2026-03-02T00:02:03.5Z"`), "created"},
		"created elsewhere":       {replaced(`"created": "[^"]*"`, `"created": "2026-03-02T01:02:03+01:00"`), "created"},

		"version":               {replaced(`"versionInfo": "v1\.4\.2"`, `"versionInfo": "v1.4.3"`), "versionInfo"},
		"release name":          {replaced(`"name": "app",\n(      "SPDXID": "SPDXRef-Release")`, "\"name\": \"other\",\n$1"), "document is named"},
		"binary purl":           {replaced(`goos=windows`, "goos=plan9"), "externalRefs"},
		"binary purl subpath":   {replaced(`#cmd/app`, "#cmd/ape"), "externalRefs"},
		"module purl version":   {replaced(`Semver/sub/v3@v3\.1\.0"`, `Semver/sub/v3@v3.1.1"`), "externalRefs"},
		"module purl case":      {replaced(`pkg:golang/github.com/Example/Semver`, `pkg:golang/github.com/example/semver`), "externalRefs"},
		"std purl":              {replaced(`pkg:golang/stdlib@1\.26\.8`, `pkg:golang/stdlib@1.26.9`), "externalRefs"},
		"toolchain version":     {replaced(`pkg:golang/toolchain@1\.26\.8`, `pkg:golang/toolchain@1.26.9`), "externalRefs"},
		"commit":                {replaced(`gitoid:commit:sha1:c0ff`, `gitoid:commit:sha1:C0ff`), "source commit"},
		"tree is a blob":        {replaced(`gitoid:tree:`, `gitoid:blob:`), "externalRefs"},
		"no commit":             {replaced(`(?s),\n        \{\n          "referenceCategory": "PERSISTENT-ID".*?\}`, ""), "external references"},
		"binary digest":         {replaced(`"checksumValue": "6273f2fa`, `"checksumValue": "6273f2fb`), "the listing of the binaries"},
		"release digest":        {replaced(`01a634e3425af964`, `01a634e3425af965`), "the listing of the binaries"},
		"digest in upper case":  {replaced(`"checksumValue": "6273f2fa`, `"checksumValue": "6273F2FA`), "sha256"},
		"algorithm":             {replaced(`"algorithm": "SHA256"`, `"algorithm": "MD5"`), "checksums"},
		"checksum twice":        {replaced(`"algorithm": "SHA512"`, `"algorithm": "SHA256"`), "checksums"},
		"size":                  {replaced(`size 4096`, `size -4096`), "size"},
		"size is text":          {replaced(`size 4096`, `size 4096kB`), "comment"},
		"size with a plus":      {replaced(`size 4096`, `size +4096`), "comment"},
		"go version":            {replaced(`goVersion go1\.26\.8`, `goVersion go1.26.7`), "expected the toolchain"},
		"main package":          {replaced(`mainPackage github.com/example/app/`, `mainPackage github.com/other/app/`), "is not in module"},
		"platform":              {replaced(`platform linux/amd64`, `platform linux/arm64`), "externalRefs"},
		"comment twice":         {replaced(`(size 4096)`, `$1\n$1`), "comment"},
		"comment of a stranger": {replaced(`(dirHash h1:A)`, `trusted yes\n$1`), "comment"},
		"dirHash":               {replaced(`dirHash h1:A`, `dirHash h1:D`), "SPDXID"},
		"dirHash malformed":     {replaced(`dirHash h1:AA`, `dirHash h1:`), "sum"},
		"dirHash left out":      {cut(`      "comment": "dirHash h1:A[^"]*",\n`), "SPDXID"},
		"replaced path":         {replaced(`replaces golang.org/x/sys`, `replaces golang.org/x/net`), "SPDXID"},
		"replacing directory":   {replaced(`\\ndirectory \./lib`, `\ndirectory ./libs`), "SPDXID"},
		"path in the package":   {replaced(`"packageFileName": "bin/app_v1`, `"packageFileName": "bin/../app_v1`), "binary path"},
		"files analyzed":        {replaced(`"filesAnalyzed": false`, `"filesAnalyzed": true`), "filesAnalyzed"},
		"purpose":               {replaced(`"primaryPackagePurpose": "LIBRARY"`, `"primaryPackagePurpose": "OTHER"`), "primaryPackagePurpose"},
		"supplier":              {replaced(`"supplier": "Organization: `, `"supplier": "Person: `), "supplier"},
		"no location":           {replaced(`"downloadLocation": "[^"]*"`, `"downloadLocation": ""`), "downloadLocation"},

		"license":              {replaced(`"licenseDeclared": "Apache-2.0"`, `"licenseDeclared": "Apache 2.0"`), "license expression"},
		"empty license":        {replaced(`"licenseDeclared": "Apache-2.0"`, `"licenseDeclared": ""`), "license expression"},
		"license without text": {replaced(`"licenseDeclared": "Apache-2.0"`, `"licenseDeclared": "LicenseRef-0123456789abcdef"`), "texts are missing"},
		"text changed":         {replaced(`Ask Ada`, `Ask Eve`), "the text is that of"},
		"text left out":        {cut(`(?s)  "hasExtractedLicensingInfos": \[.*?\n  \],\n`), "texts are missing"},
		"text twice":           {replaced(`(?s)(    \{\n      "licenseId": .*?\n    \})`, "$1,\n$1"), "each once and in order"},

		"module digest":          {replaced(`"checksumValue": "4a70fe9a`, `"checksumValue": "4A70fe9a`), "sha256"},
		"text unused":            {all("LicenseRef-a6cdc320edd5afc7 AND MIT", "MIT"), "no license expression uses it"},
		"text with a name":       {replaced(`"name": "NOASSERTION"`, `"name": "Ada's License"`), "it has the name"},
		"file name of a set":     {replaced(`("SPDXID": "SPDXRef-Std",\n.*\n)`, "$1      \"packageFileName\": \"std.zip\",\n"), "packageFileName"},
		"name of Go":             {replaced(`"name": "go"`, `"name": "gopher"`), `name is "gopher"`},
		"tree":                   {replaced(`gitoid:tree:sha1:ab12`, `gitoid:tree:sha1:AB12`), "source tree"},
		"version of the source":  {all(`"versionInfo": "v1.4.2"`, `"versionInfo": "v1.4 2"`), "^version is"},
		"toolchain, everywhere":  {all("1.26.8", "x"), "^toolchain is"},
		"project, everywhere":    {project("a b"), "^project is"},
		"purpose of the release": {replaced(`(?s)("SPDXID": "SPDXRef-Release".*?"primaryPackagePurpose": )"APPLICATION"`, `$1"LIBRARY"`), "primaryPackagePurpose"},
		"no binary":              {noBinary, "no package is a binary"},

		"package of another kind": {replaced(`"SPDXID": "SPDXRef-Toolchain"`, `"SPDXID": "SPDXRef-Toolchains"`), "SPDXRef-Toolchain is missing"},
		"package left out":        {cut(`(?s)    \{\n      "name": "std".*?\n    \},\n`), "SPDXRef-Std is missing"},
		"module left out":         {cut(`(?s)    \{\n      "name": "example.com/lib".*?\n    \},\n`), "does not belong"},
		"package twice":           {replaced(`(?s)(    \{\n      "name": "std".*?\n    \},\n)`, "$1$1"), "each once and in order"},
		"packages out of order":   {replaced(`(?s)(    \{\n      "name": "app",\n      "SPDXID": "SPDXRef-Release".*?\n    \},\n)(.*?\n    \},\n)`, "$2$1"), "each once and in order"},
		"strange package":         {replaced(`(?s)    \{\n(      "name": "std",\n)      "SPDXID": "SPDXRef-Std"(.*?\n    \},\n)`, "    {\n$1      \"SPDXID\": \"SPDXRef-Stc\"$2    {\n$1      \"SPDXID\": \"SPDXRef-Std\"$2"), "neither the release"},
		"tool":                    {replaced(`"Tool: rollproof-v1.0.0"`, `"Tool: rollproof"`), "tool"},
		"long identifier":         {replaced(`"SPDXID": "SPDXRef-Binary`, `"SPDXID": "SPDXRef-Binary`+strings.Repeat("x", 100_000)), "SPDXID has"},
		"long name":               {replaced(`("name": "app)",`, "${1}"+strings.Repeat("x", 100_000)+`",`), "name has"},
		"long version":            {replaced(`goVersion go1.26.8`, "goVersion go1.26.8 "+strings.Repeat("x", 100_000)), "go version is"},
		"long relationship":       {replaced(`"spdxElementId": "SPDXRef-Binary`, `"spdxElementId": "`+strings.Repeat("x", 100_000)), "is missing|does not belong"},
		"long license":            {replaced(`"licenseDeclared": "`, `"licenseDeclared": "`+strings.Repeat("(", 50_000)), "license expression"},
		"identifier": {func(s string) string {
			return strings.ReplaceAll(s, "linux-amd64-6273f2fa5a3cfc42", "linux-amd64-6273f2fa5a3cfc43")
		}, "SPDXID"},

		"no DESCRIBES":       {cut(relationship("DOCUMENT", "DESCRIBES", "SPDXRef-Release")), "is missing"},
		"describes a binary": {replaced(`"relatedSpdxElement": "SPDXRef-Release"`, `"relatedSpdxElement": "SPDXRef-Source"`), "does not belong|is missing"},
		"link left out":      {cut(relationship("Binary", "STATIC_LINK", "SPDXRef-Module")), "is missing|does not belong"},
		"module hidden in one": {func(s string) string {
			return cut(relationship("Binary", "DEPENDS_ON", "SPDXRef-Module"))(cut(relationship("Binary", "STATIC_LINK", "SPDXRef-Module"))(s))
		}, "linked into no binary"},
		"std not linked":          {cut(relationship("Binary", "DEPENDS_ON", "SPDXRef-Std")), "is missing"},
		"binary not in release":   {cut(relationship("Release", "DEPENDS_ON", "SPDXRef-Binary")), "is missing"},
		"binary not contained":    {cut(relationship("Release", "CONTAINS", "SPDXRef-Binary")), "is missing"},
		"no build tool":           {cut(relationship("Toolchain", "BUILD_TOOL_OF", "SPDXRef-Binary")), "is missing"},
		"not generated":           {cut(relationship("Binary", "GENERATED_FROM", "SPDXRef-Source")), "is missing"},
		"relationship twice":      {replaced("("+relationship("DOCUMENT", "DESCRIBES", "SPDXRef-Release")+")", "$1$1"), "does not belong"},
		"another kind":            {replaced(`"relationshipType": "GENERATED_FROM"`, `"relationshipType": "VARIANT_OF"`), "is missing|does not belong"},
		"leaf without NONE":       {cut(`(?s)    \{\n      "spdxElementId": "SPDXRef-Std".*?\n    \},\n`), "is missing"},
		"import of itself":        {replaced(`("spdxElementId": "(SPDXRef-Module-github[^"]*)",\n      "relatedSpdxElement": ")SPDXRef-Module-example[^"]*`, "$1$2"), "does not belong"},
		"import of a binary":      {replaced(`("spdxElementId": "SPDXRef-Module-github[^"]*",\n      "relatedSpdxElement": ")SPDXRef-Module-example[^"]*`, "${1}SPDXRef-Release"), "does not belong"},
		"graph known in part":     {replaced(`("spdxElementId": "SPDXRef-Module-github[^"]*",\n      "relatedSpdxElement": ")SPDXRef-Module-example[^"]*`, "${1}NOASSERTION"), "does not belong|is missing"},
		"relationships reordered": {replaced("("+relationship("Binary", "DEPENDS_ON", "SPDXRef-Module")+")("+relationship("Binary", "DEPENDS_ON", "SPDXRef-Module")+")", "$2$1"), "does not belong|is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := test.change(good)
			if changed == good {
				t.Fatal("the change changes nothing")
			}
			_, err := sbom.Read(reseal(changed))
			if err == nil || !regexp.MustCompile(test.want).MatchString(err.Error()) {
				t.Errorf("error %.2000v, want one with %q", err, test.want)
			} else if len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
	if _, err := sbom.Read([]byte(strings.Replace(good, "Apache-2.0", "MIT", 2))); err == nil || !strings.Contains(err.Error(), "documentNamespace") {
		t.Errorf("a change that the namespace does not follow: %v", err)
	}
	elsewhere := reseal(replaced(`"documentNamespace": "https://github.com/example/app/`, `"documentNamespace": "https://github.com/other/app/`)(good))
	if _, err := sbom.Read(elsewhere); err == nil || !strings.Contains(err.Error(), "documentNamespace") {
		t.Errorf("a namespace of somebody else: %v", err)
	}
}

// TestEveryFlippedByteIsRefused flips one bit of every byte, and removes it.
func TestEveryFlippedByteIsRefused(t *testing.T) {
	f := smallFacts()
	f.Binaries, f.Modules, f.Direct = f.Binaries[1:], f.Modules[:1], nil
	f.Binaries[0].Modules, f.Modules[0].DependsOn = f.Binaries[0].Modules[:1], nil
	good := write(t, f)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if _, err := sbom.Read(bad); err == nil {
			t.Fatalf("byte %d changed from %q to %q and nobody noticed", i, good[i], bad[i])
		}
		bad = append(bytes.Clone(good[:i]), good[i+1:]...)
		if _, err := sbom.Read(bad); err == nil {
			t.Fatalf("byte %d (%q) removed and nobody noticed", i, good[i])
		}
	}
}

// TestMemoryIsBounded reads the worst documents that pass the shape check.
func TestMemoryIsBounded(t *testing.T) {
	const size = 8 << 20
	pad := func(unit string, each int) string { return unit + strings.Repeat(" ", each-len(unit)) }
	for name, data := range map[string]string{
		"packages": `{"packages": [` + strings.Repeat(pad("{},", 97), size/97) + "{}]}",
		"creators": `{"creationInfo": {"creators": [` + strings.Repeat(pad(`"",`, 17), size/17) + `""]}}`,
		"refused":  `{"packages": [` + strings.Repeat("{},", size/3) + "{}]}",
		"text":     `{"comment": "` + strings.Repeat(`\n`, size/2) + `"}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := sbom.Read([]byte(data))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 24*size {
			t.Errorf("%s: %d MiB allocated in all for a document of %d MiB", name, used>>20, size>>20)
		}
	}
}

func FuzzReadNeverPanics(f *testing.F) {
	f.Add(write(f, smallFacts()))
	none := smallFacts()
	none.Direct, none.Modules, none.Binaries = nil, nil, none.Binaries[:1]
	none.Binaries[0].Modules = nil
	f.Add(write(f, none))
	f.Add(reseal(noBinary(string(write(f, smallFacts())))))
	f.Add([]byte(`{"spdxVersion": "SPDX-2.3", "packages": [null, {"SPDXID": "SPDXRef-Binary-"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := sbom.Read(data); err == nil {
			if len(d.Binaries) == 0 || d.Project == "" || d.Version == "" || d.GitCommit == "" {
				t.Errorf("accepted without a fact: %+v", d)
			}
		}
	})
}

// FuzzReadAgreesWithOtherReaders edits a good document and gives it the namespace
// that belongs to it. What Read accepts must say to another SPDX reader what Read
// took from it: the same binaries, and the same modules in each.
func FuzzReadAgreesWithOtherReaders(f *testing.F) {
	good := string(write(f, smallFacts()))
	f.Add(100, 3, "x")
	f.Add(strings.Index(good, "NOASSERTION"), 11, "MIT")
	f.Add(strings.Index(good, "SHA512"), 6, "MD5")
	f.Fuzz(func(t *testing.T, at, length int, with string) {
		if at < 0 || length < 0 || at > len(good) || length > len(good)-at {
			t.Skip()
		}
		changed := good[:at] + with + good[at+length:]
		if !namespaceLine.MatchString(changed) {
			t.Skip()
		}
		data := reseal(changed)
		got, err := sbom.Read(data)
		if err != nil {
			return
		}
		var d v2_3.Document
		if err := spdxjson.ReadInto(bytes.NewReader(data), &d); err != nil {
			t.Fatalf("Read accepts what the SPDX library refuses: %v", err)
		}
		if diff := cmp.Diff(contentOf(got), contentFor(&d)); diff != "" {
			t.Errorf("changing %q to %q is read in two ways (-Read +other):\n%s", good[at:at+length], with, diff)
		}
	})
}

// contentOf lists the binaries and the modules in each, one a line.
func contentOf(d *sbom.Document) []string {
	var lines []string
	for _, b := range d.Binaries {
		lines = append(lines, b.Path+" "+b.SHA256)
		for _, m := range b.Modules {
			path, version := m.Path, m.Version
			if m.Replace.Version != "" {
				version = m.Replace.Version
			}
			if version != "(devel)" && m.Replace.Path != "" {
				path = m.Replace.Path
			}
			lines = append(lines, b.Path+" links "+path+" "+version)
		}
	}
	slices.Sort(lines)
	return lines
}

// contentFor lists the same from the SPDX library's point of view.
func contentFor(d *v2_3.Document) []string {
	var lines []string
	packages := map[common.ElementID]*v2_3.Package{}
	for _, p := range d.Packages {
		packages[p.PackageSPDXIdentifier] = p
		if p.PackageFileName != "" {
			lines = append(lines, p.PackageFileName+" "+p.PackageChecksums[0].Value)
		}
	}
	for _, r := range d.Relationships {
		if from, to := packages[r.RefA.ElementRefID], packages[r.RefB.ElementRefID]; r.Relationship == "STATIC_LINK" && to.PackageName != "std" {
			lines = append(lines, from.PackageFileName+" links "+to.PackageName+" "+to.PackageVersion)
		}
	}
	slices.Sort(lines)
	return lines
}
