package translog

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Limits that the writer and the reader share, in bytes.
const (
	MaxPredicateType = 1024
	MaxLeaf          = len(leafHeader) + 2*(hex64+1) + MaxPredicateType + 1 + len(keyIDPrefix) + 43 + 1
)

const (
	leafHeader  = "rollproof-leaf/v1\n"
	keyIDPrefix = "SHA256:"
	hex64       = 64
)

// A Hash is the hash of a leaf, of a node or of a whole tree (RFC 6962 section 2.1).
type Hash = tlog.Hash

// A Leaf is one entry of the log.
type Leaf struct {
	Statement     [32]byte // sha256 of the statement, the identity of the act
	Envelope      [32]byte // sha256 of the envelope as it was stored
	PredicateType string   // of the statement: 1 to MaxPredicateType bytes of visible ASCII
	KeyID         string   // OpenSSH fingerprint of the verifying key; "" where none has verified
}

// Marshal returns the leaf's one exact encoding, at most MaxLeaf bytes. It fails
// with a [*FormatError].
func (l Leaf) Marshal() ([]byte, error) {
	switch {
	case l.PredicateType == "":
		return nil, malformed("leaf", "no predicate type")
	case len(l.PredicateType) > MaxPredicateType:
		return nil, malformed("leaf", "predicate type %s, expected at most %d", shown(l.PredicateType), MaxPredicateType)
	case !visible(l.PredicateType):
		return nil, malformed("leaf", "predicate type %s, expected visible ASCII without spaces", shown(l.PredicateType))
	case !fingerprint(l.KeyID):
		return nil, malformed("leaf", "keyid %s, expected SHA256: and 43 characters of base64, or nothing", shown(l.KeyID))
	}
	return fmt.Appendf(nil, "%s%x\n%x\n%s\n%s\n", leafHeader, l.Statement, l.Envelope, l.PredicateType, l.KeyID), nil
}

// fingerprint reports whether a keyid is empty or an OpenSSH fingerprint in its one
// exact encoding.
func fingerprint(keyID string) bool {
	if keyID == "" {
		return true
	}
	text, ok := strings.CutPrefix(keyID, keyIDPrefix)
	sum, err := base64.RawStdEncoding.DecodeString(text)
	return ok && err == nil && len(sum) == 32 && base64.RawStdEncoding.EncodeToString(sum) == text
}

// ParseLeaf reads a leaf. It refuses, with a [*FormatError], whatever
// [Leaf.Marshal] would not have written.
func ParseLeaf(data []byte) (Leaf, error) {
	if len(data) > MaxLeaf {
		return Leaf{}, malformed("leaf", "%d bytes, expected at most %d", len(data), MaxLeaf)
	}
	rest, ok := strings.CutPrefix(string(data), leafHeader)
	if !ok {
		return Leaf{}, malformed("leaf", "begins with %s, expected %+q", shown(string(data[:min(len(data), len(leafHeader))])), leafHeader)
	}
	lines := strings.Split(rest, "\n")
	if len(lines) != 5 {
		// The header's line end makes up for the empty string after the last one.
		return Leaf{}, malformed("leaf", "%d line ends, expected 5", len(lines))
	}
	l := Leaf{PredicateType: lines[2], KeyID: lines[3]}
	for i, sum := range []*[32]byte{&l.Statement, &l.Envelope} {
		if len(lines[i]) != hex64 {
			return Leaf{}, malformed("leaf", "digest %s, expected %d hex digits", shown(lines[i]), hex64)
		}
		if _, err := hex.Decode(sum[:], []byte(lines[i])); err != nil {
			return Leaf{}, malformed("leaf", "digest %s, expected %d hex digits", shown(lines[i]), hex64)
		}
	}
	exact, err := l.Marshal()
	if err != nil {
		return Leaf{}, err
	}
	if err := exactly("leaf", exact, data); err != nil {
		return Leaf{}, err
	}
	return l, nil
}

// Hash returns the leaf's hash in the tree, sha256(0x00 || encoding). It fails with
// a [*FormatError] where [Leaf.Marshal] does.
func (l Leaf) Hash() (Hash, error) {
	data, err := l.Marshal()
	if err != nil {
		return Hash{}, err
	}
	return tlog.RecordHash(data), nil
}
