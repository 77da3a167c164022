package translog

import (
	"cmp"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// maxTime is 9999-12-31T23:59:59Z in seconds since 1970, the last time that RFC
// 3339 can write.
const maxTime = 253402300799

// A Cosignature is a witness's statement that a checkpoint was, at some time, the
// largest tree of its log that he had seen, and consistent with all before (C2SP
// tlog-cosignature, Ed25519). One that was parsed is not verified, so that its time
// is known only to [Cosignature.Verify].
type Cosignature struct {
	name      string
	keyID     uint32
	seconds   uint64 // since 1970
	signature [ed25519.SignatureSize]byte
}

// Name returns what the cosigner is called. The signature does not cover it.
func (c Cosignature) Name() string { return c.name }

// KeyID returns the hint, made from name and key, by which keys are looked up.
func (c Cosignature) KeyID() uint32 { return c.keyID }

// Cosign signs a checkpoint as name, with s whose public half is key. The caller
// has verified the log's signature and the consistency with every checkpoint that
// he has cosigned before. at is the time of doing so, in whole seconds. Errors are
// [*FormatError], [*SignatureError] and those of s.
func Cosign(c Checkpoint, name string, key ed25519.PublicKey, s Signer, at time.Time) (Cosignature, error) {
	if err := checkCosigner(c, name, key); err != nil {
		return Cosignature{}, err
	}
	seconds := at.Unix()
	if at.Nanosecond() != 0 || seconds < 1 || seconds > maxTime {
		return Cosignature{}, malformed("cosignature", "time %s, expected whole seconds from 1970 to 9999", at.UTC().Format(time.RFC3339Nano))
	}
	message, err := cosigned(c, uint64(seconds))
	if err != nil {
		return Cosignature{}, err
	}
	signature, err := sign(s, name, typeCosignature, key, message)
	if err != nil {
		return Cosignature{}, err
	}
	return Cosignature{name, keyID(name, typeCosignature, key), uint64(seconds), signature}, nil
}

func checkCosigner(c Checkpoint, name string, key ed25519.PublicKey) error {
	if name == c.Origin {
		return malformed("cosignature", "cosigner %s is the log itself", shown(name))
	}
	return checkSigner(name, key)
}

// cosigned returns the message that a cosigner signs.
func cosigned(c Checkpoint, seconds uint64) ([]byte, error) {
	text, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", seconds), text...), nil
}

// Verify checks that the cosigner of this name and key has cosigned the checkpoint,
// and returns when, in UTC. The name is no part of what was signed: who counts
// cosigners must count keys or persons. Errors are [*SignatureError] and, for a
// checkpoint, name or key that can't be, [*FormatError].
func (c Cosignature) Verify(checkpoint Checkpoint, name string, key ed25519.PublicKey) (time.Time, error) {
	if err := checkCosigner(checkpoint, name, key); err != nil {
		return time.Time{}, err
	}
	id := keyID(name, typeCosignature, key)
	if c.name != name || c.keyID != id {
		return time.Time{}, &SignatureError{name, id, ErrNotSigned}
	}
	message, err := cosigned(checkpoint, c.seconds)
	if err != nil {
		return time.Time{}, err
	}
	if !ed25519.Verify(key, message, c.signature[:]) {
		return time.Time{}, &SignatureError{name, id, ErrBadSignature}
	}
	return time.Unix(int64(c.seconds), 0).UTC(), nil
}

// Marshal returns the cosignature's one exact encoding: its signature line. This is
// what a witness answers.
func (c Cosignature) Marshal() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return c.append(nil), nil
}

// check tells why there is no such cosignature: only the zero one, and a time that
// was read.
func (c Cosignature) check() error {
	if c.seconds < 1 || c.seconds > maxTime {
		return malformed("cosignature", "time of %d seconds, expected 1 to %d", c.seconds, int64(maxTime))
	}
	return nil
}

func (c Cosignature) append(b []byte) []byte {
	return appendLine(b, c.name, c.keyID, binary.BigEndian.AppendUint64(nil, c.seconds), c.signature[:])
}

// ParseCosignature reads one signature line with its line end. It refuses, with a
// [*FormatError], whatever [Cosignature.Marshal] would not have written.
func ParseCosignature(data []byte) (Cosignature, error) {
	line, ok := strings.CutSuffix(string(data), "\n")
	if !ok || len(data) > maxLine {
		return Cosignature{}, malformed("cosignature", "%d bytes, expected one line of at most %d", len(data), maxLine)
	}
	name, id, material, err := parseLine(line, 8+ed25519.SignatureSize)
	if err != nil {
		return Cosignature{}, err
	}
	c := Cosignature{name, id, binary.BigEndian.Uint64(material), [64]byte(material[8:])}
	if err := c.check(); err != nil {
		return Cosignature{}, err
	}
	if err := exactly("cosignature", c.append(nil), data); err != nil {
		return Cosignature{}, err
	}
	return c, nil
}

// compare orders cosignatures in a signed checkpoint: by name, then by key id.
func (c Cosignature) compare(other Cosignature) int {
	return cmp.Or(strings.Compare(c.name, other.name), cmp.Compare(c.keyID, other.keyID))
}
