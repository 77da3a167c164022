package keyless

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// A Signer says who must have signed: an [Identity] or a [Key].
type Signer interface {
	// policy is the signer as sigstore-go asks for it.
	policy() (verify.PolicyOption, error)
	// material adds what the signer itself lets verify to the trusted root's.
	material(root.TrustedMaterial) root.TrustedMaterial
}

// A Match is a text that a certificate must hold. The zero Match matches nothing.
type Match struct{ exact, pattern string }

// Exact matches value alone, which may not be empty.
func Exact(value string) (Match, error) {
	if value == "" {
		return Match{}, errors.New("an empty text to match")
	}
	return Match{exact: value}, nil
}

// Pattern matches whatever the regular expression (Go's syntax, RE2) matches from
// the first character to the last: it needs no ^ and $.
func Pattern(expr string) (Match, error) {
	if expr == "" {
		return Match{}, errors.New("an empty pattern to match")
	}
	// Alone first: "a)|(b" would otherwise become a pattern of two open halves.
	if _, err := regexp.Compile(expr); err != nil {
		return Match{}, fmt.Errorf("pattern %q: %w", expr, err)
	}
	anchored := `\A(?:` + expr + `)\z`
	if _, err := regexp.Compile(anchored); err != nil {
		return Match{}, fmt.Errorf("pattern %q does not end where it ends: %w", expr, err)
	}
	return Match{pattern: anchored}, nil
}

// An Identity is whom a certificate must have been issued to. Both parts are needed:
// an issuer vouches only for its own subjects.
type Identity struct {
	Subject Match // the subject alternative name: e-mail address, URI or user name
	Issuer  Match // the URL of the OIDC provider
}

func (i Identity) policy() (verify.PolicyOption, error) {
	id, err := verify.NewShortCertificateIdentity(i.Issuer.exact, i.Issuer.pattern, i.Subject.exact, i.Subject.pattern)
	if err != nil {
		return nil, err
	}
	return verify.WithCertificateIdentity(id), nil
}

func (Identity) material(m root.TrustedMaterial) root.TrustedMaterial { return m }

// A Key is the public key that must have signed.
type Key struct {
	public   envelope.PublicKey
	verifier signature.Verifier
}

// NewKey takes a key as evidence/envelope reads it. It refuses RSA keys of another
// size than 2048, 3072 and 4096 bits, for which Sigstore names no algorithm. Ed25519
// is pure Ed25519 (no prehash), as everywhere in rollproof.
func NewKey(k envelope.PublicKey) (Key, error) {
	if k.IsZero() {
		return Key{}, errors.New("no key to verify with")
	}
	v, err := signature.LoadDefaultVerifier(k.Crypto())
	if err != nil {
		return Key{}, fmt.Errorf("an %s key that Sigstore has no algorithm for: %w", k.Algorithm(), err)
	}
	return Key{k, v}, nil
}

// ParseKey reads a PEM block "PUBLIC KEY" or one OpenSSH line. A private key gives
// [envelope.ErrPrivateKey], anything else that is no usable key a [*StageError] of
// StageKey.
func ParseKey(data []byte) (Key, error) {
	public, err := envelope.ParsePublicKey(data)
	if errors.Is(err, envelope.ErrPrivateKey) {
		return Key{}, err
	}
	k := Key{}
	if err == nil {
		k, err = NewKey(public)
	}
	if err != nil {
		return Key{}, &StageError{StageKey, err}
	}
	return k, nil
}

func (Key) policy() (verify.PolicyOption, error) { return verify.WithKey(), nil }

// material answers each hint with the one key: a bundle never chooses its key.
func (k Key) material(m root.TrustedMaterial) root.TrustedMaterial {
	always := root.NewExpiringKey(k.verifier, time.Time{}, time.Time{})
	own := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return always, nil })
	return root.TrustedMaterialCollection{own, m}
}
