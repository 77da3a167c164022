package envelope

import (
	"errors"
	"fmt"
)

// MediaType is the media type of the bundles that are written and read.
const MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// A Bundle is one signed payload: a DSSE envelope with one signature, stored as a
// Sigstore bundle. A Bundle that was parsed is not verified.
type Bundle struct {
	PayloadType string
	Payload     []byte
	KeyID       string // the fingerprint that the envelope names; a hint
	Signature   []byte
}

// bundleJSON is the bundle's encoding. Field order is part of the format.
type bundleJSON struct {
	MediaType            string       `json:"mediaType"`
	VerificationMaterial materialJSON `json:"verificationMaterial"`
	DSSEEnvelope         dsseJSON     `json:"dsseEnvelope"`
}

type materialJSON struct {
	PublicKey struct {
		Hint string `json:"hint"`
	} `json:"publicKey"`
}

type dsseJSON struct {
	Payload     []byte          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []signatureJSON `json:"signatures"`
}

type signatureJSON struct {
	Sig   []byte `json:"sig"`
	KeyID string `json:"keyid"`
}

// Sign signs payload, of the given media type, with DSSE.
func Sign(s Signer, payloadType string, payload []byte) (Bundle, error) {
	sig, err := sign(s, PAE(payloadType, payload))
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{payloadType, payload, s.Public().KeyID(), sig}, nil
}

// Marshal returns the bundle's one exact encoding.
func (b Bundle) Marshal() ([]byte, error) {
	out := bundleJSON{MediaType: MediaType}
	out.VerificationMaterial.PublicKey.Hint = b.KeyID
	out.DSSEEnvelope = dsseJSON{b.Payload, b.PayloadType, []signatureJSON{{b.Signature, b.KeyID}}}
	return encode(out, "", false)
}

// ParseBundle reads a bundle. It refuses whatever [Bundle.Marshal] would not have
// written.
func ParseBundle(data []byte) (Bundle, error) {
	var in bundleJSON
	if err := decodeCompact(data, &in); err != nil {
		return Bundle{}, fmt.Errorf("not a bundle: %w", err)
	}
	if in.MediaType != MediaType {
		return Bundle{}, fmt.Errorf("not a bundle: media type %q, expected %q", in.MediaType, MediaType)
	}
	if n := len(in.DSSEEnvelope.Signatures); n != 1 {
		return Bundle{}, fmt.Errorf("not a bundle: %d signatures, expected 1", n)
	}
	sig := in.DSSEEnvelope.Signatures[0]
	if sig.KeyID != in.VerificationMaterial.PublicKey.Hint {
		return Bundle{}, fmt.Errorf("not a bundle: keyid %q differs from the hint %q", sig.KeyID, in.VerificationMaterial.PublicKey.Hint)
	}
	if sig.KeyID == "" || len(sig.Sig) == 0 || in.DSSEEnvelope.PayloadType == "" || len(in.DSSEEnvelope.Payload) == 0 {
		return Bundle{}, errors.New("not a bundle: empty keyid, signature, payload or payload type")
	}
	return Bundle{in.DSSEEnvelope.PayloadType, in.DSSEEnvelope.Payload, sig.KeyID, sig.Sig}, nil
}

// Verify checks the signature under k, which must also be the key that the bundle
// names. It says nothing about whether k may sign such a payload.
func (b Bundle) Verify(k PublicKey) error {
	if k.IsZero() {
		return errors.New("no key to verify with")
	}
	if b.KeyID != k.KeyID() {
		return fmt.Errorf("signed by %s, expected %s", b.KeyID, k.KeyID())
	}
	return k.Verify(PAE(b.PayloadType, b.Payload), b.Signature)
}

// MarshalDSSE returns the plain DSSE envelope as one JSON line without line end, for
// tools that read no bundles. keyid is what such a tool calls the key.
func (b Bundle) MarshalDSSE(keyid string) ([]byte, error) {
	return encode(dsseJSON{b.Payload, b.PayloadType, []signatureJSON{{b.Signature, keyid}}}, "", false)
}

// ParseDSSE reads what [Bundle.MarshalDSSE] writes. The bundle's KeyID is what the
// envelope calls the key.
func ParseDSSE(data []byte) (Bundle, error) {
	var in dsseJSON
	if err := decodeCompact(data, &in); err != nil {
		return Bundle{}, fmt.Errorf("not a DSSE envelope: %w", err)
	}
	if n := len(in.Signatures); n != 1 {
		return Bundle{}, fmt.Errorf("not a DSSE envelope: %d signatures, expected 1", n)
	}
	return Bundle{in.PayloadType, in.Payload, in.Signatures[0].KeyID, in.Signatures[0].Sig}, nil
}
