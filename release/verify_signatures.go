package release

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/schemas"
)

// A Closing is the predicate of the closing statement.
type Closing struct {
	Release Identity `json:"release"`
	// Manifest is the sha256 of release-evidence.json, in hex.
	Manifest string `json:"manifest"`
}

// closingName matches the closing bundles of further releasers: the first 16 hex
// digits of the sha256 of the signing key in SSH wire format.
var closingName = regexp.MustCompile(`^release-evidence\.[0-9a-f]{16}\.sigstore\.json$`)

// ClosingName returns the name of the closing bundle that a further releaser adds.
func ClosingName(k envelope.PublicKey) string {
	return "release-evidence." + evidence.SHA256(k.Blob())[:16] + bundleSuffix
}

// IsClosing reports whether a file of a package is a closing bundle by its name.
func IsClosing(path string) bool { return path == ClosingFile || closingName.MatchString(path) }

// ClosingStatement returns the bytes of a package's closing statement, unverified:
// the statement whose digest names the act of releasing.
func ClosingStatement(c Container) ([]byte, error) {
	f, err := c.Open(ClosingFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBundle))
	if err != nil {
		return nil, err
	}
	b, err := envelope.ParseBundle(data)
	if err != nil {
		return nil, err
	}
	_, err = evidence.DecodeStatement[Closing](b.Payload, evidence.ReleaseEvidence)
	return b.Payload, err
}

// closingBundles are the files that may be there beside the closing statement's
// subjects.
func (v *verification) closingBundles() map[string]bool {
	set := map[string]bool{}
	for path := range v.files {
		if IsClosing(path) {
			set[path] = true
		}
	}
	return set
}

// A signedFile is a bundle that verified under a key which may sign it.
type signedFile struct {
	bundle envelope.Bundle
	signer trust.Signer
}

// verifyBundle checks one bundle: encoding, signature, and whether its key may sign
// this predicate type. Nothing is added to the verdict.
func (v *verification) verifyBundle(path, predicateType string) (signedFile, *problem) {
	hint := "the package was changed, or the key is not the one that made it"
	data, err := v.read(path, maxBundle)
	if err != nil {
		return signedFile{}, new(wrong(path, "a signed statement", archive.Printable(err.Error()), hint))
	}
	b, err := envelope.ParseBundle(data)
	if err != nil {
		return signedFile{}, new(wrong(path, "a Sigstore bundle in its exact encoding", archive.Printable(err.Error()), hint))
	}
	if b.PayloadType != evidence.PayloadType {
		return signedFile{}, new(wrong(path, "payload type "+evidence.PayloadType, "payload type "+archive.Printable(b.PayloadType), hint))
	}
	signer, p := v.authorize(path, b.KeyID, predicateType, b.Verify)
	return signedFile{b, signer}, p
}

// authorize checks a signature under the authority's own key, then asks whether that
// key may be used so.
func (v *verification) authorize(path, keyid, predicateType string, verify func(envelope.PublicKey) error) (trust.Signer, *problem) {
	if v.opts.Authority == nil {
		return trust.Signer{}, new(wrong(path, "a key or trust root to verify with", "none was given", "give --key PUB, received on another way than the package"))
	}
	use := v.use(keyid, predicateType)
	key, known := v.opts.Authority.Key(keyid)
	if known {
		if err := verify(key); err != nil {
			return trust.Signer{}, new(wrong(path, "a signature by "+key.KeyID(), err.Error(), "the file or its signature was changed after signing"))
		}
	}
	ruling := v.opts.Authority.Rule(use)
	if !known || ruling.Outcome != trust.Granted {
		return ruling.Signer, &problem{path, "a signature that counts", archive.Printable(ruling.Reason), ruling.Hint, known && ruling.Outcome == trust.Unproved}
	}
	v.note(ruling.Notes...)
	return ruling.Signer, nil
}

// checkTrust says what the verdict stands on, and refuses to stand on nothing.
func (v *verification) checkTrust() {
	if v.opts.Authority == nil {
		v.verdict.Trust = TrustUsed{Mode: "none"}
		if v.unsigned() {
			v.notChecked(checkTrust, "", "a dry run is unsigned")
			return
		}
		v.fail(checkTrust, "", "a key or trust root from outside the package", "none was given", "give --key PUB, received on another way than the package")
		return
	}
	f := v.opts.Authority.Facts()
	v.verdict.Trust = TrustUsed{Mode: f.Mode, KeyID: f.KeyID, Pin: f.Pin, Digest: f.Digest, Version: f.Version}
	if f.Mode == "root" {
		v.verdict.Trust.Issued, v.verdict.Trust.Expires = f.Issued.Format(time.RFC3339), f.Expires.Format(time.RFC3339)
		v.verdict.Trust.AgeDays = int(f.Age.Hours() / 24)
	}
	v.note(f.Notes...)
	switch {
	case f.Mode == "key" || f.Current == trust.Granted:
		v.pass(checkTrust, "")
	case f.Current == trust.Unproved:
		v.add(Check{ID: checkTrust, Result: NotChecked, Expected: "a trust root that is current", Actual: f.CurrentReason, Hint: f.CurrentHint})
	default:
		v.fail(checkTrust, "", "a trust root that is current", f.CurrentReason, f.CurrentHint)
	}
}

// checkClosing checks every closing bundle, that they sign one statement, that
// enough persons did, and that its subjects are exactly the files of layers 0 to 3.
func (v *verification) checkClosing() {
	if v.manifest != nil && v.manifest.DryRun {
		v.skipUnsigned(checkClosingSignature, checkClosingSubjects)
		return
	}
	var payload []byte
	var problems []problem
	signers := map[string]bool{}
	for _, path := range sortedKeys(v.closingBundles(), map[string]bool{ClosingFile: true}) {
		v.standOn(path)
		signed, p := v.verifyBundle(path, evidence.ReleaseEvidence)
		if p == nil && path != ClosingFile {
			p = v.checkClosingName(path, signed.bundle.KeyID)
		}
		switch {
		case p != nil:
			problems = append(problems, *p)
		case payload != nil && string(payload) != string(signed.bundle.Payload):
			problems = append(problems, wrong(path, "the statement of "+ClosingFile, "another statement", "sign the package again: rollproof release sign"))
		default:
			payload = signed.bundle.Payload
			signers[personOf(signed.signer)] = true
			v.verdict.Signers = append(v.verdict.Signers, describeSigner(signed.signer))
		}
	}
	if v.opts.Authority != nil && len(problems) == 0 {
		if need := v.opts.Authority.Threshold(trust.Releaser); len(signers) < need {
			problems = append(problems, wrong(ClosingFile, fmt.Sprintf("signatures by %d persons", need), fmt.Sprintf("by %d", len(signers)), "let another releaser sign: rollproof release sign"))
		}
	}
	v.standOn(ClosingFile)
	slices.Sort(v.verdict.Signers)
	v.outcome(checkClosingSignature, ClosingFile, problems)
	v.checkSubjects(payload)
}

// standOn makes the closing statement of a bundle the one whose age is asked for when
// a signature's key was revoked: every other signature of the package is older.
func (v *verification) standOn(path string) {
	v.closing, v.closingFile = [32]byte{}, [32]byte{}
	data, err := v.read(path, maxBundle)
	if err != nil {
		return
	}
	if b, err := envelope.ParseBundle(data); err == nil {
		v.closing, v.closingFile = sha256.Sum256(b.Payload), sha256.Sum256(data)
	}
}

func (v *verification) checkClosingName(path, keyid string) *problem {
	if key, ok := v.opts.Authority.Key(keyid); ok && path != ClosingName(key) {
		return new(wrong(path, "the name "+ClosingName(key)+" for a signature by "+keyid, path, "rename the file"))
	}
	return nil
}

func describeSigner(s trust.Signer) string {
	if s.Person == "" {
		return s.KeyID
	}
	return archive.Printable(fmt.Sprintf("%s (%s), %s %s", s.Person, s.Name, s.Role, s.KeyID))
}

// personOf is what a threshold counts.
func personOf(s trust.Signer) string {
	if s.Person != "" {
		return s.Person
	}
	return s.KeyID
}

// checkSubjects compares the closing statement's subjects with the files.
func (v *verification) checkSubjects(payload []byte) {
	if payload == nil {
		v.notChecked(checkClosingSubjects, "", "no closing statement verified")
		return
	}
	s, err := evidence.DecodeStatement[Closing](payload, evidence.ReleaseEvidence)
	if err == nil {
		err = schemas.ValidateStatement(payload)
	}
	if err != nil {
		v.fail(checkClosingSubjects, ClosingFile, "a release-evidence statement", archive.Printable(err.Error()), "the package was made by something else")
		return
	}
	v.identities = append(v.identities, sourcedIdentity{ClosingFile, s.Predicate.Release})
	said, problems := subjectsOf(s.Subject)
	actual := map[string]string{}
	for path, f := range v.files {
		if !v.closingBundles()[path] {
			actual[path] = f.sha256
		}
	}
	problems = append(problems, differences(said, actual, "a subject of the closing statement")...)
	if digest := v.files[ManifestFile].sha256; s.Predicate.Manifest != digest {
		problems = append(problems, wrong(ManifestFile, "sha256 "+archive.Printable(s.Predicate.Manifest), "sha256 "+digest, "the file was changed after packaging"))
	}
	v.outcome(checkClosingSubjects, "", problems)
}

// skipUnsigned records that a dry run has no signatures to check.
func (v *verification) skipUnsigned(ids ...string) {
	for _, id := range ids {
		v.notChecked(id, "", "a dry run is unsigned")
	}
}

// checkSignatures checks the detached signature of each file that must carry one.
func (v *verification) checkSignatures() {
	switch {
	case v.manifest == nil:
		v.notChecked(checkSignature, "", noManifest)
		return
	case v.manifest.DryRun:
		v.skipUnsigned(checkSignature)
		return
	}
	for _, f := range v.manifest.Files {
		if !signedRoles[f.Role] {
			continue
		}
		p := v.checkDetached(f.Path)
		if p != nil {
			p.subject = f.Path // and not its bundle
		}
		v.outcome(checkSignature, f.Path, problemList(p))
	}
}

func (v *verification) checkDetached(path string) *problem {
	signed, p := v.verifyBundle(BundlePath(path), evidence.DetachedSignature)
	if p != nil {
		return p
	}
	if p := v.checkLayerKey(signed.bundle.KeyID); p != nil {
		return p
	}
	s, err := evidence.DecodeStatement[struct{}](signed.bundle.Payload, evidence.DetachedSignature)
	if err != nil {
		return new(wrong(path, "a statement over "+path, archive.Printable(err.Error()), "the package was made by something else"))
	}
	said, problems := subjectsOf(s.Subject)
	problems = append(problems, differences(said, map[string]string{path: v.files[path].sha256}, "signed")...)
	if len(problems) > 0 {
		return &problems[0]
	}
	return nil
}

// checkLayerKey compares a layer 2 signature's key with the manifest's keyid.
func (v *verification) checkLayerKey(keyid string) *problem {
	if v.manifest.KeyID != keyid {
		return new(wrong("", "signed by "+archive.Printable(v.manifest.KeyID)+", as the manifest says", "signed by "+keyid, "the file belongs to another package"))
	}
	return nil
}

// checkRawSignature checks checksums.txt.sig.
func (v *verification) checkRawSignature() {
	switch {
	case v.manifest == nil:
		v.notChecked(checkRawSignature, RawSignature, noManifest)
		return
	case v.manifest.DryRun:
		v.skipUnsigned(checkRawSignature)
		return
	}
	sig, err := v.read(RawSignature, maxBundle)
	data, err2 := v.read(ChecksumsFile, maxManifest)
	if err := errors.Join(err, err2); err != nil {
		v.fail(checkRawSignature, RawSignature, "64 bytes that sign checksums.txt", archive.Printable(err.Error()), "get the package again from where it was made")
		return
	}
	_, p := v.authorize(RawSignature, v.manifest.KeyID, "", func(k envelope.PublicKey) error { return envelope.VerifyRaw(k, data, sig) })
	v.outcome(checkRawSignature, RawSignature, problemList(p))
}

func problemList(p *problem) []problem {
	if p == nil {
		return nil
	}
	return []problem{*p}
}
