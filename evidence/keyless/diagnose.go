package keyless

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	sumdb "golang.org/x/mod/sumdb/tlog"
)

var errNoTime = errors.New("nothing tells when it was signed: no log's promise, and no token of a timestamp authority, that the trusted root names")

// diagnose names the stage at which sigstore-go refused a bundle. It asks the parts
// of sigstore-go one by one; it never turns a refusal into anything else.
func (a *attempt) diagnose(refusal error) *StageError {
	for _, probe := range []struct {
		stage Stage
		run   func() error
	}{
		{StageKey, a.signedOtherwise},
		{StageKey, a.signedByAnotherKey},
		{StageCertificate, a.loggedOutsideValidity},
		{StageLog, a.badLogEntry},
		{StageTimestamp, a.badTime},
		{StageCertificate, a.badChain},
		{StageSignature, func() error { return a.badSignature(refusal) }},
	} {
		if err := probe.run(); err != nil {
			return &StageError{probe.stage, err}
		}
	}
	var identity *verify.ErrNoMatchingCertificateIdentity
	switch {
	case errors.As(refusal, &identity):
		return &StageError{StageIdentity, innermost(identity)}
	case errors.Is(refusal, bundle.ErrDecodingJSON):
		return &StageError{StageParse, errors.New("the signed payload is no in-toto statement")}
	}
	if sum := a.artifact.sum(a.witness, crypto.SHA256); sum != nil {
		return &StageError{StageArtifact, fmt.Errorf("not about sha256:%x: %w", sum, inner(refusal))}
	}
	return &StageError{StageArtifact, inner(refusal)}
}

// inner drops sigstore-go's outermost sentence, which the stage's name replaces.
func inner(err error) error {
	if e := errors.Unwrap(err); e != nil {
		return e
	}
	return err
}

// innermost returns the last of the reasons why no identity matched; there is one
// identity, so it is the only one.
func innermost(err *verify.ErrNoMatchingCertificateIdentity) error {
	if reasons := err.Unwrap(); len(reasons) > 0 {
		return reasons[len(reasons)-1]
	}
	return err
}

// signedOtherwise finds a key where an identity was expected, and the other way round.
func (a *attempt) signedOtherwise() error {
	switch hasCertificate := a.by.Certificate() != nil; {
	case hasCertificate && a.byKey():
		return errors.New("signed with a certificate, expected a key")
	case !hasCertificate && !a.byKey():
		return errors.New("signed with a key, expected a certificate")
	}
	return nil
}

// signedByAnotherKey finds a bundle that names another key than the expected one, by
// its hint or by its log entries.
func (a *attempt) signedByAnotherKey() error {
	k, ok := a.signer.(Key)
	if !ok {
		return nil
	}
	if hint := a.by.PublicKey().Hint(); isFingerprint(hint) && !slices.Contains(fingerprints(k), hint) {
		return fmt.Errorf("signed by %s, expected %s", hint, fingerprintLike(hint, k))
	}
	if !a.demand.log || a.logged(a.by) == nil {
		return nil
	}
	if a.logged(lenient{a.by, true}) == nil && a.logged(lenient{a.by, false}) != nil {
		return fmt.Errorf("the log entry is about another key than %s", k.public.KeyID())
	}
	return nil
}

// fingerprints are the two ways in which clients name a key: rollproof's, which is
// OpenSSH's, and cosign's, the base64 of the sha256 of the SPKI.
func fingerprints(k Key) []string {
	names := []string{k.public.KeyID()}
	if der, err := x509.MarshalPKIXPublicKey(k.public.Crypto()); err == nil {
		sum := sha256.Sum256(der)
		names = append(names, base64.StdEncoding.EncodeToString(sum[:]))
	}
	return names
}

func isFingerprint(hint string) bool {
	if sum, ok := strings.CutPrefix(hint, "SHA256:"); ok {
		raw, err := base64.RawStdEncoding.DecodeString(sum)
		return err == nil && len(raw) == sha256.Size
	}
	raw, err := base64.StdEncoding.DecodeString(hint)
	return err == nil && len(raw) == sha256.Size
}

// fingerprintLike names k in the way that hint names its key.
func fingerprintLike(hint string, k Key) string {
	names := fingerprints(k)
	if strings.HasPrefix(hint, "SHA256:") {
		return names[0]
	}
	return names[len(names)-1]
}

// A view is a bundle of which a part is replaced, for one question.
type view struct {
	*bundle.Bundle
	by      verify.VerificationContent
	entries []*tlog.Entry
}

func (v view) VerificationContent() (verify.VerificationContent, error) { return v.by, nil }
func (v view) TlogEntries() ([]*tlog.Entry, error)                      { return v.entries, nil }

// lenient is verification material that is valid at every time and, when asked for,
// equals every key. Log entries may only be looked into once sigstore-go has verified
// them: its getters panic on malformed ones.
type lenient struct {
	verify.VerificationContent
	anyKey bool
}

func (lenient) ValidAtTime(time.Time, root.TrustedMaterial) bool { return true }

func (l lenient) CompareKey(key any, m root.TrustedMaterial) bool {
	return l.anyKey || l.VerificationContent.CompareKey(key, m)
}

// logged lets sigstore-go verify the log entries for the given material.
func (a *attempt) logged(by verify.VerificationContent) error {
	_, err := verify.VerifyTlogEntry(view{a.bundle, by, a.entries}, a.material, 1, true)
	return err
}

// loggedOutsideValidity finds good log entries whose time the certificate does not
// cover.
func (a *attempt) loggedOutsideValidity() error {
	leaf := a.by.Certificate()
	if leaf == nil || !a.demand.log || a.logged(a.by) == nil || a.logged(lenient{a.by, false}) != nil {
		return nil
	}
	for _, e := range a.entries {
		if t := e.IntegratedTime(); !t.IsZero() && !a.by.ValidAtTime(t, a.material) {
			return fmt.Errorf("logged at %s, outside of the certificate's validity, %s", stamp(t), validity(leaf))
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func validity(c *x509.Certificate) string {
	return stamp(c.NotBefore) + " to " + stamp(c.NotAfter)
}

// badLogEntry finds out why no log entry counts.
func (a *attempt) badLogEntry() error {
	if !a.demand.log {
		return nil
	}
	refusal := a.logged(a.by)
	if refusal == nil {
		return nil
	}
	logs := a.root.RekorLogs()
	if len(a.entries) == 0 {
		return fmt.Errorf("no log entry; logs that the trusted root names: %d", len(logs))
	}
	foreign := 0
	for _, e := range a.entries {
		id := hex.EncodeToString([]byte(e.LogKeyID()))
		if _, ok := logs[id]; !ok {
			foreign++
			continue
		}
		if e.HasInclusionPromise() {
			if err := tlog.VerifySET(e, logs); err != nil {
				return fmt.Errorf("the inclusion promise of entry %d: %w", e.LogIndex(), err)
			}
		}
		if e.HasInclusionProof() && !leadsToRoot(e) {
			return fmt.Errorf("the inclusion proof of entry %d does not lead to the root hash that it names", e.LogIndex())
		}
	}
	if foreign == len(a.entries) {
		return fmt.Errorf("no entry of a log that the trusted root names: the bundle's is of log %x", a.entries[0].LogKeyID())
	}
	return refusal
}

// leadsToRoot reports whether an inclusion proof is one (RFC 6962 section 2.1.1),
// whoever signed its root hash.
func leadsToRoot(e *tlog.Entry) bool {
	p := e.TransparencyLogEntry().GetInclusionProof()
	if len(p.GetRootHash()) != sumdb.HashSize {
		return false
	}
	var path sumdb.RecordProof
	for _, h := range p.GetHashes() {
		if len(h) != sumdb.HashSize {
			return false
		}
		path = append(path, sumdb.Hash(h))
	}
	leaf := sumdb.RecordHash(e.TransparencyLogEntry().GetCanonicalizedBody())
	return sumdb.CheckRecord(path, p.GetTreeSize(), sumdb.Hash(p.GetRootHash()), p.GetLogIndex(), leaf) == nil
}

// badTime finds out why no time counts.
func (a *attempt) badTime() error {
	if a.demand.signedTime {
		tokens, reasons, err := verify.VerifySignedTimestamp(a.bundle, a.material)
		if err != nil {
			return err
		}
		if len(tokens) == 0 {
			return fmt.Errorf("no token of a timestamp authority that the trusted root names: %w", errors.Join(reasons...))
		}
	}
	if times, err := a.times(); err != nil || len(times) > 0 || a.byKey() {
		return err
	}
	return errNoTime
}

// times are the times that sigstore-go holds the certificate against.
func (a *attempt) times() ([]time.Time, error) {
	var times []time.Time
	if a.demand.logTime {
		logged, err := verify.VerifyTlogEntry(a.bundle, a.material, 1, true)
		if err != nil {
			return nil, err
		}
		for _, t := range logged {
			times = append(times, t.Time)
		}
	}
	if a.demand.signedTime {
		tokens, err := verify.VerifySignedTimestampWithThreshold(a.bundle, a.material, 1)
		if err != nil {
			return nil, err
		}
		for _, t := range tokens {
			times = append(times, t.Time)
		}
	}
	return times, nil
}

// badChain finds out why the certificate does not count.
func (a *attempt) badChain() error {
	leaf := a.by.Certificate()
	if leaf == nil {
		return nil
	}
	if _, err := certificate.SummarizeCertificate(leaf); err != nil {
		return err
	}
	// Go's verifier knows no OtherName, which Fulcio uses for user names.
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(leaf.UnhandledCriticalExtensions, cryptoutils.SANOID.Equal)
	times, err := a.times()
	if err != nil {
		return err
	}
	var chains [][]*x509.Certificate
	for _, t := range times {
		if t.Before(leaf.NotBefore) || t.After(leaf.NotAfter) {
			return fmt.Errorf("signed at %s, outside of the certificate's validity, %s", stamp(t), validity(leaf))
		}
		if chains, err = verify.VerifyLeafCertificate(t, leaf, a.material); err != nil {
			return fmt.Errorf("no certificate authority of the trusted root vouches at %s for a certificate by %q", stamp(t), leaf.Issuer)
		}
	}
	if !a.demand.sct {
		return nil
	}
	if !a.hasSCT() {
		return fmt.Errorf("the certificate has no SCT; CT logs that the trusted root names: %d", len(a.root.CTLogs()))
	}
	return verify.VerifySignedCertificateTimestamp(chains, 1, a.material)
}

// badSignature finds a signature that does not match what the bundle itself says was
// signed.
func (a *attempt) badSignature(refusal error) error {
	message := a.signed.MessageSignatureContent()
	if message == nil {
		return verify.VerifySignature(a.signed, a.by, a.material)
	}
	var identity *verify.ErrNoMatchingCertificateIdentity
	if errors.As(refusal, &identity) || a.artifact.differs(a.witness, a.messageHash(), message.Digest()) {
		return nil
	}
	return inner(refusal)
}

// messageHash is the hash that a message signature's digest is made with, 0 for none
// or an unknown one.
func (a *attempt) messageHash() crypto.Hash {
	message := a.signed.MessageSignatureContent()
	if message == nil {
		return 0
	}
	switch message.DigestAlgorithm() {
	case "SHA2_256":
		return crypto.SHA256
	case "SHA2_384":
		return crypto.SHA384
	case "SHA2_512":
		return crypto.SHA512
	}
	return 0
}
