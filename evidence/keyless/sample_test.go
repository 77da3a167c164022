package keyless

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

type person struct{ subject, issuer, trigger string }

var (
	ada   = person{subject: "ada@example.com", issuer: "https://issuer.example.com"}
	grace = person{subject: "grace", issuer: "https://names.example.com"}
	robot = person{"https://example.com/ada/age/.workflows/release.yml@refs/tags/v1", "https://issuer.example.com", "push"}
)

const (
	v01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
	v02 = "application/vnd.dev.sigstore.bundle+json;version=0.2"
	v03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

var text = []byte("what was released\n")

// A sample is a bundle to be made. The zero value is a keyless message signature of
// ada over text, in a bundle v0.3, logged within the certificate's life, without a
// token.
type sample struct {
	version   string // media type
	dsse      bool
	statement []byte            // "": a statement about text
	payload   string            // payload type; "": in-toto
	who       person            // zero: ada
	key       crypto.Signer     // signs with this key instead of a certificate
	leaf      crypto.Signer     // the certificate's key; nil: P-256
	logged    time.Duration     // after the certificate's beginning
	token     time.Duration     // the same for a token; 0: no token
	noEntry   bool              // not logged
	ctLog     *ecdsa.PrivateKey // nil: the instance's
	noSCT     bool
}

func statementAbout(content []byte) []byte {
	sum := sha256.Sum256(content)
	return []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"other","digest":{"sha256":"` + strings.Repeat("0", 64) +
		`"}},{"name":"text","digest":{"sha256":"` + hex.EncodeToString(sum[:]) + `"}}],"predicateType":"https://example.com/released/v1","predicate":{"by":"ada"}}`)
}

// bundle makes the sample at an instance.
func (s sample) bundle(i *instance) object {
	i.t.Helper()
	if s.version == "" {
		s.version = v03
	}
	if s.who.subject == "" {
		s.who = ada
	}
	signer, material, verifier := s.signer(i)
	sig, content, kind, body := s.content(i, signer, verifier)
	material["tlogEntries"] = []any{}
	if !s.noEntry {
		e := i.entry(kind, "0.0.1", body, day.Add(s.logged))
		if s.version == v01 {
			e.without("inclusionProof")
		}
		material["tlogEntries"] = []any{e}
	}
	if s.token != 0 {
		material["timestampVerificationData"] = object{"rfc3161Timestamps": []any{object{"signedTimestamp": i.token(sig, day.Add(s.token))}}}
	}
	content["mediaType"], content["verificationMaterial"] = s.version, material
	return content
}

// signer returns the signing key, the material that names it, and what the log calls
// it.
func (s sample) signer(i *instance) (crypto.Signer, object, []byte) {
	if s.key != nil {
		hint := base64.StdEncoding.EncodeToString(i.keyID(s.key))
		return s.key, object{"publicKey": object{"hint": hint}}, pemBlock("PUBLIC KEY", i.spki(s.key))
	}
	key, ctLog := s.leaf, s.ctLog
	if key == nil {
		key = newKey(i.t)
	}
	if ctLog == nil {
		ctLog = i.ctLog
	}
	if s.noSCT {
		ctLog = nil
	}
	c := i.certificate(s.who, key.Public(), day, ctLog)
	raw := object{"rawBytes": c.Raw}
	material := object{"certificate": raw}
	if s.version == v01 || s.version == v02 {
		material = object{"x509CertificateChain": object{"certificates": []any{raw}}}
	}
	return key, material, pemBlock("CERTIFICATE", c.Raw)
}

// content signs, and returns the signature, the bundle's content and the log's body.
func (s sample) content(i *instance, signer crypto.Signer, verifier []byte) (sig []byte, content object, kind string, body []byte) {
	var err error
	if !s.dsse {
		sig, name, digest := signMessage(i, signer, text)
		body, err = json.Marshal(object{"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": object{
			"data":      object{"hash": object{"algorithm": strings.ToLower(strings.ReplaceAll(name, "2_", "")), "value": hex.EncodeToString(digest)}},
			"signature": object{"content": sig, "publicKey": object{"content": verifier}},
		}})
		i.check(err)
		return sig, object{"messageSignature": object{"messageDigest": object{"algorithm": name, "digest": digest}, "signature": sig}}, "hashedrekord", body
	}
	if s.statement == nil {
		s.statement = statementAbout(text)
	}
	if s.payload == "" {
		s.payload = "application/vnd.in-toto+json"
	}
	sig = signDSSE(i, signer, envelope.PAE(s.payload, s.statement))
	e := object{"payload": s.statement, "payloadType": s.payload, "signatures": []any{object{"sig": sig}}}
	whole, statement := sha256.Sum256(e.json(i.t)), sha256.Sum256(s.statement)
	body, err = json.Marshal(object{"apiVersion": "0.0.1", "kind": "dsse", "spec": object{
		"envelopeHash": object{"algorithm": "sha256", "value": hex.EncodeToString(whole[:])},
		"payloadHash":  object{"algorithm": "sha256", "value": hex.EncodeToString(statement[:])},
		"signatures":   []any{object{"signature": base64.StdEncoding.EncodeToString(sig), "verifier": verifier}},
	}})
	i.check(err)
	return sig, object{"dsseEnvelope": e}, "dsse", body
}

// signMessage signs as a client does with this kind of key: Ed25519 with prehash
// under a certificate is ed25519ph, which [phSigner] marks.
func signMessage(i *instance, signer crypto.Signer, message []byte) (sig []byte, hash string, digest []byte) {
	i.t.Helper()
	var err error
	sum256, sum384, sum512 := sha256.Sum256(message), sha512.Sum384(message), sha512.Sum512(message)
	switch k := signer.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(k, message), "SHA2_256", sum256[:]
	case phSigner:
		sig, err = k.Sign(nil, sum512[:], crypto.SHA512)
		i.check(err)
		return sig, "SHA2_512", sum512[:]
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P384() {
			sig, err = k.Sign(rand.Reader, sum384[:], crypto.SHA384)
			i.check(err)
			return sig, "SHA2_384", sum384[:]
		}
	}
	return i.sign(signer, message), "SHA2_256", sum256[:]
}

// olderP384 is a P-384 key of a client that hashed with sha256 whatever the curve.
type olderP384 struct{ *ecdsa.PrivateKey }

func fixedKey(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

// phSigner is an Ed25519 key that signs with prehash.
type phSigner struct{ ed25519.PrivateKey }

func signDSSE(i *instance, signer crypto.Signer, message []byte) []byte {
	if k, ok := signer.(ed25519.PrivateKey); ok {
		return ed25519.Sign(k, message)
	}
	return i.sign(signer, message)
}

// at finds a part of a bundle by its path.
func at(t testing.TB, b object, path ...any) object {
	t.Helper()
	var here any = b
	for _, step := range path {
		switch s := step.(type) {
		case string:
			here = here.(object)[s]
		case int:
			here = here.([]any)[s]
		}
	}
	return here.(object)
}

// flip returns data with its last bit changed.
func flip(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)-1] ^= 1
	return data
}

func identity(t testing.TB, p person) Identity {
	t.Helper()
	subject, err := Exact(p.subject)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := Exact(p.issuer)
	if err != nil {
		t.Fatal(err)
	}
	return Identity{subject, issuer}
}

func keyOf(t testing.TB, k crypto.Signer) Key {
	t.Helper()
	public, err := envelope.NewPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sha256Of(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func parseCertificate(t testing.TB, b object) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(at(t, b, "verificationMaterial", "certificate")["rawBytes"].([]byte))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
