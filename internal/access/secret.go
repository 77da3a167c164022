package access

import (
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"io"
	"regexp"

	"github.com/rollproof/rollproof/evidence"
)

// A Secret is what the holder of a token knows.
type Secret struct {
	ID    string
	bytes [32]byte
}

// ErrToken is returned for text that is no token.
var ErrToken = errors.New("expected a token: rpt_<id>_<secret>")

var (
	secretForm = regexp.MustCompile(`^rpt_([a-z2-7]{10})_([a-z2-7]{52})$`)
	lower      = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
)

// TokenPrefix begins the text of every token: what begins so in a URL is a mistake.
const TokenPrefix = "rpt_"

// NewSecret makes a secret and an id from random bytes.
func NewSecret(random io.Reader) (Secret, error) {
	var s Secret
	id := make([]byte, 7)
	if _, err := io.ReadFull(random, id); err != nil {
		return s, err
	}
	_, err := io.ReadFull(random, s.bytes[:])
	s.ID = lower.EncodeToString(id)[:10]
	return s, err
}

// ParseSecret reads the text of a token, or returns [ErrToken].
func ParseSecret(text string) (Secret, error) {
	m := secretForm.FindStringSubmatch(text)
	if m == nil {
		return Secret{}, ErrToken
	}
	raw, err := lower.DecodeString(m[2])
	s := Secret{ID: m[1]}
	if err != nil || len(raw) != len(s.bytes) || lower.EncodeToString(raw) != m[2] {
		return Secret{}, ErrToken
	}
	copy(s.bytes[:], raw)
	return s, nil
}

// Text is what the holder keeps.
func (s Secret) Text() string { return TokenPrefix + s.ID + "_" + lower.EncodeToString(s.bytes[:]) }

// Digest is what the log keeps.
func (s Secret) Digest() evidence.Digest { return evidence.DigestOf(s.bytes[:]) }

// matches compares in constant time.
func (s Secret) matches(d evidence.Digest) bool {
	own := s.Digest()
	return subtle.ConstantTimeCompare(own[:], d[:]) == 1
}

// String keeps a secret out of messages.
func (s Secret) String() string { return "token " + s.ID }

// GoString keeps a secret out of messages.
func (s Secret) GoString() string { return s.String() }
