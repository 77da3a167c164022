package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// maxFile is the size in bytes of the largest key file that is read. RSA keys of
// 16,384 bits take 13 KiB.
const maxFile = 64 << 10

// A format is what a key file is; the names are for people.
type format string

const (
	formatPKCS8          format = "PKCS #8"
	formatEncryptedPKCS8 format = "encrypted PKCS #8"
	formatOpenSSH        format = "OpenSSH"
	formatCosign         format = "cosign"
	formatOther          format = "PEM"
)

// formats maps PEM types to formats. What is formatOther never holds Ed25519.
var formats = map[string]format{
	"PRIVATE KEY":                    formatPKCS8,
	"ENCRYPTED PRIVATE KEY":          formatEncryptedPKCS8,
	"OPENSSH PRIVATE KEY":            formatOpenSSH,
	"ENCRYPTED SIGSTORE PRIVATE KEY": formatCosign,
	"ENCRYPTED COSIGN PRIVATE KEY":   formatCosign,
	"EC PRIVATE KEY":                 formatOther,
	"EC PARAMETERS":                  formatOther,
	"RSA PRIVATE KEY":                formatOther,
	"DSA PRIVATE KEY":                formatOther,
}

// Parse reads a private key from the text of a key file. passphrase is called at
// most once, when the key is encrypted; it may be nil. Its answer is wiped.
func Parse(data []byte, passphrase func() ([]byte, error)) (*Private, error) {
	f, block, err := container(data)
	if err != nil {
		return nil, err
	}
	ask := asker(passphrase)
	var key crypto.PrivateKey
	switch f {
	case formatPKCS8:
		key, err = parsePKCS8(block.Bytes)
	case formatEncryptedPKCS8:
		key, err = parseEncryptedPKCS8(block.Bytes, ask)
	case formatOpenSSH:
		key, err = parseOpenSSH(block, ask)
	case formatCosign:
		key, err = parseCosign(block.Bytes, ask)
	default:
		return nil, verifyOnly(fmt.Sprintf("a PEM block %q", block.Type))
	}
	if err != nil {
		return nil, err
	}
	return newPrivate(key)
}

// container finds the one PEM block of a private key file.
func container(data []byte) (format, *pem.Block, error) {
	if len(data) > maxFile {
		return "", nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrUnknownKeyFile, len(data), maxFile)
	}
	text := bytes.TrimSpace(data)
	if publicText.Match(text) {
		return "", nil, &Error{ErrPublicKey, "give the private half, or its place in an agent: ssh-agent:SHA256:…"}
	}
	if !bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return "", nil, foreign(text)
	}
	block, rest := pem.Decode(text)
	if block == nil {
		return "", nil, fmt.Errorf("%w: its PEM block cannot be read", ErrDamaged)
	}
	f, ok := formats[block.Type]
	switch {
	case !ok:
		return "", nil, fmt.Errorf("%w: a PEM block %s", ErrUnknownKeyFile, typeName(block.Type))
	case f == formatOther:
		return f, block, nil
	case len(bytes.TrimSpace(rest)) > 0:
		return "", nil, fmt.Errorf("%w: something follows its PEM block", ErrUnknownKeyFile)
	case len(block.Headers) > 0:
		return "", nil, fmt.Errorf("%w: its PEM block has headers", ErrUnknownKeyFile)
	}
	return f, block, nil
}

// publicText matches public keys, those included that are not accepted as such.
var publicText = regexp.MustCompile(`^(ssh-[a-z0-9-]+|ecdsa-sha2-[a-z0-9-]+|sk-[a-z0-9@.-]+) |^-----BEGIN ([A-Z0-9]+ )*(PUBLIC KEY|CERTIFICATE)-----`)

var plainType = regexp.MustCompile(`^[A-Z0-9 ]{1,40}$`)

// typeName quotes a PEM type only where it is one: a damaged file may hold its key
// anywhere.
func typeName(t string) string {
	if plainType.MatchString(t) {
		return fmt.Sprintf("%q", t)
	}
	return "of an unreadable type"
}

// foreign names the key files that people have and that are not read here.
func foreign(text []byte) error {
	for _, known := range []struct{ prefix, name, hint string }{
		{"PuTTY-User-Key-File-", "a PuTTY key file", "convert it: puttygen FILE -O private-openssh -o NEW"},
		{"untrusted comment:", "a minisign or signify key file", hintGenerate},
		{"AGE-SECRET-KEY-", "an age key, which encrypts and does not sign", hintGenerate},
	} {
		if bytes.HasPrefix(text, []byte(known.prefix)) {
			return &Error{fmt.Errorf("%w: %s", ErrUnknownKeyFile, known.name), known.hint}
		}
	}
	return &Error{fmt.Errorf("%w: neither PEM nor an OpenSSH key", ErrUnknownKeyFile), hintGenerate}
}

func parsePKCS8(der []byte) (crypto.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w, or of a kind that is not known here: its PKCS #8 cannot be read", ErrDamaged)
	}
	return key, nil
}

// asker returns a passphrase or a typed error.
func asker(passphrase func() ([]byte, error)) func() ([]byte, error) {
	return func() ([]byte, error) {
		if passphrase == nil {
			return nil, &Error{ErrNoPassphrase, hintPassphrase}
		}
		secret, err := passphrase()
		if err != nil {
			return nil, &Error{fmt.Errorf("%w: %w", ErrNoPassphrase, err), hintPassphrase}
		}
		return secret, nil
	}
}

// publicOf returns the public half of what a parser returned.
func publicOf(key crypto.PrivateKey) (envelope.PublicKey, error) {
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return envelope.NewPublicKey(k.Public().(ed25519.PublicKey))
	case *ed25519.PrivateKey:
		return envelope.NewPublicKey(k.Public().(ed25519.PublicKey))
	case *ecdsa.PrivateKey:
		return envelope.NewPublicKey(&k.PublicKey)
	case *rsa.PrivateKey:
		return envelope.NewPublicKey(&k.PublicKey)
	}
	return envelope.PublicKey{}, errors.New("a key of another kind")
}
