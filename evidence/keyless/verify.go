package keyless

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// The sizes in bytes of the largest bundle and the largest trusted root that are read.
const (
	MaxBundle      = envelope.MaxDocument
	MaxTrustedRoot = 4 << 20
)

// Options excuse what a bundle lacks. The zero value excuses nothing. What a bundle
// has must be good all the same.
type Options struct {
	AllowNoLogEntry bool // a bundle without any log entry
	AllowNoSCT      bool // a certificate without any SCT
}

// A Verifier verifies bundles against one trusted root. It may be used by several
// goroutines at once.
type Verifier struct {
	root    root.TrustedMaterial
	given   bool // a trusted root was given
	options Options
}

// New takes the bytes of a trusted_root.json, or nil to verify signatures by keys
// alone. The error is a [*StageError] of StageParse.
func New(trustedRoot []byte, o Options) (*Verifier, error) {
	if trustedRoot == nil {
		return &Verifier{root: &root.BaseTrustedMaterial{}, options: o}, nil
	}
	if len(trustedRoot) > MaxTrustedRoot {
		return nil, &StageError{StageParse, fmt.Errorf("a trusted root of %d bytes, the limit is %d", len(trustedRoot), MaxTrustedRoot)}
	}
	r, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return nil, &StageError{StageParse, fmt.Errorf("not a trusted root: %w", err)}
	}
	return &Verifier{root: r, given: true, options: o}, nil
}

// Verify checks that signer signed a bundle about artifact. Evidence that does not
// hold gives a [*StageError]. Other errors say that the question can't be answered:
// [ErrNeedsContent], [ErrNeedsRoot], and those of the artifact's reader.
func (v *Verifier) Verify(data []byte, artifact Artifact, signer Signer) (r *Result, err error) {
	// Hundreds of generated parsers stand behind this call. A panic of one of them is
	// a refusal, not the end of the program.
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, &StageError{StageParse, fmt.Errorf("sigstore-go can't read it: %v", p)}
		}
	}()
	return v.verify(data, artifact, signer)
}

func (v *Verifier) verify(data []byte, artifact Artifact, signer Signer) (*Result, error) {
	if _, keyless := signer.(Identity); keyless && !v.given {
		return nil, ErrNeedsRoot
	}
	a, err := v.parse(data, signer)
	if err != nil {
		return nil, err
	}
	if a.pureMessage() && artifact.reader == nil {
		return nil, ErrNeedsContent
	}
	a.artifact = artifact
	found, err := a.decide()
	switch {
	case a.witness.err != nil:
		return nil, a.witness.err
	case err != nil:
		return nil, a.diagnose(err)
	}
	return a.result(found), nil
}

// An attempt is the verification of one bundle.
type attempt struct {
	*Verifier
	bundle   *bundle.Bundle
	entries  []*tlog.Entry
	tokens   [][]byte
	signed   verify.SignatureContent
	by       verify.VerificationContent
	signer   Signer
	material root.TrustedMaterial
	demand   demand
	artifact Artifact
	witness  *witness
}

// A demand is what a bundle must bring.
type demand struct {
	log        bool // an entry of a log that the trusted root names
	logTime    bool // the time of such an entry's promise
	signedTime bool // a token of a timestamp authority that the trusted root names
	sct        bool // an SCT of a CT log that the trusted root names
	excused    []Weakening
}

func (v *Verifier) parse(data []byte, signer Signer) (*attempt, error) {
	if len(data) > MaxBundle {
		return nil, &StageError{StageParse, fmt.Errorf("a bundle of %d bytes, the limit is %d", len(data), MaxBundle)}
	}
	a := &attempt{Verifier: v, bundle: new(bundle.Bundle), signer: signer, material: signer.material(v.root)}
	if err := a.bundle.UnmarshalJSON(data); err != nil {
		return nil, &StageError{StageParse, err}
	}
	var err, byErr error
	a.entries, err = a.bundle.TlogEntries()
	if err == nil {
		a.tokens, err = a.bundle.Timestamps()
	}
	if err == nil {
		a.signed, err = a.bundle.SignatureContent()
	}
	a.by, byErr = a.bundle.VerificationContent()
	if errors.Is(byErr, bundle.ErrMissingVerificationMaterial) {
		err = byErr
	}
	switch {
	case err != nil:
		return nil, &StageError{StageParse, err}
	case byErr != nil:
		return nil, &StageError{StageCertificate, byErr}
	}
	a.demand = a.demands()
	return a, nil
}

// demands draws from the trusted root what the bundle must bring.
func (a *attempt) demands() demand {
	d := demand{
		log:        len(a.root.RekorLogs()) > 0,
		signedTime: len(a.root.TimestampingAuthorities()) > 0 && len(a.tokens) > 0,
		sct:        len(a.root.CTLogs()) > 0 && !a.byKey(),
	}
	if a.options.AllowNoLogEntry {
		w := Weakening{Flag: "--allow-no-log-entry", Checks: []string{}}
		if d.log && len(a.entries) == 0 {
			d.log, w.Checks = false, []string{checkLog}
		}
		d.excused = append(d.excused, w)
	}
	if a.options.AllowNoSCT {
		w := Weakening{Flag: "--allow-no-sct", Checks: []string{}}
		if d.sct && !a.hasSCT() {
			d.sct, w.Checks = false, []string{checkSCT}
		}
		d.excused = append(d.excused, w)
	}
	d.logTime = d.log && a.bundle.HasInclusionPromise()
	return d
}

// byKey reports whether a key was expected.
func (a *attempt) byKey() bool {
	_, ok := a.signer.(Key)
	return ok
}

// pureMessage reports whether the bundle is one whose signature needs the artifact's
// bytes, not only a digest.
func (a *attempt) pureMessage() bool {
	k, ok := a.signer.(Key)
	return ok && k.public.Algorithm() == "ed25519" && a.signed.MessageSignatureContent() != nil
}

// sctList is the extension that holds a certificate's SCTs (RFC 6962 section 3.3).
var sctList = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

func (a *attempt) hasSCT() bool {
	leaf := a.by.Certificate()
	if leaf == nil {
		return false
	}
	for _, e := range leaf.Extensions {
		if e.Id.Equal(sctList) {
			return true
		}
	}
	return false
}

// options are the demands as sigstore-go takes them. A key's signature needs no time;
// a certificate without a demand for one gets an error from sigstore-go.
func (d demand) options(byKey bool) []verify.VerifierOption {
	var o []verify.VerifierOption
	if d.log {
		o = append(o, verify.WithTransparencyLog(1))
	}
	if d.logTime {
		o = append(o, verify.WithIntegratedTimestamps(1))
	}
	if d.signedTime {
		o = append(o, verify.WithSignedTimestamps(1))
	}
	if d.sct {
		o = append(o, verify.WithSignedCertificateTimestamps(1))
	}
	if byKey && !d.logTime && !d.signedTime {
		o = append(o, verify.WithNoObserverTimestamps())
	}
	return o
}

// decide lets sigstore-go verify everything.
func (a *attempt) decide() (*verify.VerificationResult, error) {
	var subject verify.ArtifactPolicyOption
	a.witness, subject = a.artifact.watch(a.messageHash(), a.needsWhole())
	policy, err := a.signer.policy()
	if err != nil {
		return nil, err
	}
	v, err := verify.NewVerifier(a.material, a.demand.options(a.byKey())...)
	if err != nil {
		return nil, errNoTime
	}
	return v.Verify(a.entity(), verify.NewPolicy(subject, policy))
}

// A versionless bundle is verified with the one hash that belongs to its key.
type versionless struct{ *bundle.Bundle }

func (versionless) Version() (string, error) { return "", nil }

// entity is the bundle as sigstore-go verifies it. For a bundle with a version it
// reads the artifact into memory and tries a second hash, which it also says on
// stderr; only certificates over P-384 and P-521 have a second hash to try.
func (a *attempt) entity() verify.SignedEntity {
	if a.twoHashes() {
		return a.bundle
	}
	return versionless{a.bundle}
}

// twoHashes reports whether the age of the client that signed decides about the hash.
func (a *attempt) twoHashes() bool {
	leaf := a.by.Certificate()
	if leaf == nil {
		return false
	}
	k, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	return ok && k.Curve != elliptic.P256()
}

// needsWhole reports whether sigstore-go reads the artifact into memory.
func (a *attempt) needsWhole() bool {
	return a.signed.MessageSignatureContent() != nil && (a.twoHashes() || a.pureMessage())
}
