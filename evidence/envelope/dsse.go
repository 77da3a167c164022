package envelope

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
)

// MaxSigned is the size in bytes of the largest message that is handed to a
// signer. An ssh-agent refuses requests of 256 KiB.
const MaxSigned = 200 << 10

// A Signer signs whole messages with one key. evidence/keys has the
// implementations.
type Signer interface {
	Public() PublicKey
	// Sign returns the signature over message, which is at most MaxSigned bytes.
	Sign(message []byte) ([]byte, error)
}

// PAE returns DSSE's pre-authentication encoding, the bytes that are signed.
func PAE(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// sign asks s and then checks the answer: a signer with a wrong public half would
// otherwise show only at the verifier.
func sign(s Signer, message []byte) ([]byte, error) {
	if len(message) > MaxSigned {
		return nil, fmt.Errorf("a message of %d bytes to sign, the limit is %d", len(message), MaxSigned)
	}
	sig, err := s.Sign(message)
	if err != nil {
		return nil, err
	}
	if err := s.Public().Verify(message, sig); err != nil {
		return nil, fmt.Errorf("the signer's answer does not verify under %s: %w", s.Public().KeyID(), err)
	}
	return sig, nil
}

// ErrReservedBytes is returned for a message that another signing protocol would
// read as its own.
var ErrReservedBytes = errors.New("bytes that begin like a DSSE, OpenSSH or cosignature message, or read as a checkpoint, are never signed raw")

// SignRaw signs message itself, without an envelope.
func SignRaw(s Signer, message []byte) ([]byte, error) {
	if reserved(message) {
		return nil, ErrReservedBytes
	}
	return sign(s, message)
}

// VerifyRaw checks a raw signature. Errors are [ErrReservedBytes] and those of
// [PublicKey.Verify].
func VerifyRaw(k PublicKey, message, sig []byte) error {
	if reserved(message) {
		return ErrReservedBytes
	}
	return k.Verify(message, sig)
}

// reserved reports whether a raw signature over message could serve in another
// protocol: DSSE, OpenSSH's SSHSIG, a C2SP cosignature, anything binary that begins
// with a length, or a C2SP tlog-checkpoint.
func reserved(message []byte) bool {
	for _, prefix := range []string{"DSSEv1 ", "SSHSIG", "cosignature/", "\x00"} {
		if bytes.HasPrefix(message, []byte(prefix)) {
			return true
		}
	}
	lines := bytes.SplitN(message, []byte("\n"), 4)
	if len(lines) < 4 || len(lines[0]) == 0 {
		return false
	}
	if _, err := strconv.ParseUint(string(lines[1]), 10, 64); err != nil {
		return false
	}
	root, err := base64.StdEncoding.DecodeString(string(lines[2]))
	return err == nil && len(root) == 32
}
