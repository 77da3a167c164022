package translog

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"time"
)

// Limits that the writer and the reader share.
const (
	MaxCosignatures  = 32     // of one checkpoint
	MaxSignedSize    = 16_384 // bytes of a signed checkpoint; limits of its parts hold it below
	maxLine          = len(linePrefix) + MaxName + 1 + 104 + 1
	checkpointSplits = "\n\n"
)

// A SignedCheckpoint is a checkpoint with its log's signature and any cosignatures.
// One that was parsed is not verified.
type SignedCheckpoint struct {
	Checkpoint
	keyID        uint32
	signature    [ed25519.SignatureSize]byte
	cosignatures []Cosignature // in order, none twice
}

// Sign signs a checkpoint for its log, with s whose public half is key. This is the
// one place that hands the bare text of a checkpoint to a signer. The caller has
// made sure that the tree is consistent with every checkpoint that the log has
// signed before. Errors are those of [Checkpoint.Marshal], [*SignatureError] and
// those of s.
func Sign(c Checkpoint, key ed25519.PublicKey, s Signer) (SignedCheckpoint, error) {
	text, err := c.Marshal()
	if err != nil {
		return SignedCheckpoint{}, err
	}
	if err := checkSigner(c.Origin, key); err != nil {
		return SignedCheckpoint{}, err
	}
	signature, err := sign(s, c.Origin, typeLog, key, text)
	if err != nil {
		return SignedCheckpoint{}, err
	}
	return SignedCheckpoint{Checkpoint: c, keyID: keyID(c.Origin, typeLog, key), signature: signature}, nil
}

// KeyID returns the hint, made from origin and key, of the log's signature.
func (s SignedCheckpoint) KeyID() uint32 { return s.keyID }

// Cosignatures returns the cosignatures in order. They may be of anybody.
func (s SignedCheckpoint) Cosignatures() []Cosignature { return slices.Clone(s.cosignatures) }

// Add returns the signed checkpoint with one cosignature more. It does not verify
// it. Errors are [*FormatError]: a second one by one name and key id among them, so
// that an earlier time is not lost to a later one.
func (s SignedCheckpoint) Add(c Cosignature) (SignedCheckpoint, error) {
	if err := c.check(); err != nil {
		return SignedCheckpoint{}, err
	}
	i, found := slices.BinarySearchFunc(s.cosignatures, c, Cosignature.compare)
	if found {
		return SignedCheckpoint{}, malformed("checkpoint", "cosigned twice by %s with key id %08x", shown(c.name), c.keyID)
	}
	s.cosignatures = slices.Insert(slices.Clone(s.cosignatures), i, c)
	return s, s.checkCosignatures()
}

// checkCosignatures tells what of the list can't stand in a signed checkpoint.
func (s SignedCheckpoint) checkCosignatures() error {
	if n := len(s.cosignatures); n > MaxCosignatures {
		return malformed("checkpoint", "%d cosignatures, expected at most %d", n, MaxCosignatures)
	}
	for i, c := range s.cosignatures {
		if c.name == s.Origin {
			return malformed("checkpoint", "second signature by the log %s", shown(s.Origin))
		}
		if i > 0 && s.cosignatures[i-1].compare(c) >= 0 {
			return malformed("checkpoint", "cosignature by %s with key id %08x twice or out of order", shown(c.name), c.keyID)
		}
	}
	return nil
}

// Marshal returns the one exact encoding, a C2SP signed-note: the text, a blank
// line, the log's signature, the cosignatures by name and key id. Errors are those
// of [Checkpoint.Marshal].
func (s SignedCheckpoint) Marshal() ([]byte, error) {
	b, err := s.Checkpoint.Marshal()
	if err != nil {
		return nil, err
	}
	b = appendLine(append(b, '\n'), s.Origin, s.keyID, s.signature[:])
	for _, c := range s.cosignatures {
		b = c.append(b)
	}
	return b, nil
}

// ParseSigned reads a signed checkpoint and verifies nothing: it is for who must
// look up a key by origin, and calls [SignedCheckpoint.Verify] then. It refuses,
// with the errors of [Checkpoint.Marshal], whatever [Sign], [SignedCheckpoint.Add]
// and [SignedCheckpoint.Marshal] would not have written.
func ParseSigned(data []byte) (SignedCheckpoint, error) {
	if len(data) > MaxSignedSize {
		return SignedCheckpoint{}, malformed("checkpoint", "%d bytes, expected at most %d", len(data), MaxSignedSize)
	}
	text, signatures, found := strings.Cut(string(data), checkpointSplits)
	if !found {
		return SignedCheckpoint{}, malformed("checkpoint", "no blank line between text and signatures")
	}
	c, err := ParseCheckpoint([]byte(text + "\n"))
	if err != nil {
		return SignedCheckpoint{}, err
	}
	s, err := parseSignatures(c, signatures)
	if err != nil {
		return SignedCheckpoint{}, err
	}
	exact, err := s.Marshal()
	if err != nil {
		return SignedCheckpoint{}, err
	}
	if err := exactly("checkpoint", exact, data); err != nil {
		return SignedCheckpoint{}, err
	}
	return s, nil
}

// parseSignatures reads the log's line and those of cosigners.
func parseSignatures(c Checkpoint, text string) (SignedCheckpoint, error) {
	first, rest, found := strings.Cut(text, "\n")
	if !found {
		return SignedCheckpoint{}, malformed("checkpoint", "no signature line")
	}
	name, id, signature, err := parseLine(first, ed25519.SignatureSize)
	if err != nil {
		return SignedCheckpoint{}, err
	}
	if name != c.Origin {
		return SignedCheckpoint{}, malformed("checkpoint", "first signed by %s, expected the log %s", shown(name), shown(c.Origin))
	}
	s := SignedCheckpoint{Checkpoint: c, keyID: id, signature: [64]byte(signature)}
	for line := range strings.Lines(rest) {
		cosignature, err := ParseCosignature([]byte(line))
		if err != nil {
			return SignedCheckpoint{}, err
		}
		s.cosignatures = append(s.cosignatures, cosignature)
	}
	return s, s.checkCosignatures()
}

// Open reads a signed checkpoint of the log with this origin and key, and verifies
// it. Errors are those of [ParseSigned] and [SignedCheckpoint.Verify].
func Open(data []byte, origin string, key ed25519.PublicKey) (SignedCheckpoint, error) {
	s, err := ParseSigned(data)
	if err != nil {
		return SignedCheckpoint{}, err
	}
	if err := s.Verify(origin, key); err != nil {
		return SignedCheckpoint{}, err
	}
	return s, nil
}

// Verify checks that the log with this origin and key has signed. It says nothing
// about cosignatures. Errors are [*OriginError], [*SignatureError] and, for an
// origin or key that can't be, [*FormatError].
func (s SignedCheckpoint) Verify(origin string, key ed25519.PublicKey) error {
	if err := checkSigner(origin, key); err != nil {
		return err
	}
	if s.Origin != origin {
		return &OriginError{s.Origin, origin}
	}
	id := keyID(origin, typeLog, key)
	if s.keyID != id {
		return &SignatureError{origin, id, ErrNotSigned}
	}
	text, err := s.Checkpoint.Marshal()
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, text, s.signature[:]) {
		return &SignatureError{origin, id, ErrBadSignature}
	}
	return nil
}

// Cosigned finds the cosignature by this name and key, verifies it and returns its
// time in UTC. Errors are those of [Cosignature.Verify].
func (s SignedCheckpoint) Cosigned(name string, key ed25519.PublicKey) (time.Time, error) {
	if err := checkCosigner(s.Checkpoint, name, key); err != nil {
		return time.Time{}, err
	}
	wanted := Cosignature{name: name, keyID: keyID(name, typeCosignature, key)}
	i, found := slices.BinarySearchFunc(s.cosignatures, wanted, Cosignature.compare)
	if !found {
		return time.Time{}, &SignatureError{name, wanted.keyID, ErrNotSigned}
	}
	return s.cosignatures[i].Verify(s.Checkpoint, name, key)
}
