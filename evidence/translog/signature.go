package translog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// A Signer signs whole messages with one Ed25519 key. An envelope.Signer is one.
type Signer interface {
	Sign(message []byte) ([]byte, error)
}

// Signature types of C2SP signed-note.
const (
	typeLog         = 0x01 // Ed25519 over the text
	typeCosignature = 0x04 // Ed25519 over a time and the text
)

// keyID returns the first four bytes of sha256(name || LF || type || key).
func keyID(name string, kind byte, key ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(slices.Concat([]byte(name), []byte{'\n', kind}, key))
	return binary.BigEndian.Uint32(sum[:])
}

// LogKey returns what other tools verify a log's checkpoints with, a verifier key
// of C2SP signed-note: "example.com/evidence-4f1c0a9b2d3e5f60+…+AT…". It fails with
// a [*FormatError].
func LogKey(origin string, key ed25519.PublicKey) (string, error) {
	return verifierKey(origin, typeLog, key)
}

// CosignerKey is [LogKey] for a cosigner of the given name.
func CosignerKey(name string, key ed25519.PublicKey) (string, error) {
	return verifierKey(name, typeCosignature, key)
}

func verifierKey(name string, kind byte, key ed25519.PublicKey) (string, error) {
	if err := checkSigner(name, key); err != nil {
		return "", err
	}
	material := append([]byte{kind}, key...)
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, kind, key), base64.StdEncoding.EncodeToString(material)), nil
}

func checkSigner(name string, key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return malformed("key", "Ed25519 key of %d bytes, expected %d", len(key), ed25519.PublicKeySize)
	}
	return CheckName(name)
}

// sign asks s and then checks the answer: a signer with another key would
// otherwise show only at the verifier.
func sign(s Signer, name string, kind byte, key ed25519.PublicKey, message []byte) ([ed25519.SignatureSize]byte, error) {
	answer, err := s.Sign(message)
	if err != nil {
		return [64]byte{}, fmt.Errorf("signing a checkpoint as %s: %w", shown(name), err)
	}
	if len(answer) != ed25519.SignatureSize || !ed25519.Verify(key, message, answer) {
		return [64]byte{}, fmt.Errorf("the signer's answer: %w", &SignatureError{name, keyID(name, kind, key), ErrBadSignature})
	}
	return [64]byte(answer), nil
}

// linePrefix is what a signature line of C2SP signed-note begins with.
const linePrefix = "— "

// appendLine appends a signature line: name, key id and the signature's bytes.
func appendLine(b []byte, name string, id uint32, parts ...[]byte) []byte {
	material := binary.BigEndian.AppendUint32(nil, id)
	for _, p := range parts {
		material = append(material, p...)
	}
	return fmt.Appendf(b, "%s%s %s\n", linePrefix, name, base64.StdEncoding.EncodeToString(material))
}

// parseLine splits a signature line, without its line end, whose signature must
// have size bytes. The caller compares encodings.
func parseLine(line string, size int) (name string, id uint32, signature []byte, err error) {
	rest, ok := strings.CutPrefix(line, linePrefix)
	name, text, found := strings.Cut(rest, " ")
	if !ok || !found {
		return "", 0, nil, malformed("checkpoint", "signature line %s, expected an em dash, a name and base64", shown(line))
	}
	if err := CheckName(name); err != nil {
		return "", 0, nil, err
	}
	material, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", 0, nil, malformed("checkpoint", "signature by %s that is not base64", name)
	}
	if len(material) != 4+size {
		return "", 0, nil, malformed("checkpoint", "signature by %s of %d bytes, expected %d", name, len(material), 4+size)
	}
	return name, binary.BigEndian.Uint32(material), material[4:], nil
}
