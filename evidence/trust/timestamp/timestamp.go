// Package timestamp verifies RFC 3161 tokens, so that a signature can be shown to
// be older than the day on which its key was lost.
//
// The token is over the bundle that holds the signature, byte for byte, which is
// what openssl makes of the file:
//
//	openssl ts -query -data release-evidence.sigstore.json -sha256 -cert -no_nonce -out query.tsq
//	openssl ts -reply -queryfile query.tsq -signer tsa.crt -inkey tsa.key -out reply.tsr
//
// A token is a CMS SignedData (RFC 5652) in DER with one signer, whose certificate
// it carries, around a TSTInfo (RFC 3161 section 2.4.2). The certificate serves to
// carry the key: the key counts when the trust root lists it with role timestamper,
// and no chain of certificates adds to that or takes from it. Hashes are SHA-256,
// SHA-384 or SHA-512. The signed attributes must be there and name TSTInfo as the
// content, so that nothing else that the key signed reads as a token.
//
// The time that a token shows is its genTime plus its accuracy: the signature is not
// younger than that.
package timestamp

import (
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/digitorus/pkcs7"
	rfc3161 "github.com/digitorus/timestamp"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
)

// maxToken is the size in bytes of the largest token that is read. With a chain of
// three certificates one has some 6 KiB.
const maxToken = 64 << 10

// What callers tell apart with errors.Is.
var (
	ErrMalformed = errors.New("not an RFC 3161 token")
	ErrRefused   = errors.New("the timestamping authority refused")
	ErrOther     = errors.New("the token is over other bytes")
	ErrSigner    = errors.New("the token is by an unknown key")
	ErrSignature = errors.New("the token's signature does not verify")
)

// Request returns the query, in DER, that asks for a token over bundle and for the
// certificate in it. It has no nonce: a token is no younger for having been asked
// for, and an old one does as well.
func Request(bundle []byte) ([]byte, error) {
	sum := sha256.Sum256(bundle)
	return (&rfc3161.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Certificates: true}).Marshal()
}

// response is TimeStampResp, RFC 3161 section 2.4.2.
type response struct {
	Status asn1.RawValue
	Token  asn1.RawValue `asn1:"optional"`
}

// Token takes the token out of a reply, in DER; a token alone is returned as it is.
// [ErrRefused] says why there is none.
func Token(reply []byte) ([]byte, error) {
	if err := checkDER(reply); err != nil {
		return nil, err
	}
	var content struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(reply, &content); err == nil {
		return reply, nil
	}
	var r response
	if _, err := asn1.Unmarshal(reply, &r); err != nil {
		return nil, ErrMalformed
	}
	if len(r.Token.FullBytes) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrRefused, status(r.Status))
	}
	return r.Token.FullBytes, nil
}

// status names PKIStatus (RFC 3161 section 2.4.2).
func status(raw asn1.RawValue) string {
	names := []string{"granted, without a token", "granted with modifications, without a token", "rejection", "waiting", "revocation is imminent", "revocation has occurred"}
	var code int
	if _, err := asn1.Unmarshal(raw.Bytes, &code); err != nil || code < 0 || code >= len(names) {
		return "with an unknown status"
	}
	return names[code]
}

// Verify checks a token over bundle and returns what it proves. keys finds the keys
// of the trust root, by keyid ([trust.Authority] has such a method); whether the
// key's role, owner and window let the proof count is for a ruling to say.
func Verify(token, bundle []byte, keys func(keyid string) (envelope.PublicKey, bool)) (trust.Proof, error) {
	if err := checkDER(token); err != nil {
		return trust.Proof{}, err
	}
	public, err := signer(token)
	if err != nil {
		return trust.Proof{}, err
	}
	if known, ok := keys(public.KeyID()); !ok || !known.Equal(public) {
		return trust.Proof{}, fmt.Errorf("%w: %s", ErrSigner, public.KeyID())
	}
	t, err := rfc3161.Parse(token)
	if err != nil {
		return trust.Proof{}, ErrMalformed
	}
	if !slices.Contains([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}, t.HashAlgorithm) {
		return trust.Proof{}, fmt.Errorf("%w: hashed with %v, expected SHA-256, SHA-384 or SHA-512", ErrMalformed, t.HashAlgorithm)
	}
	h := t.HashAlgorithm.New()
	h.Write(bundle)
	if sum := h.Sum(nil); !slices.Equal(sum, t.HashedMessage) {
		return trust.Proof{}, fmt.Errorf("%w: hash %x, expected %x", ErrOther, t.HashedMessage, sum)
	}
	if t.Accuracy < 0 || t.Accuracy > 24*time.Hour {
		return trust.Proof{}, fmt.Errorf("%w: an accuracy of %s", ErrMalformed, t.Accuracy)
	}
	return trust.Proof{
		Kind:     trust.ProofTimestamp,
		Envelope: sha256.Sum256(bundle),
		Time:     t.Time.Add(t.Accuracy).UTC(),
		By:       public.KeyID(),
	}, nil
}

var oidTSTInfo = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}

var digests = []asn1.ObjectIdentifier{
	pkcs7.OIDDigestAlgorithmSHA256, pkcs7.OIDDigestAlgorithmSHA384, pkcs7.OIDDigestAlgorithmSHA512,
}

// signer checks the token's signature and returns the key that made it.
func signer(token []byte) (envelope.PublicKey, error) {
	p7, err := pkcs7.Parse(token)
	if err != nil {
		return envelope.PublicKey{}, ErrMalformed
	}
	cert := p7.GetOnlySigner()
	if cert == nil {
		return envelope.PublicKey{}, fmt.Errorf("%w: %d signers and %d certificates, expected one signer with its certificate", ErrMalformed, len(p7.Signers), len(p7.Certificates))
	}
	public, err := envelope.NewPublicKey(cert.PublicKey)
	if err != nil {
		return envelope.PublicKey{}, fmt.Errorf("%w: signed with %w", ErrSigner, err)
	}
	var content asn1.ObjectIdentifier
	if err := p7.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &content); err != nil || !content.Equal(oidTSTInfo) {
		return envelope.PublicKey{}, fmt.Errorf("%w: its signed attributes do not name TSTInfo as the content", ErrMalformed)
	}
	digest := p7.Signers[0].DigestAlgorithm.Algorithm
	if !slices.ContainsFunc(digests, digest.Equal) {
		return envelope.PublicKey{}, fmt.Errorf("%w: signed over digest %s, expected SHA-256, SHA-384 or SHA-512", ErrMalformed, digest)
	}
	if err := p7.Verify(); err != nil {
		return envelope.PublicKey{}, fmt.Errorf("%w under %s", ErrSignature, public.KeyID())
	}
	return public, nil
}

// maxDepth bounds the nesting of a token; a certificate's extensions are some 12
// deep.
const maxDepth = 32

// checkDER refuses anything but one value in DER's definite lengths: the parser of
// CMS takes BER, in which one token has many encodings and depth has no bound.
func checkDER(data []byte) error {
	if len(data) > maxToken {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrMalformed, len(data), maxToken)
	}
	rest, err := walk(data, 0)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: not one value in DER", ErrMalformed)
	}
	return nil
}

func walk(data []byte, depth int) (rest []byte, err error) {
	var v asn1.RawValue
	if rest, err = asn1.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	if v.IsCompound {
		for inner := v.Bytes; len(inner) > 0; {
			if inner, err = walk(inner, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return rest, nil
}
