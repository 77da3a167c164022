package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// Info says what a key file holds.
type Info struct {
	Private   bool
	Format    string // "PKCS #8", "encrypted PKCS #8", "OpenSSH", "cosign", "PEM", "public key"
	Encrypted bool
	Algorithm string // "ed25519", "ecdsa-p256", "rsa", …; "" where encryption hides it
	Signs     bool   // rollproof signs with it; false where that is hidden
	Public    envelope.PublicKey
}

// Inspect says what a file holds, private or public, without a passphrase and
// without anything secret in its answer. Public is zero where encryption hides it,
// or for a key that is not accepted as a public key.
func Inspect(data []byte) (Info, error) {
	if k, err := envelope.ParsePublicKey(data); err == nil {
		return Info{Format: "public key", Algorithm: k.Algorithm(), Public: k}, nil
	}
	f, block, err := container(data)
	if err != nil {
		return Info{}, err
	}
	info := Info{Private: true, Format: string(f)}
	switch f {
	case formatPKCS8:
		key, err := parsePKCS8(block.Bytes)
		if err != nil {
			return Info{}, err
		}
		return info.holding(key)
	case formatOpenSSH:
		return info.openSSH(block)
	case formatCosign:
		info.Encrypted = true
		_, err := readCosign(block.Bytes)
		return info, err
	case formatEncryptedPKCS8:
		info.Encrypted = true
		return info, nil
	}
	info.Algorithm = otherAlgorithms[block.Type]
	info.Encrypted = block.Headers["DEK-Info"] != ""
	return info, nil
}

var otherAlgorithms = map[string]string{
	"EC PRIVATE KEY":  "ecdsa",
	"EC PARAMETERS":   "ecdsa",
	"RSA PRIVATE KEY": "rsa",
	"DSA PRIVATE KEY": "dsa",
}

// holding fills in what an unencrypted key shows.
func (i Info) holding(key crypto.PrivateKey) (Info, error) {
	private, err := newPrivate(key)
	switch {
	case err == nil:
		i.Public, i.Algorithm, i.Signs = private.Public(), private.Public().Algorithm(), true
	case errors.Is(err, ErrVerifyOnly):
		i.Algorithm = algorithmOf(key)
		i.Public, _ = publicOf(key) // zero where it would not be accepted
	default:
		return Info{}, err
	}
	return i, nil
}

func (i Info) openSSH(block *pem.Block) (Info, error) {
	key, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block))
	if err == nil {
		return i.holding(key)
	}
	var missing *ssh.PassphraseMissingError
	if !errors.As(err, &missing) || missing.PublicKey == nil {
		return Info{}, fmt.Errorf("%w: its OpenSSH encoding cannot be read", ErrDamaged)
	}
	i.Encrypted, i.Algorithm = true, missing.PublicKey.Type()
	if k, ok := missing.PublicKey.(ssh.CryptoPublicKey); ok {
		i.Algorithm = algorithmOf(k.CryptoPublicKey())
	}
	i.Public, _ = envelope.ParseBlob(missing.PublicKey.Marshal(), "")
	i.Signs = i.Public.Algorithm() == "ed25519"
	return i, nil
}

// algorithmOf names the algorithm of a private or public key.
func algorithmOf(key any) string {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return "ed25519"
	case *ecdsa.PublicKey:
		return "ecdsa-" + strings.ToLower(strings.ReplaceAll(k.Params().Name, "-", ""))
	case *rsa.PublicKey:
		return "rsa"
	case interface{ Public() crypto.PublicKey }:
		return algorithmOf(k.Public())
	}
	return ""
}

// String is one line for people.
func (i Info) String() string {
	half := "public key"
	if i.Private {
		half = "private key"
	}
	s := fmt.Sprintf("%s, %s", half, i.Format)
	if i.Encrypted {
		s += ", encrypted"
	}
	if i.Algorithm != "" {
		s += ", " + i.Algorithm
	}
	if !i.Public.IsZero() {
		s += ", " + i.Public.KeyID()
	}
	return s
}
