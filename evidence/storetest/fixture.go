package storetest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
)

// Predicate types of the suite's own statements.
const (
	RolloutType   = "https://example.com/rollout/v1"
	ApprovalType  = "https://example.com/approval/v1"
	ExecutionType = "https://example.com/execution/v1"
	RollbackType  = "https://example.com/rollback/v1"
	ScanType      = "https://example.com/scan/v1"    // granted, and in no catalog
	UnknownType   = "https://example.com/unknown/v1" // granted to nobody
)

// A Story is the predicate of the suite's statements: the facts, as they are.
type Story struct {
	Facts   evidence.Facts       `json:"facts"`
	Claimed string               `json:"claimed"` // RFC 3339, or ""
	Comment string               `json:"comment"`
	KeyID   string               `json:"keyid"`
	Person  string               `json:"person"`
	Seen    *evidence.Checkpoint `json:"seen"`
}

func facts(predicateType string) func([]byte) (evidence.Facts, error) {
	return func(statement []byte) (evidence.Facts, error) {
		s, err := evidence.DecodeStatement[Story](statement, predicateType)
		if err != nil {
			return evidence.Facts{}, err
		}
		f := s.Predicate.Facts
		f.NamedKeyID, f.NamedPerson, f.Seen = s.Predicate.KeyID, s.Predicate.Person, s.Predicate.Seen
		if s.Predicate.Comment != "" {
			f.Text = []string{s.Predicate.Comment}
		}
		if s.Predicate.Claimed != "" {
			f.Claimed, err = time.Parse(time.RFC3339, s.Predicate.Claimed)
		}
		return f, err
	}
}

// A Signer is a key that follows from its name.
type Signer struct{ key ed25519.PrivateKey }

// NewSigner returns the key of a name. ada and grace may sign the suite's
// statements; nobody else is known.
func NewSigner(name string) Signer {
	seed := sha256.Sum256([]byte(name))
	return Signer{ed25519.NewKeyFromSeed(seed[:])}
}

// Public returns the verifying half.
func (s Signer) Public() envelope.PublicKey {
	k, err := envelope.NewPublicKey(s.key.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return k
}

// Sign signs a message.
func (s Signer) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key, message), nil }

// Start is the time at which the suite's clocks begin.
var Start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// Intake is the suite's catalog and trust root.
var Intake = sync.OnceValue(func() evidence.Intake {
	var entries []evidence.Entry
	for name, kind := range map[string]evidence.Kind{
		RolloutType: evidence.KindRollout, ApprovalType: evidence.KindApproval,
		ExecutionType: evidence.KindPromotionExecution, RollbackType: evidence.KindRollbackExecution,
	} {
		entries = append(entries, evidence.Entry{PredicateType: name, Roles: []trust.Role{trust.Attest}, Kind: kind, Facts: facts(name)})
	}
	catalog, err := evidence.NewCatalog(entries...)
	if err != nil {
		panic(err)
	}
	return evidence.Intake{Catalog: catalog, Authority: authority()}
})

func authority() trust.Authority {
	root := NewSigner("root")
	edit := trust.New(Start.AddDate(0, -1, 0), Start.AddDate(10, 0, 0))
	edit.Person(trust.Person{ID: "root", Name: "Root"})
	must(edit.AddKey(root.Public(), trust.Key{Person: "root"}))
	must(edit.Grant(trust.Grant{KeyID: root.Public().KeyID(), Role: trust.Root}))
	for id, name := range map[string]string{"ada": "Ada", "grace": "Grace"} {
		key := NewSigner(id).Public()
		edit.Person(trust.Person{ID: id, Name: name})
		must(edit.AddKey(key, trust.Key{Person: id}))
		must(edit.Grant(trust.Grant{KeyID: key.KeyID(), Role: trust.Attest, Projects: []string{"*"},
			PredicateTypes: []string{ApprovalType, ExecutionType, RollbackType, RolloutType, ScanType}}))
	}
	doc, err := edit.Document()
	must(err)
	data, err := doc.Marshal()
	must(err)
	bundle, err := envelope.Sign(root, trust.PayloadType, data)
	must(err)
	signature, err := bundle.Marshal()
	must(err)
	chain, err := trust.Load(map[string][]byte{trust.FileName(1): data, trust.BundleName(1, root.Public()): signature}, trust.Digest(data))
	must(err)
	a, err := chain.At(Start, trust.Options{})
	must(err)
	return a
}

func must(err error) {
	if err != nil {
		panic(err) // the fixture is constant
	}
}

// Envelope returns a signed statement as a bundle.
func Envelope(s Signer, predicateType string, subjects []evidence.Subject, story Story) []byte {
	payload, err := envelope.Encode(evidence.NewStatement(predicateType, subjects, story))
	must(err)
	signature, err := s.Sign(envelope.PAE(evidence.PayloadType, payload)) // larger than what envelope.Sign takes
	must(err)
	data, err := envelope.Bundle{PayloadType: evidence.PayloadType, Payload: payload, KeyID: s.Public().KeyID(), Signature: signature}.Marshal()
	must(err)
	return data
}

// Subject returns a subject whose sha256 is that of its name.
func Subject(name string) evidence.Subject {
	return evidence.FileSubject(name, evidence.SHA256([]byte(name)))
}

// Rollout returns the envelope of the n-th rollout by ada.
func Rollout(n int) []byte {
	story := Story{Facts: evidence.Facts{
		Project: "age", Version: fmt.Sprintf("v1.0.%d", n), ChangeRecord: fmt.Sprintf("CHG-%d", n), Environment: "production", Ring: "pilot",
		RolloutStatus: "planned", Rollout: fmt.Sprintf("rollout-%d", n), DeploymentTargets: []string{"linux-amd64", "runner"},
	}}
	return Envelope(NewSigner("ada"), RolloutType, []evidence.Subject{Subject(fmt.Sprintf("bin/age_%d", n))}, story)
}

// Examine returns what an envelope becomes.
func Examine(t testing.TB, data []byte) evidence.Record {
	t.Helper()
	r, err := Intake().Examine(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Add records envelopes in one transaction.
func Add(t testing.TB, s evidence.Store, envelopes ...[]byte) []evidence.Added {
	t.Helper()
	var records []evidence.Record
	for _, data := range envelopes {
		records = append(records, Examine(t, data))
	}
	added, err := evidence.Add(t.Context(), s, records)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// Problems verifies the whole store and returns what it found, one line each.
func Problems(t testing.TB, s evidence.Reader) []string {
	t.Helper()
	report, err := Intake().VerifyAll(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range report.Problems {
		lines = append(lines, p.String())
	}
	return lines
}

// Sound fails where the whole store does not verify.
func Sound(t testing.TB, s evidence.Reader) {
	t.Helper()
	for _, p := range Problems(t, s) {
		t.Error(p)
	}
}
