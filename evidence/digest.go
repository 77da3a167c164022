package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Digest is a sha256. Its text is "sha256:" and 64 lower-case hex digits.
type Digest [sha256.Size]byte

// DigestOf returns the sha256 of data.
func DigestOf(data []byte) Digest { return sha256.Sum256(data) }

// ParseDigest reads the text of a digest; "sha256:" may be missing.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	digits := strings.TrimPrefix(text, "sha256:")
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != len(d) || digits != strings.ToLower(digits) {
		return d, fmt.Errorf("%q is no sha256: expected 64 lower-case hex digits", text)
	}
	return Digest(raw), nil
}

// String returns "sha256:" and the digits.
func (d Digest) String() string { return "sha256:" + d.Hex() }

// Hex returns the digits alone.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText returns the text of the digest.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text of a digest, with its "sha256:".
func (d *Digest) UnmarshalText(text []byte) error {
	if !strings.HasPrefix(string(text), "sha256:") {
		return fmt.Errorf("%q is no digest: expected sha256:…", text)
	}
	parsed, err := ParseDigest(string(text))
	*d = parsed
	return err
}
