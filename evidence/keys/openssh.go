package keys

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// parseOpenSSH reads OpenSSH's own format (PROTOCOL.key). golang.org/x/crypto/ssh
// bounds the rounds of bcrypt_pbkdf.
func parseOpenSSH(block *pem.Block, ask func() ([]byte, error)) (crypto.PrivateKey, error) {
	text := pem.EncodeToMemory(block)
	key, err := ssh.ParseRawPrivateKey(text)
	if err == nil {
		return key, nil
	}
	var missing *ssh.PassphraseMissingError
	if !errors.As(err, &missing) {
		return nil, fmt.Errorf("%w: its OpenSSH encoding cannot be read", ErrDamaged)
	}
	// Only the header is readable yet: say that the key cannot sign before asking
	// for a passphrase.
	if missing.PublicKey != nil && missing.PublicKey.Type() != ssh.KeyAlgoED25519 {
		return nil, refuseType(missing.PublicKey.Type())
	}
	key, err = decryptOpenSSH(text, ask)
	if err != nil {
		return nil, err
	}
	public, err := publicOf(key)
	if err != nil || missing.PublicKey == nil || !bytes.Equal(public.Blob(), missing.PublicKey.Marshal()) {
		return nil, ErrMismatchedHalf
	}
	return key, nil
}

func decryptOpenSSH(text []byte, ask func() ([]byte, error)) (crypto.PrivateKey, error) {
	secret, err := ask()
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	if len(secret) == 0 {
		return nil, ErrPassphrase // x/crypto says of an empty one what is not so
	}
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(text, secret)
	if err != nil {
		return nil, fmt.Errorf("%w, or the key is damaged", ErrPassphrase)
	}
	return key, nil
}

// refuseType is the error for an OpenSSH key type that does not sign here.
func refuseType(name string) error {
	if isSecurityKey(name) {
		return &Error{
			fmt.Errorf("a %s key: %w, and a security key signs its own wrapping, not the bytes that DSSE needs", name, ErrVerifyOnly),
			hintGenerate,
		}
	}
	return verifyOnly(fmt.Sprintf("an OpenSSH key of type %s", name))
}

func isSecurityKey(name string) bool {
	return name == ssh.KeyAlgoSKED25519 || name == ssh.KeyAlgoSKECDSA256
}
