package trust

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

func expectRuling(t *testing.T, name string, r Ruling, want Outcome, words ...string) {
	t.Helper()
	text := fmt.Sprint(r.Reason, r.Notes)
	if r.Outcome != want {
		t.Errorf("%s: %v, want %v: %s", name, r.Outcome, want, text)
	}
	if want != Granted && (r.Reason == "" || r.Hint == "") {
		t.Errorf("%s: no reason or no hint: %+v", name, r)
	}
	if want == Granted && r.Reason != "" {
		t.Errorf("%s: granted with a reason: %s", name, r.Reason)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: %q lacks %q", name, text, w)
		}
	}
}

func TestRolesAndScopes(t *testing.T) {
	a := newHistory(t).at("2026-02-01", Options{})
	releaser, approver := keyid("releaser"), keyid("approver")
	for name, tc := range map[string]struct {
		use   Use
		want  Outcome
		words string
	}{
		"releaser":      {byReleaser(), Granted, ""},
		"role alone":    {Use{KeyID: releaser, Role: Releaser, Project: "age"}, Granted, ""},
		"type alone":    {Use{KeyID: releaser, PredicateType: release, Project: "age"}, Granted, ""},
		"nothing asked": {Use{KeyID: releaser, Project: "age"}, Denied, "neither a role nor a predicate type"},
		"nobody":        {Use{Role: Releaser, Project: "age"}, Denied, "nobody"},
		"stranger":      {Use{KeyID: keyid("stranger"), Role: Releaser, Project: "age"}, Denied, "trust version 1 does not list"},
		"approver releases": {Use{KeyID: approver, PredicateType: release, Project: "age"}, Denied,
			approver + " (grace) is an approver, not a releaser of project age: predicate type " + release},
		"approver as releaser": {Use{KeyID: approver, Role: Releaser, Project: "age"}, Denied,
			approver + " (grace) is an approver, not a releaser of project age"},
		"releaser approves":       {Use{KeyID: releaser, PredicateType: approval, Project: "age", Environment: "production", Ring: "pilot"}, Denied, "is a releaser, not an approver of project age"},
		"releaser verifies":       {Use{KeyID: releaser, PredicateType: vsa, Project: "age"}, Denied, "is a releaser, not a verifier"},
		"two roles may":           {Use{KeyID: releaser, PredicateType: execution, Project: "age"}, Denied, "not an operator or a breakglass key"},
		"type against role":       {Use{KeyID: releaser, Role: Releaser, PredicateType: vsa, Project: "age"}, Denied, "is signed by a verifier or an attest key, not by a releaser"},
		"standard, attested":      {Use{KeyID: keyid("attester"), PredicateType: vsa}, Denied, "not of"},
		"role against type":       {Use{KeyID: releaser, Role: Verifier, PredicateType: release, Project: "age"}, Denied, "is a releaser, not a verifier"},
		"ours unknown":            {Use{KeyID: releaser, PredicateType: SchemaPrefix + "release-evidence/v9", Project: "age"}, Denied, "is not known"},
		"ours disguised":          {Use{KeyID: keyid("attester"), PredicateType: "https://github.com/Rollproof/rollproof/schemas/x/v1", Project: "age"}, Denied, "is not known"},
		"other project":           {Use{KeyID: releaser, PredicateType: release, Project: "rage"}, Denied, "is a releaser of project age, not of project rage"},
		"project in another case": {Use{KeyID: releaser, PredicateType: release, Project: "Age"}, Denied, "not of project Age"},
		"no project":              {Use{KeyID: releaser, PredicateType: release}, Denied, "not of every project"},
		"star as a name":          {Use{KeyID: releaser, PredicateType: release, Project: "*"}, Denied, "not of project *"},
		"approver":                {Use{KeyID: approver, PredicateType: approval, Project: "any", Environment: "production", Ring: "pilot"}, Granted, ""},
		"other environment":       {Use{KeyID: approver, PredicateType: approval, Project: "any", Environment: "test", Ring: "pilot"}, Denied, "is an approver of any project, environment production, ring pilot or production, not of project any, environment test, ring pilot"},
		"other ring":              {Use{KeyID: approver, PredicateType: approval, Project: "any", Environment: "production", Ring: "staging"}, Denied, "not of project any, environment production, ring staging"},
		"no ring":                 {Use{KeyID: approver, PredicateType: approval, Project: "any", Environment: "production"}, Denied, "every ring"},
		"foreign":                 {Use{KeyID: keyid("attester"), PredicateType: foreignOne, Project: "age"}, Granted, ""},
		"other foreign":           {Use{KeyID: keyid("attester"), PredicateType: foreignOne + "x", Project: "age"}, Denied, "predicate type " + foreignOne + ","},
		"foreign by releaser":     {Use{KeyID: releaser, PredicateType: foreignOne, Project: "age"}, Denied, "is a releaser, not an attest key"},
	} {
		expectRuling(t, name, a.Rule(tc.use), tc.want, tc.words)
	}
	if s := a.Rule(byReleaser()).Signer; s != (Signer{releaser, "ada", "Ada", Releaser}) {
		t.Errorf("signer %+v", s)
	}
}

func TestEmptyScopeGrantsNothing(t *testing.T) {
	e := firstEdit(t)
	must(t, e.AddKey(signer("idle").Public(), Key{Person: "ada"}))
	must(t, e.AddKey(signer("roleless").Public(), Key{Person: "ada"}))
	must(t, e.Grant(Grant{KeyID: keyid("idle"), Role: Releaser}))
	h := &history{t: t, files: map[string][]byte{}}
	h.add(e, "root-ada", "root-grace")
	a := h.at("2026-02-01", Options{})
	expectRuling(t, "no projects", a.Rule(Use{KeyID: keyid("idle"), PredicateType: release, Project: "age"}), Denied, "of no project, not of project age")
	expectRuling(t, "no role", a.Rule(Use{KeyID: keyid("roleless"), PredicateType: release, Project: "age"}), Denied, "is a key without a role, not a releaser of project age")
	if k, ok := a.Key(keyid("idle")); !ok || !k.Equal(signer("idle").Public()) {
		t.Error("the key itself is not known")
	}
	if _, ok := a.Key(keyid("stranger")); ok {
		t.Error("a key of nobody is known")
	}
}

func TestRemovedKey(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-02-01")
	must(t, e.RemoveKey(keyid("releaser")))
	h.add(e, "root-ada", "root-grace")
	expectRuling(t, "removed", h.at("2026-03-01", Options{}).Rule(byReleaser()), Denied, "version 1 listed it as a key of ada")
}

func TestIdentities(t *testing.T) {
	id := Identity{"https://token.actions.githubusercontent.com", "https://github.com/example/age/.github/workflows/release.yml@refs/heads/main"}
	e := firstEdit(t)
	must(t, e.Identity(IdentityEntry{id.Issuer, id.Subject, "grace"}))
	must(t, e.Grant(Grant{Identity: &id, Role: Verifier, Projects: []string{"age"}}))
	h := &history{t: t, files: map[string][]byte{}}
	h.add(e, "root-ada", "root-grace")
	a := h.at("2026-02-01", Options{})
	use := Use{Identity: id, PredicateType: vsa, Project: "age"}
	r := a.Rule(use)
	expectRuling(t, "identity", r, Granted)
	if r.Signer != (Signer{"", "grace", "Grace", Verifier}) {
		t.Errorf("signer %+v", r.Signer)
	}
	use.PredicateType = release
	expectRuling(t, "role", a.Rule(use), Denied, "(grace) is a verifier, not a releaser of project age")
	use.PredicateType, use.Project = vsa, "rage"
	expectRuling(t, "scope", a.Rule(use), Denied, "not of project rage")
	use.Project, use.Signing = "age", true
	expectRuling(t, "signing", a.Rule(use), Denied, "no key")
	for name, other := range map[string]Identity{
		"issuer":  {id.Issuer + "/", id.Subject},
		"subject": {id.Issuer, id.Subject[:len(id.Subject)-1]},
		"joined":  {"", id.Subject + " " + id.Issuer},
	} {
		expectRuling(t, name, a.Rule(Use{Identity: other, PredicateType: vsa, Project: "age"}), Denied, "does not list")
	}
	expectRuling(t, "as a keyid", a.Rule(Use{KeyID: identityName(id), PredicateType: vsa, Project: "age"}), Denied, "does not list")
}

// A window is judged at now, never at a date that a package claims.
func TestWindows(t *testing.T) {
	e := firstEdit(t)
	must(t, e.AddKey(signer("short").Public(), Key{Person: "ada", NotBefore: date("2026-02-01"), NotAfter: date("2026-03-01")}))
	must(t, e.Grant(Grant{KeyID: keyid("short"), Role: Releaser, Projects: []string{"age"}}))
	h := &history{t: t, files: map[string][]byte{}}
	h.add(e, "root-ada", "root-grace")
	use := byReleaser()
	use.KeyID = keyid("short")
	expectRuling(t, "early", h.at("2026-01-31", Options{}).Rule(use), Denied, "not valid before 2026-02-01")
	expectRuling(t, "first day", h.at("2026-02-01", Options{}).Rule(use), Granted)
	expectRuling(t, "last day", h.at("2026-03-01", Options{}).Rule(use), Granted)
	late := h.at("2026-03-02", Options{})
	expectRuling(t, "late", late.Rule(use), Unproved, "not valid after 2026-03-01", "nothing proves")
	expectRuling(t, "late, allowed", h.at("2026-03-02", Options{AllowUnprovedTime: true}).Rule(use), Granted, "this was allowed")
	if f := h.at("2026-03-02", Options{AllowUnprovedTime: true}).Facts(); len(f.Notes) != 1 {
		t.Errorf("the weakening does not show: %+v", f)
	}

	use.SignatureProofs = []Proof{stampedBy("clock", ProofTimestamp, use, "2026-02-20")}
	expectRuling(t, "late, proved", late.Rule(use), Granted, "shows that it existed 2026-02-20")
	use.SignatureProofs = []Proof{stampedBy("clock", ProofTimestamp, use, "2026-03-02")}
	expectRuling(t, "stamped late", late.Rule(use), Unproved, "existed 2026-03-02")
	use.Signing, use.SignatureProofs = true, nil
	expectRuling(t, "signing late", h.at("2026-03-02", Options{AllowUnprovedTime: true}).Rule(use), Denied)

	e = h.next("2026-03-05")
	must(t, e.Retire(keyid("short"), date("2026-03-01")))
	h.add(e, "root-ada", "root-grace")
	use.Signing = false
	retired := h.at("2026-06-01", Options{})
	expectRuling(t, "retired", retired.Rule(use), Granted, "retired since 2026-03-01")
	use.Signing = true
	expectRuling(t, "signing with a retired key", retired.Rule(use), Denied, "revoked as retired")
}

func stampedBy(name string, kind ProofKind, u Use, day string) Proof {
	return Proof{Kind: kind, Envelope: u.Envelope, Time: date(day), By: keyid(name)}
}

func TestCompromisedKey(t *testing.T) {
	root := sha256.Sum256([]byte("tree"))
	tree := Tree{"example.com/log", 7, root[:]}
	h := newHistory(t)
	e := h.next("2026-06-01")
	kept := sha256.Sum256([]byte("kept statement"))
	must(t, e.Revoke(keyid("releaser"), Revocation{At: date("2026-05-01"), Trees: []Tree{tree}, Keep: []string{formatDigest(kept)}}))
	must(t, e.AddKey(signer("stolen clock").Public(), Key{Person: "clock"}))
	must(t, e.AddKey(signer("old clock").Public(), Key{Person: "clock", NotBefore: date("2026-01-01"), NotAfter: date("2026-05-15")}))
	must(t, e.AddKey(signer("retired clock").Public(), Key{Person: "clock", NotBefore: date("2026-01-01")}))
	for _, name := range []string{"stolen clock", "old clock", "retired clock"} {
		must(t, e.Grant(Grant{KeyID: keyid(name), Role: Timestamper}))
	}
	must(t, e.Revoke(keyid("stolen clock"), Revocation{At: date("2026-06-01")}))
	must(t, e.Retire(keyid("retired clock"), date("2026-06-01")))
	h.add(e, "root-ada", "root-grace")
	a := h.at("2026-07-01", Options{AllowUnprovedTime: true})

	plain := byReleaser()
	included := Proof{Kind: ProofInclusion, Envelope: plain.Envelope, Tree: tree}
	otherTree := included
	otherTree.Tree.Size = 8
	otherRoot := included
	otherRoot.Tree.Root = make([]byte, 32)
	otherOrigin := included
	otherOrigin.Tree.Origin = "example.com/fork"
	elsewhere := stampedBy("clock", ProofTimestamp, plain, "2026-04-01")
	elsewhere.Envelope = sha256.Sum256([]byte("another"))
	elsewhereIncluded := included
	elsewhereIncluded.Envelope = elsewhere.Envelope
	timeless := stampedBy("clock", ProofTimestamp, plain, "2026-04-01")
	timeless.Time = time.Time{}

	for name, tc := range map[string]struct {
		proofs []Proof
		want   Outcome
		words  string
	}{
		"no proof":                {nil, Denied, "revoked as compromised since 2026-05-01"},
		"token":                   {[]Proof{stampedBy("clock", ProofTimestamp, plain, "2026-04-01")}, Granted, "existed 2026-04-01"},
		"cosignature":             {[]Proof{stampedBy("witness", ProofCosignature, plain, "2026-04-30")}, Granted, "existed 2026-04-30"},
		"retired clock":           {[]Proof{stampedBy("retired clock", ProofTimestamp, plain, "2026-04-01")}, Granted, ""},
		"late, then early":        {[]Proof{stampedBy("clock", ProofTimestamp, plain, "2026-05-20"), stampedBy("witness", ProofCosignature, plain, "2026-04-30")}, Granted, ""},
		"at the very moment":      {[]Proof{stampedBy("clock", ProofTimestamp, plain, "2026-05-01")}, Denied, "not before 2026-05-01"},
		"after":                   {[]Proof{stampedBy("clock", ProofTimestamp, plain, "2026-05-02")}, Denied, "not before 2026-05-01"},
		"token by a witness":      {[]Proof{stampedBy("witness", ProofTimestamp, plain, "2026-04-01")}, Denied, "is a witness, not a timestamper"},
		"cosigned by a clock":     {[]Proof{stampedBy("clock", ProofCosignature, plain, "2026-04-01")}, Denied, "is a timestamper, not a witness"},
		"token by a releaser":     {[]Proof{stampedBy("releaser", ProofTimestamp, plain, "2026-04-01")}, Denied, "is a releaser"},
		"token by a stranger":     {[]Proof{stampedBy("stranger", ProofTimestamp, plain, "2026-04-01")}, Denied, "does not list"},
		"token by the keeper":     {[]Proof{stampedBy("keeper-clock", ProofTimestamp, plain, "2026-04-01")}, Denied, "who keeps the log"},
		"token by the signer":     {[]Proof{stampedBy("ada-clock", ProofTimestamp, plain, "2026-04-01")}, Denied, "as the signing key does"},
		"token by a stolen key":   {[]Proof{stampedBy("stolen clock", ProofTimestamp, plain, "2026-06-02")}, Denied, "revoked as compromised"},
		"token by an expired key": {[]Proof{stampedBy("old clock", ProofTimestamp, plain, "2026-04-01")}, Denied, "not valid after 2026-05-15"},
		"token after its key":     {[]Proof{stampedBy("old clock", ProofTimestamp, plain, "2026-05-20")}, Denied, "when that key was not valid"},
		"token before its key":    {[]Proof{stampedBy("clock", ProofTimestamp, plain, "2025-12-31")}, Denied, "when that key was not valid"},
		"token of the future":     {[]Proof{stampedBy("clock", ProofTimestamp, plain, "2026-07-03")}, Denied, "the clock says"},
		"token without time":      {[]Proof{timeless}, Denied, "the clock says"},
		"token of another":        {[]Proof{elsewhere}, Denied, "over another signature"},
		"of unknown kind":         {[]Proof{stampedBy("clock", "rumour", plain, "2026-04-01")}, Denied, "unknown kind"},
		"included":                {[]Proof{included}, Granted, "the tree of size 7"},
		"included in another":     {[]Proof{otherTree}, Denied, "not one that the revocation pins"},
		"included in a fork":      {[]Proof{otherRoot}, Denied, "not one that the revocation pins"},
		"included elsewhere":      {[]Proof{otherOrigin}, Denied, "not one that the revocation pins"},
		"another is included":     {[]Proof{elsewhereIncluded}, Denied, "not one that the revocation pins"},
	} {
		use := plain
		use.SignatureProofs = tc.proofs
		expectRuling(t, name, a.Rule(use), tc.want, tc.words)
	}

	use := plain
	use.Statement = kept
	expectRuling(t, "kept", a.Rule(use), Granted, "the root keeps this statement")
	use.Project = "rage"
	expectRuling(t, "kept, out of scope", a.Rule(use), Denied, "not of project rage")
	use.Project, use.Signing = "age", true
	expectRuling(t, "signing what is kept", a.Rule(use), Denied, "revoked as compromised")
	var empty Use
	empty.KeyID, empty.Role, empty.Project = plain.KeyID, Releaser, "age"
	empty.SignatureProofs = []Proof{{Kind: ProofTimestamp, Time: date("2026-04-01"), By: keyid("clock")}, {Kind: ProofInclusion, Tree: tree}}
	expectRuling(t, "without digests", a.Rule(empty), Denied)
}

// Expired clocks: what they stamped inside their window counts only while nobody
// else can hold the key.
func TestExpiredTimestamper(t *testing.T) {
	e := firstEdit(t)
	must(t, e.AddKey(signer("old clock").Public(), Key{Person: "clock", NotAfter: date("2026-05-15")}))
	must(t, e.Grant(Grant{KeyID: keyid("old clock"), Role: Timestamper}))
	must(t, e.Revoke(keyid("releaser"), Revocation{At: date("2026-05-01")}))
	h := &history{t: t, files: map[string][]byte{}}
	h.add(e, "root-ada", "root-grace")
	use := byReleaser()
	use.SignatureProofs = []Proof{stampedBy("old clock", ProofTimestamp, use, "2026-04-01")}
	expectRuling(t, "while valid", h.at("2026-05-10", Options{}).Rule(use), Granted)
	expectRuling(t, "expired", h.at("2026-06-01", Options{}).Rule(use), Denied, "not valid after 2026-05-15")
	next := h.next("2026-06-01")
	must(t, next.Retire(keyid("old clock"), date("2026-05-15")))
	h.add(next, "root-ada", "root-grace")
	expectRuling(t, "retired", h.at("2026-06-01", Options{}).Rule(use), Granted)
}

// A key that expired, was not retired, and turned out to be stolen later: a proof
// from between is not enough.
func TestProofBetweenExpiryAndCompromise(t *testing.T) {
	e := firstEdit(t)
	must(t, e.AddKey(signer("short").Public(), Key{Person: "ada", NotAfter: date("2026-03-01")}))
	must(t, e.Grant(Grant{KeyID: keyid("short"), Role: Releaser, Projects: []string{"age"}}))
	must(t, e.Revoke(keyid("short"), Revocation{At: date("2026-05-01")}))
	h := &history{t: t, files: map[string][]byte{}}
	h.add(e, "root-ada", "root-grace")
	use := byReleaser()
	use.KeyID = keyid("short")
	a := h.at("2026-06-01", Options{})
	for day, want := range map[string]Outcome{"2026-02-01": Granted, "2026-04-01": Unproved, "2026-05-02": Denied} {
		use.SignatureProofs = []Proof{stampedBy("clock", ProofTimestamp, use, day)}
		expectRuling(t, day, a.Rule(use), want)
	}
}

func TestCurrent(t *testing.T) {
	h := newHistory(t)
	for name, tc := range map[string]struct {
		day   string
		opts  Options
		want  Outcome
		notes int
	}{
		"now":              {"2026-06-01", Options{}, Granted, 0},
		"last moment":      {"2026-12-31", Options{}, Granted, 0},
		"expired":          {"2027-01-01", Options{}, Unproved, 0},
		"expired, allowed": {"2027-01-01", Options{AllowExpired: true}, Granted, 1},
		"not needed":       {"2026-06-01", Options{AllowExpired: true}, Granted, 0},
		"clock behind":     {"2025-12-30", Options{}, Unproved, 0},
		"clock far behind": {"2020-01-01", Options{AllowExpired: true}, Unproved, 0},
		"clock skewed":     {"2025-12-31", Options{}, Granted, 0},
	} {
		f := h.at(tc.day, tc.opts).Facts()
		if f.Current != tc.want || len(f.Notes) != tc.notes || (f.Current != Granted) != (f.CurrentReason != "" && f.CurrentHint != "") {
			t.Errorf("%s: %+v", name, f)
		}
		if f.Mode != "root" || f.Pin != h.pin() || f.Digest != h.pin() || f.Version != 1 || f.KeyID != "" || !f.Expires.Equal(date("2027-01-01")) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if n := h.at("2026-06-01", Options{}).Threshold(Root); n != 2 {
		t.Errorf("threshold of root: %d", n)
	}
	if n := h.at("2026-06-01", Options{}).Threshold(Releaser); n != 1 {
		t.Errorf("threshold of releaser: %d", n)
	}
}

func TestSingleKey(t *testing.T) {
	k := signer("releaser").Public()
	a := SingleKey(k)
	expectRuling(t, "its key", a.Rule(byReleaser()), Granted, "no roles, no scopes, no revocation")
	other := byReleaser()
	other.KeyID = keyid("stranger")
	expectRuling(t, "another key", a.Rule(other), Denied, "signed by "+other.KeyID+", expected "+k.KeyID())
	verdict := byReleaser()
	verdict.Role, verdict.PredicateType = "", vsa
	expectRuling(t, "a verdict", a.Rule(verdict), Denied, "one package alone")
	act := byReleaser()
	act.Role, act.PredicateType = "", request
	expectRuling(t, "an act", a.Rule(act), Denied, "one package alone")
	act.Role = Requester
	expectRuling(t, "a role", a.Rule(act), Denied)
	expectRuling(t, "an identity", a.Rule(Use{Identity: Identity{"a", "b"}, Role: Releaser}), Denied, "b of a")
	none := SingleKey(envelope.PublicKey{})
	expectRuling(t, "no key", none.Rule(byReleaser()), Denied, "expected no key")
	expectRuling(t, "no key, no keyid", none.Rule(Use{Role: Releaser}), Denied)
	expectRuling(t, "no key, its keyid", none.Rule(Use{KeyID: envelope.PublicKey{}.KeyID(), Role: Releaser}), Denied)
	if f := a.Facts(); f.Mode != "key" || f.KeyID != k.KeyID() || f.Current == Granted || f.CurrentReason == "" {
		t.Errorf("facts %+v", f)
	}
	if _, ok := a.Key(keyid("stranger")); ok {
		t.Error("knows another key")
	}
}

func TestOutcomes(t *testing.T) {
	var zero Outcome
	if zero != Denied || Unproved == Granted {
		t.Error("the zero outcome is not the refusal")
	}
	for o, want := range map[Outcome]string{Denied: "denied", Unproved: "unproved", Granted: "granted", 9: "outcome 9"} {
		if o.String() != want {
			t.Errorf("%d prints %s", int(o), o)
		}
	}
}

// Each role and each predicate type of the design's table.
func TestRoleTable(t *testing.T) {
	for role, names := range map[Role]string{
		Releaser:   "release-evidence",
		Operator:   "rollout rollout-status promotion-execution rollback-execution",
		Policy:     "population policy hold lift erase legal-hold legal-hold-lift token token-revocation approval-revocation",
		Observer:   "observation",
		Requester:  "promotion-request rollback-request",
		Approver:   "approval denial approval-revocation",
		Breakglass: "promotion-execution rollback-execution",
		Verifier:   "rebuild",
		Auditor:    "export",
	} {
		for name := range strings.FieldsSeq(names) {
			if _, err := roleFor(Use{PredicateType: SchemaPrefix + name + "/v1"}, role); err != nil {
				t.Errorf("%s by %s: %v", name, role, err)
			}
		}
		for p := range predicateRoles {
			name := strings.TrimSuffix(strings.TrimPrefix(p, SchemaPrefix), "/v1")
			listed := strings.Contains(" "+names+" ", " "+name+" ")
			if _, err := roleFor(Use{PredicateType: p}, role); err == nil && !listed && strings.HasPrefix(p, SchemaPrefix) {
				t.Errorf("%s by %s", p, role)
			}
		}
	}
	for _, p := range []string{"", SchemaPrefix, SchemaPrefix + "x/v1", strings.ToUpper(SchemaPrefix) + "x", "https://github.com/rollproof/rollproof/%73chemas/x/v1", "https://github.com/rollproof%252Frollproof/schemas/x", "%zz"} {
		if roles := RolesFor(p); roles != nil {
			t.Errorf("%q is signed by %v", p, roles)
		}
	}
	roles := RolesFor(release)
	roles[0] = Approver
	if RolesFor(release)[0] != Releaser {
		t.Error("the table can be changed from outside")
	}
}
