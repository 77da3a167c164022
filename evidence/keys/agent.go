package keys

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// agentPrefix begins the name of a key in an ssh-agent; its fingerprint follows.
const agentPrefix = "ssh-agent:"

// agentKey signs by asking an ssh-agent (draft-miller-ssh-agent). It connects for
// each signature: an agent may ask its user each time, and may be restarted.
type agentKey struct {
	public envelope.PublicKey
	dial   func() (io.ReadWriteCloser, error)
}

// openAgent finds a key in an agent by its fingerprint.
func openAgent(keyid string, dial func() (io.ReadWriteCloser, error)) (envelope.Signer, error) {
	if !strings.HasPrefix(keyid, "SHA256:") {
		return nil, &Error{fmt.Errorf("%s needs a fingerprint: %sSHA256:…", agentPrefix, agentPrefix), "see the fingerprints: ssh-add -l"}
	}
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	held, err := agent.NewClient(conn).List()
	if err != nil {
		return nil, fmt.Errorf("%w: no list of its keys", ErrAgent)
	}
	for _, k := range held {
		if ssh.FingerprintSHA256(k) != keyid {
			continue
		}
		if k.Format != ssh.KeyAlgoED25519 {
			return nil, refuseType(k.Format)
		}
		public, err := envelope.ParseBlob(k.Blob, ssh.KeyAlgoED25519)
		if err != nil {
			return nil, err
		}
		return &agentKey{public, dial}, nil
	}
	return nil, &Error{
		fmt.Errorf("%w: %s, among the %d that it shows", ErrNotInAgent, keyid, len(held)),
		"see what it holds with ssh-add -l, unlock it with ssh-add -X, or load the key: ssh-add -c FILE",
	}
}

// Public returns the public half.
func (k *agentKey) Public() envelope.PublicKey { return k.public }

// Sign returns the agent's 64-byte signature over message.
func (k *agentKey) Sign(message []byte) ([]byte, error) {
	if len(message) > envelope.MaxSigned {
		return nil, tooLong(message)
	}
	public, err := ssh.ParsePublicKey(k.public.Blob())
	if err != nil {
		return nil, err
	}
	conn, err := k.dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	sig, err := agent.NewClient(conn).SignWithFlags(public, bytes.Clone(message), 0)
	if err != nil {
		return nil, &Error{
			fmt.Errorf("%w: no signature by %s", ErrAgent, k.public.KeyID()),
			"it refuses when its user declines (ssh-add -c), when it is locked, or when the key has left it",
		}
	}
	return k.check(message, sig)
}

// check takes the plain signature out of the agent's answer.
func (k *agentKey) check(message []byte, sig *ssh.Signature) ([]byte, error) {
	if sig.Format != ssh.KeyAlgoED25519 || len(sig.Rest) > 0 {
		return nil, fmt.Errorf("%w: a signature that is not plain ssh-ed25519", ErrAgent)
	}
	if err := k.public.Verify(message, sig.Blob); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAgent, err)
	}
	return sig.Blob, nil
}
