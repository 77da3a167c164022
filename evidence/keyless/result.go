package keyless

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// A Result is what was verified: everything in it is covered by a signature that
// holds. Names in it are still data of somebody else.
type Result struct {
	Version    string       `json:"version"`   // of the bundle: "v0.1", "v0.2" or "v0.3"
	Artifact   string       `json:"artifact"`  // "sha256:" and 64 hex digits
	Signer     SignedBy     `json:"signer"`    // who
	Statement  *Statement   `json:"statement"` // what; null for a message signature, which is about the artifact alone
	Times      []Time       `json:"times"`     // when, as others saw it
	Log        []LogEntry   `json:"log"`       // where it is on record
	NotChecked []NotChecked `json:"notChecked"`
	Weakenings []Weakening  `json:"weakenings"`
}

// SignedBy is either a key or an identity with its certificate.
type SignedBy struct {
	KeyID             string            `json:"keyid,omitempty"` // OpenSSH fingerprint
	Subject           string            `json:"subject,omitempty"`
	Issuer            string            `json:"issuer,omitempty"`
	CertificateIssuer string            `json:"certificateIssuer,omitempty"`
	Extensions        map[string]string `json:"extensions,omitempty"` // what Fulcio says about a build, by sigstore-go's names
}

// A Statement is the part of an in-toto statement that says what it is about.
type Statement struct {
	Type          string             `json:"type"`
	PredicateType string             `json:"predicateType"`
	Subjects      []evidence.Subject `json:"subjects"`
}

// A Time is when a witness saw the signature.
type Time struct {
	Witness string    `json:"witness"` // "log" or "timestamp-authority"
	URI     string    `json:"uri"`     // as the trusted root names it
	Time    time.Time `json:"time"`    // UTC
}

// A LogEntry is an entry of a transparency log that the trusted root names.
type LogEntry struct {
	URI   string `json:"uri"`   // as the trusted root names it
	LogID string `json:"logID"` // hex
	Index int64  `json:"index"`
	Kind  string `json:"kind"`  // such as "hashedrekord 0.0.1"
	Proof bool   `json:"proof"` // by an inclusion proof, not only a promise
}

// The checks that a trusted root may leave out.
const (
	checkLog  = "log"
	checkTime = "timestamp"
	checkSCT  = "sct"
)

// NotChecked is a check that was not made, and why not.
type NotChecked struct {
	Check  string `json:"check"` // "log", "timestamp" or "sct"
	Reason string `json:"reason"`
}

// A Weakening is an --allow flag that was given, and the checks that it excused.
type Weakening struct {
	Flag   string   `json:"flag"`
	Checks []string `json:"checks"`
}

// RequireType checks that a verified bundle holds a statement of a predicate type.
// The error is a [*StageError] of StageType.
func (r *Result) RequireType(predicateType string) error {
	if r.Statement == nil {
		return &StageError{StageType, &evidence.TypeError{Field: "predicateType", Got: "", Want: predicateType}}
	}
	if r.Statement.PredicateType != predicateType {
		return &StageError{StageType, &evidence.TypeError{Field: "predicateType", Got: r.Statement.PredicateType, Want: predicateType}}
	}
	return nil
}

func (a *attempt) result(found *verify.VerificationResult) *Result {
	version, _ := a.bundle.Version() // parsed before
	r := &Result{
		Version:    version,
		Artifact:   "sha256:" + hex.EncodeToString(a.artifact.sum(a.witness, crypto.SHA256)),
		Signer:     a.signedBy(found),
		Times:      []Time{},
		Log:        a.verifiedEntries(),
		NotChecked: a.notChecked(),
		Weakenings: append([]Weakening{}, a.demand.excused...),
	}
	if s := found.Statement; s != nil {
		r.Statement = &Statement{Type: s.GetType(), PredicateType: s.GetPredicateType(), Subjects: []evidence.Subject{}}
		for _, d := range s.GetSubject() {
			r.Statement.Subjects = append(r.Statement.Subjects, evidence.Subject{Name: d.GetName(), Digest: d.GetDigest()})
		}
	}
	for _, t := range found.VerifiedTimestamps {
		witness := "log"
		if t.Type == "TimestampAuthority" {
			witness = "timestamp-authority"
		}
		r.Times = append(r.Times, Time{witness, t.URI, t.Timestamp.UTC()})
	}
	return r
}

func (a *attempt) signedBy(found *verify.VerificationResult) SignedBy {
	if k, ok := a.signer.(Key); ok {
		return SignedBy{KeyID: k.public.KeyID()}
	}
	c := found.Signature.Certificate
	return SignedBy{
		Subject: c.SubjectAlternativeName, Issuer: c.Issuer, CertificateIssuer: c.CertificateIssuer,
		Extensions: extensions(c.Extensions),
	}
}

// extensions lists what a certificate says, by sigstore-go's names, without the issuer.
func extensions(e certificate.Extensions) map[string]string {
	e.Issuer = ""
	names := map[string]string{}
	data, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(data, &names)
	}
	if err != nil {
		panic(err) // a struct of strings
	}
	return names
}

// verifiedEntries lists the entries that count, each verified alone: sigstore-go
// passes over entries of other logs.
func (a *attempt) verifiedEntries() []LogEntry {
	list := []LogEntry{}
	if !a.demand.log {
		return list
	}
	for _, e := range a.entries {
		if _, err := verify.VerifyTlogEntry(view{a.bundle, a.by, []*tlog.Entry{e}}, a.material, 1, true); err != nil {
			continue
		}
		id := hex.EncodeToString([]byte(e.LogKeyID()))
		kind := e.TransparencyLogEntry().GetKindVersion()
		list = append(list, LogEntry{
			URI: a.root.RekorLogs()[id].BaseURL, LogID: id, Index: e.LogIndex(),
			Kind: kind.GetKind() + " " + kind.GetVersion(), Proof: e.HasInclusionProof(),
		})
	}
	return list
}

// notChecked lists what the trusted root left out.
func (a *attempt) notChecked() []NotChecked {
	list := []NotChecked{}
	if !a.given {
		const reason = "no trusted root was given"
		return append(list, NotChecked{checkLog, reason}, NotChecked{checkTime, reason})
	}
	if len(a.root.RekorLogs()) == 0 {
		list = append(list, NotChecked{checkLog, "the trusted root names no transparency log"})
	} else if !a.demand.log {
		list = append(list, NotChecked{checkLog, "the bundle has no log entry, which was excused"})
	}
	if len(a.tokens) > 0 && !a.demand.signedTime {
		list = append(list, NotChecked{checkTime, fmt.Sprintf("%d tokens, the trusted root names no timestamp authority", len(a.tokens))})
	} else if !a.demand.signedTime && !a.demand.logTime {
		list = append(list, NotChecked{checkTime, "the bundle tells no time, which a key does not need"})
	}
	if a.byKey() {
		return list
	}
	if len(a.root.CTLogs()) == 0 {
		list = append(list, NotChecked{checkSCT, "the trusted root names no CT log"})
	} else if !a.demand.sct {
		list = append(list, NotChecked{checkSCT, "the certificate has no SCT, which was excused"})
	}
	return list
}
