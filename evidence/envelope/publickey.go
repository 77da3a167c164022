package envelope

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// A PublicKey verifies signatures. The zero value verifies nothing.
type PublicKey struct {
	key  crypto.PublicKey // ed25519.PublicKey, *ecdsa.PublicKey or *rsa.PublicKey
	blob string           // the key in SSH wire format, RFC 4253 section 6.6
}

// ErrPrivateKey is returned when a private key stands where a public key belongs.
var ErrPrivateKey = errors.New("this is a private key, a public key is expected")

// NewPublicKey takes an ed25519.PublicKey, *ecdsa.PublicKey (P-256) or
// *rsa.PublicKey (2048 to 8192 bits). It refuses every other key, and Ed25519 keys
// that are of small order or not canonical.
func NewPublicKey(key crypto.PublicKey) (PublicKey, error) {
	switch k := key.(type) {
	case ed25519.PublicKey:
		if err := checkEd25519(k); err != nil {
			return PublicKey{}, err
		}
		return PublicKey{ed25519.PublicKey(bytes.Clone(k)), sshBlob("ssh-ed25519", k)}, nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return PublicKey{}, errors.New("an ECDSA key on a curve other than P-256")
		}
		point, err := k.Bytes()
		if err != nil {
			return PublicKey{}, err
		}
		return PublicKey{k, sshBlob("ecdsa-sha2-nistp256", []byte("nistp256"), point)}, nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 8192 {
			return PublicKey{}, fmt.Errorf("an RSA key of %d bits, expected 2048 to 8192", bits)
		}
		if k.E < 3 || k.E%2 == 0 {
			return PublicKey{}, fmt.Errorf("an RSA key with exponent %d", k.E)
		}
		return PublicKey{k, sshBlob("ssh-rsa", mpint(big.NewInt(int64(k.E))), mpint(k.N))}, nil
	}
	return PublicKey{}, fmt.Errorf("a key of type %T: expected Ed25519, ECDSA P-256 or RSA", key)
}

// ParsePublicKey reads one public key: a PEM block "PUBLIC KEY" (SPKI, RFC 5280),
// or one OpenSSH line ("ssh-ed25519 AAAA… comment"). Nothing but white space may
// stand around it. A private key gives [ErrPrivateKey].
func ParsePublicKey(data []byte) (PublicKey, error) {
	text := bytes.TrimSpace(data)
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return PublicKey{}, ErrPrivateKey
	}
	if !bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return parseOpenSSH(string(text))
	}
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return PublicKey{}, errors.New("a damaged PEM block")
	case block.Type != "PUBLIC KEY":
		return PublicKey{}, fmt.Errorf("a PEM block %q, expected \"PUBLIC KEY\"", block.Type)
	case len(bytes.TrimSpace(rest)) > 0:
		return PublicKey{}, errors.New("more than one PEM block")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, errors.New("a PEM block that holds no SPKI public key")
	}
	return NewPublicKey(key)
}

func parseOpenSSH(line string) (PublicKey, error) {
	fields := strings.Fields(line)
	if len(fields) < 2 || strings.ContainsAny(line, "\r\n") {
		return PublicKey{}, errors.New("neither a PEM block nor one OpenSSH public key line")
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(fields[1])
	if err != nil {
		return PublicKey{}, errors.New("an OpenSSH public key line with bad base64")
	}
	return ParseBlob(blob, fields[0])
}

// ParseBlob reads a key in SSH wire format. algorithm is the name that must stand
// inside, "" for any supported one.
func ParseBlob(blob []byte, algorithm string) (PublicKey, error) {
	parts, err := sshStrings(blob)
	if err != nil {
		return PublicKey{}, err
	}
	name := string(parts[0])
	if algorithm != "" && name != algorithm {
		return PublicKey{}, fmt.Errorf("an OpenSSH public key line that says %q outside and %q inside", algorithm, name)
	}
	var key crypto.PublicKey
	switch {
	case name == "ssh-ed25519" && len(parts) == 2 && len(parts[1]) == ed25519.PublicKeySize:
		key = ed25519.PublicKey(parts[1])
	case name == "ecdsa-sha2-nistp256" && len(parts) == 3:
		if key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), parts[2]); err != nil {
			return PublicKey{}, errors.New("an ECDSA key that is no point of P-256")
		}
	case name == "ssh-rsa" && len(parts) == 3 && len(parts[1]) <= 4:
		e := new(big.Int).SetBytes(parts[1])
		key = &rsa.PublicKey{N: new(big.Int).SetBytes(parts[2]), E: int(e.Int64())}
	case strings.HasPrefix(name, "sk-"):
		return PublicKey{}, fmt.Errorf("a %s key: a security key signs its own wrapping, not the bytes that DSSE needs", name)
	default:
		return PublicKey{}, fmt.Errorf("an OpenSSH key of type %q: expected ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa", name)
	}
	k, err := NewPublicKey(key)
	if err != nil {
		return PublicKey{}, err
	}
	if k.blob != string(blob) {
		return PublicKey{}, errors.New("an OpenSSH key that is not in its canonical encoding")
	}
	return k, nil
}

// sshStrings splits a blob into its length-prefixed strings (RFC 4251 section 5).
func sshStrings(blob []byte) ([][]byte, error) {
	var parts [][]byte
	for len(blob) > 0 {
		if len(blob) < 4 || uint64(binary.BigEndian.Uint32(blob)) > uint64(len(blob)-4) {
			return nil, errors.New("a damaged OpenSSH key")
		}
		n := 4 + int(binary.BigEndian.Uint32(blob))
		parts, blob = append(parts, blob[4:n]), blob[n:]
	}
	if len(parts) == 0 {
		return nil, errors.New("an empty OpenSSH key")
	}
	return parts, nil
}

func sshBlob(name string, parts ...[]byte) string {
	var b []byte
	for _, p := range append([][]byte{[]byte(name)}, parts...) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return string(b)
}

// mpint is the SSH encoding of a positive integer: no leading zero byte unless the
// first bit is set.
func mpint(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		return append([]byte{0}, b...)
	}
	return b
}

// IsZero reports whether k is no key.
func (k PublicKey) IsZero() bool { return k.key == nil }

// KeyID returns the OpenSSH fingerprint: "SHA256:" and the unpadded base64 of the
// sha256 of the key's SSH wire format.
func (k PublicKey) KeyID() string {
	sum := sha256.Sum256([]byte(k.blob))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Blob returns the key in SSH wire format.
func (k PublicKey) Blob() []byte { return []byte(k.blob) }

// Equal reports whether both are the same key material.
func (k PublicKey) Equal(other PublicKey) bool { return k.blob == other.blob }

// Algorithm returns "ed25519", "ecdsa-p256" or "rsa".
func (k PublicKey) Algorithm() string {
	switch k.key.(type) {
	case ed25519.PublicKey:
		return "ed25519"
	case *ecdsa.PublicKey:
		return "ecdsa-p256"
	case *rsa.PublicKey:
		return "rsa"
	}
	return ""
}

// Crypto returns the key as the standard library's type.
func (k PublicKey) Crypto() crypto.PublicKey { return k.key }

// PEM returns the key as a PEM block "PUBLIC KEY" (SPKI).
func (k PublicKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// OpenSSH returns the key as an OpenSSH line without comment and line end.
func (k PublicKey) OpenSSH() string {
	parts, err := sshStrings([]byte(k.blob))
	if err != nil {
		return ""
	}
	return string(parts[0]) + " " + base64.StdEncoding.EncodeToString([]byte(k.blob))
}

// ErrSignature is returned for a signature that its key did not make over these
// bytes.
var ErrSignature = errors.New("the signature does not match")

// Verify checks a signature over message. The error is [ErrSignature], or says
// what is wrong with the signature's form.
func (k PublicKey) Verify(message, sig []byte) error {
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		if len(sig) != ed25519.SignatureSize {
			return fmt.Errorf("an Ed25519 signature of %d bytes, expected %d", len(sig), ed25519.SignatureSize)
		}
		if ed25519.Verify(key, message, sig) {
			return nil
		}
	case *ecdsa.PublicKey:
		return verifyECDSA(key, message, sig)
	case *rsa.PublicKey:
		sum := sha256.Sum256(message)
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil {
			return nil
		}
	default:
		return errors.New("no key to verify with")
	}
	return ErrSignature
}

// verifyECDSA refuses the second valid form (r, n-s) of each signature, so that an
// envelope has one set of bytes.
func verifyECDSA(key *ecdsa.PublicKey, message, sig []byte) error {
	var rs struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(sig, &rs)
	if err != nil || len(rest) > 0 {
		return errors.New("an ECDSA signature that is not DER")
	}
	if rs.S.Cmp(new(big.Int).Rsh(key.Params().N, 1)) > 0 {
		return errors.New("an ECDSA signature with high S")
	}
	sum := sha256.Sum256(message)
	if !ecdsa.VerifyASN1(key, sum[:], sig) {
		return ErrSignature
	}
	return nil
}
