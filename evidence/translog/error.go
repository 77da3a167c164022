package translog

import (
	"errors"
	"fmt"
)

// ErrNotSigned is inside a [*SignatureError] when nobody of the given name and key
// has signed, as opposed to a signature that is wrong.
var ErrNotSigned = errors.New("no signature")

// ErrBadSignature is inside a [*SignatureError] when a signature by the given name
// and key id is not one by the given key over these bytes.
var ErrBadSignature = errors.New("wrong signature")

// A FormatError says why bytes, or the values to make them from, have no place in
// one of the formats of this package. Its text holds only printable ASCII of them.
type FormatError struct {
	Object  string // "leaf", "checkpoint", "cosignature", "proof", "entry bundle", "tree", "name", "key" or a tile's path
	Problem string
}

func (e *FormatError) Error() string { return e.Object + ": " + e.Problem }

func malformed(object, format string, args ...any) error {
	return &FormatError{object, fmt.Sprintf(format, args...)}
}

// An OriginError says that a checkpoint is of another log.
type OriginError struct{ Got, Want string }

func (e *OriginError) Error() string {
	return fmt.Sprintf("checkpoint of the log %s, expected %s", shown(e.Got), shown(e.Want))
}

// A SignatureError says that a log or a cosigner has not signed a checkpoint.
type SignatureError struct {
	Name  string // the signer's: an origin or the name of a cosigner
	KeyID uint32 // of the key that was given to verify with
	Err   error  // [ErrNotSigned] or [ErrBadSignature]
}

func (e *SignatureError) Error() string {
	return fmt.Sprintf("checkpoint: %v by %s with key id %08x", e.Err, shown(e.Name), e.KeyID)
}

// Unwrap returns e.Err.
func (e *SignatureError) Unwrap() error { return e.Err }

// A ProofError says that a proof does not prove what it should.
type ProofError struct {
	Claim   string // "leaf 3 in the tree of size 7", "the tree of size 3 in the tree of size 7"
	Problem string
}

func (e *ProofError) Error() string { return e.Claim + ": " + e.Problem }

// A RootError says that a tree of some size has another root than it should. Where
// both roots were signed for one log, the log has forked.
type RootError struct {
	Size      int64 // leaves
	Got, Want Hash
}

func (e *RootError) Error() string {
	return fmt.Sprintf("the tree of size %d has the root %v, expected %v", e.Size, e.Got, e.Want)
}

// exactly tells where data leaves the one exact encoding, or returns nil.
func exactly(object string, exact, data []byte) error {
	i := 0
	for i < len(exact) && i < len(data) && exact[i] == data[i] {
		i++
	}
	if i == len(exact) && i == len(data) {
		return nil
	}
	near := func(b []byte) []byte { return b[i:min(i+24, len(b))] }
	return malformed(object, "not in its exact encoding from byte %d on: expected %+q, found %+q", i, near(exact), near(data))
}

// shown returns text from outside for messages: quoted, escaped and cut.
func shown(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%+q… (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%+q", s)
}
