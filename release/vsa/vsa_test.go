package vsa

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keys"
)

var update = flag.Bool("update", false, "write the golden files again")

func newKey(t testing.TB, seed byte) *keys.Private {
	t.Helper()
	k, err := keys.Generate(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sum(text string) string { return evidence.SHA256([]byte(text)) }

// passed are the facts of a summary that uses every field.
func passed() Facts {
	return Facts{
		Subjects: []evidence.Subject{
			evidence.FileSubject("bin/tiny_v1.2.3_windows_amd64.exe", sum("windows")),
			evidence.FileSubject("bin/tiny_v1.2.3_linux_amd64", sum("linux")),
		},
		VerifierID: "https://example.com/verifiers/desktop", Tool: "v1.4.2",
		TimeVerified: time.Date(2026, 3, 2, 11, 0, 0, 999, time.FixedZone("", 3600)),
		ResourceURI:  "pkg:golang/example.com/tiny@v1.2.3",
		Policy:       Resource{"https://example.com/trust/3.trust.json", sum("trust")},
		Inputs: []Resource{
			{"release-evidence:tiny", sum("closing")}, {"", sum("rebuild")},
		},
		Passed: true, Levels: []string{LevelBuild1, LevelRebuildMatch},
		Dependencies: map[string]int{"SLSA_BUILD_LEVEL_0": 7, "SLSA_BUILD_LEVEL_3": 2},
	}
}

func failed() Facts {
	f := passed()
	f.Passed, f.Levels, f.Inputs, f.Dependencies = false, nil, nil, nil
	return f
}

// The document's example is a statement that is written so.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../../docs/formats/vsa.md")
	if err != nil {
		t.Fatal(err)
	}
	_, from, _ := strings.Cut(string(text), "```json\n")
	example, _, _ := strings.Cut(from, "```\n")
	want, err := Statement(passed())
	if err != nil || example != string(want) {
		t.Errorf("%v: %s\nthe document has\n%s", err, want, example)
	}
}

func TestGoldenStatements(t *testing.T) {
	for name, f := range map[string]Facts{"passed": passed(), "failed": failed()} {
		got, err := Statement(f)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		read, err := Read(want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f.sorted(), read.sorted()); diff != "" {
			t.Errorf("%s: read back\n%s", name, diff)
		}
	}
}

// Facts in another order, and a time in another zone, give the same bytes; and the
// caller's slices stay as they were.
func TestOrderOfFactsDoesNotMatter(t *testing.T) {
	f, g := passed(), passed()
	slices.Reverse(g.Subjects)
	slices.Reverse(g.Inputs)
	slices.Reverse(g.Levels)
	g.TimeVerified = g.TimeVerified.UTC()
	first := f.Subjects[0].Name
	a, errA := Statement(f)
	b, errB := Statement(g)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("%v, %v:\n%s\n%s", errA, errB, a, b)
	}
	if f.Subjects[0].Name != first {
		t.Error("Statement reordered its caller's subjects")
	}
}

// Facts that a summary can't say are refused, each with the name of the fact.
func TestFactsThatCannotBeSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Facts)
		want   string
	}{
		"no subjects":              {func(f *Facts) { f.Subjects = nil }, "without subjects"},
		"a subject twice":          {func(f *Facts) { f.Subjects[1].Name = f.Subjects[0].Name }, "named twice"},
		"a subject outside":        {func(f *Facts) { f.Subjects[0].Name = "../tiny" }, "subject"},
		"a subject without name":   {func(f *Facts) { f.Subjects[0].Name = "" }, "subject"},
		"sha1 alone":               {func(f *Facts) { f.Subjects[0].Digest = evidence.DigestSet{"sha1": strings.Repeat("0", 40)} }, "sha256"},
		"a second digest":          {func(f *Facts) { f.Subjects[0].Digest["sha512"] = strings.Repeat("0", 128) }, "one digest"},
		"capital digits":           {func(f *Facts) { f.Subjects[0].Digest["sha256"] = strings.Repeat("A", 64) }, "sha256"},
		"no verifier":              {func(f *Facts) { f.VerifierID = "" }, "verifier.id"},
		"a verifier with LF":       {func(f *Facts) { f.VerifierID = "https://example.com/\n" }, "verifier.id"},
		"a relative resource":      {func(f *Facts) { f.ResourceURI = "dist/tiny" }, "resourceUri"},
		"a long resource":          {func(f *Facts) { f.ResourceURI = "a:" + strings.Repeat("a", maxURI) }, "resourceUri"},
		"a policy without digest":  {func(f *Facts) { f.Policy.SHA256 = "" }, "policy.digest"},
		"no tool":                  {func(f *Facts) { f.Tool = "" }, "verifier.version"},
		"no time":                  {func(f *Facts) { f.TimeVerified = time.Time{} }, "timeVerified"},
		"the year 10000":           {func(f *Facts) { f.TimeVerified = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "timeVerified"},
		"an input twice":           {func(f *Facts) { f.Inputs[1] = f.Inputs[0] }, "twice"},
		"an input without digest":  {func(f *Facts) { f.Inputs[0].SHA256 = "" }, "inputAttestations"},
		"passed without levels":    {func(f *Facts) { f.Levels = nil }, "verifiedLevels"},
		"failed with levels":       {func(f *Facts) { f.Passed = false }, "verifiedLevels"},
		"passed and FAILED":        {func(f *Facts) { f.Levels = []string{"FAILED"} }, "FAILED"},
		"two build levels":         {func(f *Facts) { f.Levels = []string{"SLSA_BUILD_LEVEL_1", "SLSA_BUILD_LEVEL_2"} }, "highest alone"},
		"a level twice":            {func(f *Facts) { f.Levels = []string{LevelPromoted, LevelPromoted} }, "twice"},
		"level 4":                  {func(f *Facts) { f.Levels = []string{"SLSA_BUILD_LEVEL_4"} }, "SLSA_BUILD_LEVEL_4"},
		"our own SLSA level":       {func(f *Facts) { f.Levels = []string{"SLSA_ROLLPROOF"} }, "SLSA_ROLLPROOF"},
		"a level in lower case":    {func(f *Facts) { f.Levels = []string{"slsa_build_level_3"} }, "no level"},
		"a level with a space":     {func(f *Facts) { f.Levels = []string{"SLSA_BUILD_LEVEL_3 "} }, "no level"},
		"no dependencies":          {func(f *Facts) { f.Dependencies = map[string]int{LevelBuild1: 0} }, "dependencyLevels"},
		"a dependency that failed": {func(f *Facts) { f.Dependencies = map[string]int{"FAILED": 1} }, "FAILED"},
	} {
		f := passed()
		f.Subjects = []evidence.Subject{{Name: f.Subjects[0].Name, Digest: maps.Clone(f.Subjects[0].Digest)}, f.Subjects[1]}
		tc.change(&f)
		if _, err := Statement(f); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, expected one about %q", name, err, tc.want)
		}
		if _, _, err := Write(newKey(t, 1), f); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

// A statement that differs from the golden one in one place is refused, although its
// JSON may say the same.
func TestReadRefusesOtherEncodings(t *testing.T) {
	good, err := Statement(passed())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(good); err != nil {
		t.Fatal(err)
	}
	const utc = `"timeVerified": "2026-03-02T10:00:00Z"`
	for name, edit := range map[string][2]string{
		"another statement type": {"in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1"},
		"another predicate type": {"verification_summary/v1\"", "verification_summary/v0.2\""},
		"an unknown field":       {utc, utc + ",\n    \"extra\": true"},
		"a key twice":            {utc, utc + ",\n    " + utc},
		"a key in another case":  {"resourceUri", "resourceURI"},
		"another zone":           {"10:00:00Z", "11:00:00+01:00"},
		"a fraction":             {"10:00:00Z", "10:00:00.0Z"},
		"a result of our own":    {`"PASSED"`, `"PASSED "`},
		"passed and failed":      {`"PASSED"`, `"FAILED"`},
		"another version":        {`"1.1"`, `"1.0"`},
		"a second component":     {`"rollproof": "v1.4.2"`, "\"rollproof\": \"v1.4.2\",\n        \"zoo\": \"v1\""},
		"another tool":           {`"rollproof": "v1.4.2"`, `"other": "v1.4.2"`},
		"policy without digest":  {"\"sha256\": \"" + sum("trust") + "\"", "\"sha512\": \"" + sum("trust") + "\""},
		"levels in disorder":     {"\"ROLLPROOF_REBUILD_MATCH\",\n      \"SLSA_BUILD_LEVEL_1\"", "\"SLSA_BUILD_LEVEL_1\",\n      \"ROLLPROOF_REBUILD_MATCH\""},
		"an escaped letter":      {"SLSA_BUILD_LEVEL_1", `SLSA\u005fBUILD_LEVEL_1`},
		"a line end":             {"  \"_type\"", "\n  \"_type\""},
		"data behind it":         {"\n}\n", "\n}\n{}\n"},
	} {
		bad := strings.Replace(string(good), edit[0], edit[1], 1)
		if bad == string(good) {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if _, err := Read([]byte(bad)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestIsOurs(t *testing.T) {
	good, _ := Statement(passed())
	for name, tc := range map[string]struct {
		statement string
		want      bool
	}{
		"ours":            {string(good), true},
		"of another tool": {strings.Replace(string(good), `"rollproof"`, `"other"`, 1), false},
		"another type":    {strings.Replace(string(good), "verification_summary/v1", "provenance/v1", 1), false},
		"no JSON":         {"{", false},
	} {
		if got := IsOurs([]byte(tc.statement)); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Both encodings carry one signature over one payload, and no other key verifies it.
func TestOneSignatureTwoEncodings(t *testing.T) {
	key := newKey(t, 1)
	bundle, line, err := Write(key, passed())
	if err != nil {
		t.Fatal(err)
	}
	a, err := envelope.ParseBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	b, err := envelope.ParseDSSE(line)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if err := a.Verify(key.Public()); err != nil {
		t.Error(err)
	}
	if err := a.Verify(newKey(t, 2).Public()); err == nil {
		t.Error("verifies under another key")
	}
	if bytes.ContainsAny(line, "\n\r") {
		t.Error("the line has a line end inside")
	}
}

// A peer is an Ed25519 key as securesystemslib, on which slsa-verifier stands, has it.
type peer struct{ public ed25519.PublicKey }

func (p peer) KeyID() (string, error)   { return "", nil }
func (p peer) Public() crypto.PublicKey { return p.public }
func (p peer) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(p.public, data, sig) {
		return os.ErrInvalid
	}
	return nil
}

// The line is what slsa-verifier reads: securesystemslib verifies it, and the fields
// have the types that the specification gives them.
func TestPeersReadTheLine(t *testing.T) {
	key := newKey(t, 1)
	_, line, err := Write(key, passed())
	if err != nil {
		t.Fatal(err)
	}
	var env dsse.Envelope
	if err := json.Unmarshal(line, &env); err != nil {
		t.Fatal(err)
	}
	for seed, want := range map[byte]bool{1: true, 2: false} {
		blob := newKey(t, seed).Public().Blob()
		v, err := dsse.NewEnvelopeVerifier(peer{ed25519.PublicKey(blob[len(blob)-32:])})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), &env); (err == nil) != want {
			t.Errorf("key %d: %v", seed, err)
		}
	}
	payload, err := env.DecodeB64Payload()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Predicate struct {
			TimeVerified      time.Time `json:"timeVerified"`
			InputAttestations []struct {
				URI    string            `json:"uri"`
				Digest map[string]string `json:"digest"`
			} `json:"inputAttestations"`
			VerifiedLevels   []string       `json:"verifiedLevels"`
			DependencyLevels map[string]int `json:"dependencyLevels"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Predicate.InputAttestations) != 2 || len(s.Predicate.VerifiedLevels) != 2 || s.Predicate.DependencyLevels["SLSA_BUILD_LEVEL_0"] != 7 {
		t.Errorf("%+v", s.Predicate)
	}
}

// Whatever is read is written again byte by byte.
func FuzzReadAcceptsOnlyWhatIsWritten(f *testing.F) {
	for _, facts := range []Facts{passed(), failed()} {
		data, err := Statement(facts)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		facts, err := Read(data)
		if err != nil {
			return
		}
		again, err := Statement(facts)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%v:\n%s\n%s", err, data, again)
		}
		if !IsOurs(data) {
			t.Error("read, but not ours")
		}
	})
}
