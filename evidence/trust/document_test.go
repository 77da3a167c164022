package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fullDocument uses every field of the format.
func fullDocument(t testing.TB) []byte {
	t.Helper()
	h := newHistory(t)
	e := h.next("2026-03-02")
	e.Expires(date("2028-01-01"))
	e.Threshold(Releaser, 2)
	must(t, e.AddKey(signer("browser").Public(), Key{Person: "grace", Use: UseBrowser, NotAfter: date("2026-12-31")}))
	root := sha256.Sum256([]byte("root"))
	must(t, e.Revoke(keyid("releaser"), Revocation{
		At:    date("2026-03-01"),
		Trees: []Tree{{"example.com/log/8f3a", 42, root[:]}},
		Keep:  []string{Digest([]byte("b")), Digest([]byte("a"))},
	}))
	must(t, e.Retire(keyid("approver"), date("2026-02-01")))
	id := Identity{"https://token.actions.githubusercontent.com", "https://github.com/example/age/.github/workflows/release.yml@refs/heads/main"}
	must(t, e.Identity(IdentityEntry{id.Issuer, id.Subject, "grace"}))
	must(t, e.Grant(Grant{Identity: &id, Role: Verifier, Projects: []string{"*"}}))
	d, err := e.Document()
	must(t, err)
	data, err := d.Marshal()
	must(t, err)
	return data
}

// The format's bytes never change within a version of its schema.
func TestGoldenDocument(t *testing.T) {
	got := fullDocument(t)
	path := filepath.Join("testdata", "2.trust.json")
	if *update {
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the encoding differs from %s:\n%s", path, got)
	}
	must(t, schemas.Validate(Schema, want))
	d, err := Parse(want)
	must(t, err)
	again, err := d.Marshal()
	must(t, err)
	if !bytes.Equal(again, want) {
		t.Error("does not survive parsing")
	}
}

// The same document in other bytes is another document or none.
func TestOtherBytes(t *testing.T) {
	good := string(fullDocument(t))
	change := func(old, new string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the document", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	root := sha256.Sum256([]byte("root"))
	b64 := base64.StdEncoding.EncodeToString(root[:])
	for name, tc := range map[string]struct{ data, want string }{
		"no line end":         {strings.TrimSuffix(good, "\n"), "exact encoding"},
		"white space":         {change(`"version": 2`, `"version":  2`), "exact encoding"},
		"trailing data":       {good + "{}", "data after"},
		"escaped":             {change(`"Ada"`, `"\u0041da"`), "exact encoding"},
		"number":              {change(`"version": 2`, `"version": 2.0`), "version"},
		"loose base64":        {change(b64, b64[:8]+`\n`+b64[8:]), "exact encoding"},
		"unpadded base64":     {change(b64, strings.TrimRight(b64, "=")), ""},
		"duplicate key":       {change(`"version": 2`, `"version": 2, "version": 2`), "duplicate key"},
		"case-folded key":     {change(`"version"`, `"Version"`), `unknown field "Version", the nearest known is "version"`},
		"unknown field":       {change(`"version": 2`, `"version": 2, "verson": 2`), `unknown field "verson"`},
		"fraction of seconds": {change("2026-03-02T00:00:00Z", "2026-03-02T00:00:00.5Z"), "whole seconds"},
		"time zone":           {change("2026-03-02T00:00:00Z", "2026-03-02T01:00:00+01:00"), "in UTC"},
		"lower-case zone":     {change("2026-03-02T00:00:00Z", "2026-03-02T00:00:00z"), ""},
		"empty notAfter":      {change(`"use": "file",`, `"use": "file", "notAfter": "0001-01-01T00:00:00Z",`), "exact encoding"},
		"null revocation":     {change(`"use": "file",`, `"use": "file", "revoked": null,`), "exact encoding"},
		"null list":           {change(`"projects": [],`, `"projects": null,`), "null"},
		"null identities":     {good[:strings.Index(good, `  "identities"`)] + "  \"identities\": null,\n" + good[strings.Index(good, `  "grants"`):], "a list is null"},
		"another schema":      {change("trust/v1", "trust/v2"), `schema "`},
		"not UTF-8":           {change(`"Ada"`, "\"Ad\xff\""), "UTF-8"},
		"huge":                {good + strings.Repeat(" ", maxDocument), "limit"},
		"array":               {"[" + good + "]", "not a JSON object"},
	} {
		if _, err := Parse([]byte(tc.data)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
}

func TestDocumentRules(t *testing.T) {
	small := "ssh-ed25519 " + base64.StdEncoding.EncodeToString(append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20\x01"), make([]byte, 31)...))
	sum := sha256.Sum256([]byte("x"))
	for name, tc := range map[string]struct {
		change func(d *Document)
		want   string
	}{
		"version 0":              {func(d *Document) { d.Version = 0 }, "version 0"},
		"version 1 with past":    {func(d *Document) { d.Version = 1 }, "version 1 names"},
		"version 2 without past": {func(d *Document) { d.Previous = "" }, "names \"\""},
		"never issued":           {func(d *Document) { d.Issued = time.Time{} }, "issued 0001"},
		"expired when issued":    {func(d *Document) { d.Expires = d.Issued }, "expires"},
		"no threshold":           {func(d *Document) { d.Thresholds = []Threshold{} }, "no threshold of role root"},
		"threshold of approvers": {func(d *Document) { d.Thresholds = append(d.Thresholds, Threshold{Approver, 2}) }, "a threshold of role \"approver\""},
		"threshold twice":        {func(d *Document) { d.Thresholds = append(d.Thresholds, d.Thresholds...) }, "stands twice"},
		"person id":              {func(d *Document) { d.People[0].ID = "Ada" }, "an id is"},
		"person id of one":       {func(d *Document) { d.People[0].ID = "a" }, "an id is"},
		"person twice":           {func(d *Document) { d.People[1] = d.People[0] }, "stands twice"},
		"people unsorted":        {func(d *Document) { d.People[0], d.People[1] = d.People[1], d.People[0] }, "not sorted"},
		"e-mail in another case": {func(d *Document) { d.People[4].Email = "Ada@Example.COM" }, "same e-mail ada@example.com"},
		"e-mail not ASCII":       {func(d *Document) { d.People[0].Email = "аda@example.com" }, "e-mail"},
		"e-mail of two":          {func(d *Document) { d.People[0].Email = "ada@example.com,grace@example.com" }, "e-mail"},
		"small-order key":        {func(d *Document) { d.Keys[0].Material = small }, "small order"},
		"private key":            {func(d *Document) { d.Keys[0].Material = "-----BEGIN PRIVATE KEY-----" }, "private key"},
		"material with comment":  {func(d *Document) { d.Keys[0].Material += " ada@example.com" }, "without comment"},
		"material of another":    {func(d *Document) { d.Keys[0].Material = d.Keys[1].Material }, "its material is"},
		"key twice":              {func(d *Document) { d.Keys[1] = d.Keys[0] }, "stands twice"},
		"key of nobody":          {func(d *Document) { d.Keys[0].Person = "nobody" }, "not among the people"},
		"unknown use":            {func(d *Document) { d.Keys[0].Use = "hsm" }, "its use is"},
		"empty window":           {func(d *Document) { d.Keys[0].NotAfter = d.Keys[0].NotBefore }, "valid from"},
		"no beginning":           {func(d *Document) { d.Keys[0].NotBefore = time.Time{} }, "not before 0001"},
		"unknown reason":         {func(d *Document) { d.Keys[0].Revoked = &Revocation{At: d.Issued, Reason: "lost"} }, "expected retired or compromised"},
		"retired with keep": {func(d *Document) {
			d.Keys[0].Revoked = &Revocation{At: d.Issued, Reason: Retired, Keep: []string{formatDigest(sum)}}
		}, "retired, with"},
		"keep unsorted": {func(d *Document) {
			d.Keys[0].Revoked = &Revocation{At: d.Issued, Reason: Compromised, Keep: []string{formatDigest(sum), formatDigest(sum)}}
		}, "stands twice"},
		"keep no digest": {func(d *Document) {
			d.Keys[0].Revoked = &Revocation{At: d.Issued, Reason: Compromised, Keep: []string{"age-v1.2.1"}}
		}, "keeps"},
		"split view": {func(d *Document) {
			d.Keys[0].Revoked = &Revocation{At: d.Issued, Reason: Compromised, Trees: []Tree{{"example.com/log", 1, sum[:]}, {"example.com/log", 1, make([]byte, 32)}}}
		}, "stands twice"},
		"short root": {func(d *Document) {
			d.Keys[0].Revoked = &Revocation{At: d.Issued, Reason: Compromised, Trees: []Tree{{"example.com/log", 1, sum[:31]}}}
		}, "pins a tree"},
		"origin of two lines": {func(d *Document) {
			d.Keys[0].Revoked = &Revocation{At: d.Issued, Reason: Compromised, Trees: []Tree{{"example.com/log\n1", 1, sum[:]}}}
		}, "pins a tree"},
		"unknown role":     {func(d *Document) { d.Grants[0].Role = "aprover" }, `the nearest known is "approver"`},
		"grant to nobody":  {func(d *Document) { d.Grants[1].KeyID = "" }, "either a key or an identity"},
		"grant to a stray": {func(d *Document) { d.Grants[1].KeyID = keyid("stray") }, "no such key"},
		"grant twice":      {func(d *Document) { d.Grants[1] = d.Grants[0] }, "stands twice"},
		"two roles": {func(d *Document) {
			d.Grants = append(d.Grants, Grant{KeyID: d.Grants[len(d.Grants)-1].KeyID, Role: other(d.Grants[len(d.Grants)-1].Role), Projects: []string{}, Environments: []string{}, Rings: []string{}})
		}, "one key has one role"},
		"root by identity":     {func(d *Document) { d.Grants[0].Role = Root; d.Grants[0].Projects = []string{} }, "cannot have the role root"},
		"scope of a root":      {func(d *Document) { grantOf(d, "root-ada").Projects = []string{"age"} }, "the role knows no projects"},
		"star and name":        {func(d *Document) { grantOf(d, "approver").Projects = []string{"*", "age"} }, "stands beside"},
		"pattern":              {func(d *Document) { grantOf(d, "approver").Projects = []string{"a*"} }, "is no name"},
		"rings unsorted":       {func(d *Document) { grantOf(d, "approver").Rings = []string{"production", "pilot"} }, "not sorted"},
		"types of an approver": {func(d *Document) { grantOf(d, "approver").PredicateTypes = []string{foreignOne} }, "only the role attest"},
		"our type as foreign":  {func(d *Document) { grantOf(d, "attester").PredicateTypes = []string{release} }, "not a foreign one"},
		"our type disguised": {func(d *Document) {
			grantOf(d, "attester").PredicateTypes = []string{"HTTPS://github.com/Rollproof/rollproof/%73chemas/x/v1"}
		}, "not a foreign one"},
		"standard as foreign": {func(d *Document) {
			grantOf(d, "attester").PredicateTypes = []string{"https://sigstore.dev/cosign/sign/v1"}
		}, "not a foreign one"},
		"identity of nobody":  {func(d *Document) { d.Identities[0].Person = "nobody" }, "not among the people"},
		"identity with space": {func(d *Document) { d.Identities[0].Subject = "a b" }, "printable ASCII"},
		"identity twice":      {func(d *Document) { d.Identities = append(d.Identities, d.Identities[0]) }, "stands twice"},
	} {
		var d Document
		must(t, json.Unmarshal(fullDocument(t), &d))
		tc.change(&d)
		data, err := envelope.Encode(d)
		must(t, err)
		if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: parsed with %v, want an error with %q", name, err, tc.want)
		}
		if _, err := d.Marshal(); err == nil {
			t.Errorf("%s: was written", name)
		}
	}
}

func grantOf(d *Document, name string) *Grant {
	for i := range d.Grants {
		if d.Grants[i].KeyID == keyid(name) {
			return &d.Grants[i]
		}
	}
	panic(name)
}

// other is a role without scopes that is sorted after r or is not r.
func other(r Role) Role {
	if r == Timestamper {
		return Witness
	}
	return Timestamper
}
