package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/crypto/ssh"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// A Private is an Ed25519 private key. It prints as its fingerprint, whatever the
// verb.
type Private struct {
	public envelope.PublicKey
	secret func() ed25519.PrivateKey // a closure, because reflection and fmt see through fields
}

// Generate makes a key from 32 bytes of rand.
func Generate(rand io.Reader) (*Private, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, fmt.Errorf("no randomness for a key: %w", err)
	}
	return newPrivate(ed25519.NewKeyFromSeed(seed))
}

// newPrivate takes whatever the parsers of the standard library and x/crypto
// return.
func newPrivate(key crypto.PrivateKey) (*Private, error) {
	switch k := key.(type) {
	case *ed25519.PrivateKey:
		return newPrivate(*k)
	case ed25519.PrivateKey:
		if len(k) != ed25519.PrivateKeySize {
			return nil, ErrDamaged
		}
		own := ed25519.NewKeyFromSeed(k.Seed())
		if !own.Equal(k) {
			return nil, ErrMismatchedHalf
		}
		public, err := envelope.NewPublicKey(own.Public().(ed25519.PublicKey))
		if err != nil {
			return nil, err
		}
		return &Private{public, func() ed25519.PrivateKey { return own }}, nil
	case *ecdsa.PrivateKey:
		return nil, verifyOnly("an ECDSA key")
	case *rsa.PrivateKey:
		return nil, verifyOnly("an RSA key")
	}
	return nil, verifyOnly("a key of another kind")
}

func verifyOnly(what string) error {
	return &Error{fmt.Errorf("%s: %w", what, ErrVerifyOnly), hintGenerate}
}

// Public returns the public half.
func (p *Private) Public() envelope.PublicKey { return p.public }

// Sign returns the 64-byte Ed25519 signature over message.
func (p *Private) Sign(message []byte) ([]byte, error) {
	if len(message) > envelope.MaxSigned {
		return nil, tooLong(message)
	}
	return ed25519.Sign(p.secret(), message), nil
}

func tooLong(message []byte) error {
	return fmt.Errorf("a message of %d bytes to sign, the limit is %d", len(message), envelope.MaxSigned)
}

// MarshalPEM returns the key without protection: a PEM block "PRIVATE KEY" that
// holds PKCS #8.
func (p *Private) MarshalPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.secret())
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// MarshalEncrypted returns the key under a passphrase, in OpenSSH's format. The
// salt comes from crypto/rand.
func (p *Private) MarshalEncrypted(passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, ErrEmptyPassphrase
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(p.secret(), "", passphrase)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// String returns the fingerprint of the public half.
func (p *Private) String() string {
	if p == nil {
		return "no private key"
	}
	return "private key " + p.public.KeyID()
}

// Format writes String for every verb, %#v and %x included.
func (p *Private) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, p.String()) }

// MarshalText returns String, which is also what encoding/json writes.
func (p *Private) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue returns String.
func (p *Private) LogValue() slog.Value { return slog.StringValue(p.String()) }
