package osv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
)

var update = flag.Bool("update", false, "write the golden files again")

func facts() Facts {
	return Facts{
		Release: release.Identity{Project: "tiny", Version: "v1.2.3", Module: "example.com/tiny", Source: release.SourceIdentity{
			URI: "https://example.com/tiny", GitCommit: strings.Repeat("a", 40), GitTree: strings.Repeat("b", 40), CommitTime: "2026-01-02T03:04:05Z",
		}},
		ManifestDigest: "sha256:" + strings.Repeat("1", 64),
		Binaries: []Binary{
			{Path: "bin/tiny_v1.2.3_linux_amd64", SHA256: strings.Repeat("2", 64), GoVersion: "go1.26.8", MainVersion: "v1.2.3", Modules: []Module{{Path: "example.com/dep", Version: "v1.1.0"}}},
			{Path: "bin/tiny_v1.2.3_windows_amd64.exe", SHA256: strings.Repeat("3", 64), GoVersion: "go1.26.8", MainVersion: "v1.2.3"},
		},
	}
}

func database(t testing.TB) *Database {
	t.Helper()
	var d Database
	if err := d.AddFS(context.Background(), os.DirFS("testdata/db")); err != nil {
		t.Fatal(err)
	}
	return &d
}

func scan(t testing.TB, d *Database, f Facts, opts Options) *Report {
	t.Helper()
	r, err := Scan(d, f, opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Encode(); err != nil {
		t.Error(err)
	}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s:\n%s", name, diff)
	}
}

var start = time.Date(2026, 3, 1, 9, 0, 0, 500, time.FixedZone("", 3600))

// The report, the in-toto predicate and the OpenVEX document of one scan.
func TestGoldenDocuments(t *testing.T) {
	r := scan(t, database(t), facts(), Options{})
	report, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", report)
	statement, err := envelope.Encode(NewStatement(r, "v1.4.2", start, start.Add(3*time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "vulns.json", statement)
	vex, err := r.VEX("ada@example.com", "v1.4.2", start)
	if err != nil {
		t.Fatal(err)
	}
	document, err := envelope.Encode(vex)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "openvex.json", document)
}

// Aliases are one finding with the gravest level; withdrawn entries and those of other
// ecosystems are none.
func TestAliasesAreOneFinding(t *testing.T) {
	r := scan(t, database(t), facts(), Options{})
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %v %s %s %s %v", f.ID, f.Aliases, f.Module, f.Version, f.Level, f.FixedIn))
	}
	want := []string{
		"GO-2026-9001 [CVE-2026-99001 GHSA-aaaa-bbbb-cccc] example.com/dep v1.1.0 high [v1.1.1]",
		"GO-2026-9003 [] stdlib go1.26.8 low [v1.26.9]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r.Result != "fail" || r.Failed != 2 || len(r.NotChecked) != 0 {
		t.Errorf("%s, %d failed, %v", r.Result, r.Failed, r.NotChecked)
	}
	if r.Database.Entries != 5 || r.Database.Files != 6 || r.Database.LastUpdate != "2026-02-03T10:00:00Z" {
		t.Errorf("%+v", r.Database)
	}
}

func TestAliasChainsAreOneFinding(t *testing.T) {
	var d Database
	for i, names := range [][]string{{"A-1", "A-2"}, {"B-1", "B-2"}, {"C-1", "A-2"}, {"D-1", "B-2", "C-1"}, {"E-1"}} {
		add(t, &d, fmt.Sprintf(`{"id":%q,"aliases":[%s],"modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"example.com/dep"},"versions":["1.1.0"]}]}`,
			names[0], quoteAll(names[1:])), fmt.Sprint(i))
	}
	r := scan(t, &d, facts(), Options{})
	if len(r.Findings) != 2 || r.Findings[0].ID != "A-1" || len(r.Findings[0].Aliases) != 5 || r.Findings[1].ID != "E-1" {
		t.Errorf("%+v", r.Findings)
	}
}

func quoteAll(words []string) string {
	var list []string
	for _, w := range words {
		list = append(list, fmt.Sprintf("%q", w))
	}
	return strings.Join(list, ",")
}

func add(t testing.TB, d *Database, text, name string) {
	t.Helper()
	if err := d.Add(name, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
}

// The threshold lets lower levels pass, never what nobody has rated, and what could not
// be decided makes a scan incomplete.
func TestThreshold(t *testing.T) {
	rated := func(severity string) string {
		return `{"id":"T-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"example.com/dep"}}]` + severity + `}`
	}
	git := `{"id":"T-2","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"example.com/dep"},"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}`
	for name, tc := range map[string]struct {
		entries []string
		at      Level
		want    string
	}{
		"high at any":        {[]string{rated(`,"database_specific":{"severity":"HIGH"}`)}, Unknown, "fail"},
		"none at any":        {[]string{rated(`,"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"}]`)}, Unknown, "fail"},
		"high at high":       {[]string{rated(`,"database_specific":{"severity":"HIGH"}`)}, High, "fail"},
		"high at critical":   {[]string{rated(`,"database_specific":{"severity":"HIGH"}`)}, Critical, "pass"},
		"moderate at high":   {[]string{rated(`,"database_specific":{"severity":"MODERATE"}`)}, High, "pass"},
		"moderate at medium": {[]string{rated(`,"database_specific":{"severity":"MODERATE"}`)}, Medium, "fail"},
		"word below score":   {[]string{rated(`,"database_specific":{"severity":"LOW"},"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`)}, Critical, "fail"},
		"unrated":            {[]string{rated(``)}, Critical, "fail"},
		"a strange word":     {[]string{rated(`,"database_specific":{"severity":"IMPORTANT"}`)}, Critical, "fail"},
		"a broken vector":    {[]string{rated(`,"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N"}]`)}, Critical, "fail"},
		"undecided":          {[]string{git}, Critical, "incomplete"},
		"low and undecided":  {[]string{rated(`,"database_specific":{"severity":"LOW"}`), git}, High, "incomplete"},
		"high and undecided": {[]string{rated(`,"database_specific":{"severity":"HIGH"}`), git}, High, "fail"},
	} {
		var d Database
		for i, text := range tc.entries {
			add(t, &d, text, fmt.Sprint(i))
		}
		if r := scan(t, &d, facts(), Options{FailAt: tc.at}); r.Result != tc.want {
			t.Errorf("%s: %s, expected %s: %+v", name, r.Result, tc.want, r.Findings)
		}
	}
}

// What can't be decided is said, whatever is linked.
func TestUndecided(t *testing.T) {
	entryOf := func(name, affected string) string {
		return `{"id":"U-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"` + name + `"}` + affected + `}]}`
	}
	all := `,"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]`
	for name, tc := range map[string]struct {
		entry string
		code  Module
		want  string
	}{
		"a directory":              {entryOf("example.com/dep", all), Module{"example.com/dep", "", "example.com/dep v1.0.0"}, "no version"},
		"a package of it":          {entryOf("example.com/dep/sub", all), Module{Path: "example.com/dep", Version: "v1.0.0"}, "example.com/dep/sub"},
		"an event without version": {entryOf("example.com/dep", `,"ranges":[{"type":"SEMVER","events":[{"introduced":"next"}]}]`), Module{Path: "example.com/dep", Version: "v1.0.0"}, "introduced"},
		"two in one event":         {entryOf("example.com/dep", `,"ranges":[{"type":"SEMVER","events":[{"introduced":"0","fixed":"1.0.0"}]}]`), Module{Path: "example.com/dep", Version: "v1.0.0"}, "expected one"},
		"a range without events":   {entryOf("example.com/dep", `,"ranges":[{"type":"SEMVER","events":[]}]`), Module{Path: "example.com/dep", Version: "v1.0.0"}, "introduces nothing"},
		"git alone":                {entryOf("example.com/dep", `,"ranges":[{"type":"GIT","events":[{"introduced":"abc"}]}]`), Module{Path: "example.com/dep", Version: "v1.0.0"}, "commits"},
	} {
		var d Database
		add(t, &d, tc.entry, name)
		f := facts()
		f.Binaries[0].Modules = []Module{tc.code}
		r := scan(t, &d, f, Options{})
		if r.Result != "incomplete" || len(r.NotChecked) != 1 || !strings.Contains(r.NotChecked[0].Reason, tc.want) {
			t.Errorf("%s: %s %+v", name, r.Result, r.NotChecked)
		}
		s := NewStatement(r, "v1", start, start)
		if len(s.Predicate.Scanner.Result) != 1 || s.Predicate.Scanner.Result[0].Annotations[0]["decision"] != "not-checked" {
			t.Errorf("%s: the predicate says that nothing was found: %+v", name, s.Predicate.Scanner.Result)
		}
		if v, err := r.VEX("ada@example.com", "v1", start); err != nil || len(v.Statements) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, affected := range map[string]string{"example.com/dep/v2": all, "example.com/deputy": all, "example.com": all, "example.com/dep/sub": `,"ranges":[{"type":"SEMVER","events":[{"introduced":"1.2.0"}]}]`} {
		var d Database
		add(t, &d, entryOf(name, affected), name)
		if r := scan(t, &d, facts(), Options{}); r.Result != "pass" {
			t.Errorf("%s: %s %+v", name, r.Result, r.NotChecked)
		}
	}
}

// A replacement is matched by its own name, at its own version.
func TestReplacements(t *testing.T) {
	f := facts()
	f.Binaries[0].Modules = []Module{{"example.com/dep", "v1.1.0", "example.com/original v9.0.0"}}
	r := scan(t, database(t), f, Options{})
	if r.Findings[0].Module != "example.com/dep" || r.Findings[0].Replaces != "example.com/original v9.0.0" {
		t.Errorf("%+v", r.Findings[0])
	}
}

func TestNothingFound(t *testing.T) {
	f := facts()
	f.Binaries = f.Binaries[1:]
	f.Binaries[0].GoVersion = "go1.26.9"
	r := scan(t, database(t), f, Options{})
	if r.Result != "pass" || len(r.Findings) != 0 {
		t.Errorf("%s %+v", r.Result, r.Findings)
	}
	if _, err := r.VEX("ada@example.com", "v1", start); !errors.Is(err, ErrNothingToState) {
		t.Error(err)
	}
	f.Binaries[0].GoVersion = "go1.27rc1"
	if r := scan(t, database(t), f, Options{}); len(r.Findings) != 1 || r.Findings[0].Kind != KindToolchain {
		t.Errorf("%+v", r.Findings)
	}
}

// An empty database finds nothing, which must not read as clean.
func TestEmptyDatabase(t *testing.T) {
	var d Database
	if _, err := Scan(&d, facts(), Options{}); err == nil {
		t.Error("scanned with no entries")
	}
	data, _ := os.ReadFile("testdata/db/npm.json")
	add(t, &d, string(data), "npm")
	if _, err := Scan(&d, facts(), Options{}); err == nil {
		t.Error("scanned with no entries about Go")
	}
	if _, err := Scan(database(t), Facts{}, Options{}); err == nil {
		t.Error("scanned no binaries")
	}
}

// Text of an entry reaches a report printable and bounded.
func TestTextOfEntries(t *testing.T) {
	var d Database
	evil := strings.Repeat("x", 3000) + `\u202e`
	add(t, &d, `{"id":"X-1","modified":"2026-01-01T00:00:00Z","details":"\n\u202e`+evil+`\nsecond","severity":[{"type":"\u001b[2J","score":"`+evil+`"}],`+
		`"affected":[{"package":{"ecosystem":"Go","name":"example.com/dep"},"ecosystem_specific":{"imports":[{"path":"\u202e`+evil+`"}]}}]}`, "evil")
	r := scan(t, &d, facts(), Options{})
	data, err := json.Marshal(r)
	if err != nil || bytes.ContainsAny(data, "\u202e\x1b") || len(data) > 6000 {
		t.Errorf("%v: %d bytes", err, len(data))
	}
	if strings.Contains(r.Findings[0].Summary, "second") {
		t.Error("the summary has two lines")
	}
}

// The fields of the predicate are those of the specification.
func TestVulnsFields(t *testing.T) {
	data, err := envelope.Encode(NewStatement(scan(t, database(t), facts(), Options{}), "v1.4.2", start, start))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		PredicateType string
		Predicate     struct {
			Scanner struct {
				URI, Version string
				DB           struct{ LastUpdate time.Time }
				Result       []struct {
					ID       string
					Severity []struct{ Method, Score string }
				}
			}
			Metadata struct{ ScanStartedOn, ScanFinishedOn time.Time }
		}
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	p := s.Predicate
	if s.PredicateType != "https://in-toto.io/attestation/vulns/v0.2" || p.Scanner.URI == "" || p.Scanner.DB.LastUpdate.IsZero() || p.Metadata.ScanStartedOn.IsZero() ||
		len(p.Scanner.Result) != 2 || !slices.Contains(p.Scanner.Result[0].Severity, struct{ Method, Score string }{"cvss_v3_score", "7.5"}) {
		t.Errorf("%+v", s)
	}
}
