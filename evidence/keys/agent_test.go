package keys

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/rollproof/rollproof/evidence/envelope"
)

func TestAgentRefuses(t *testing.T) {
	dir := t.TempDir()
	socket := startAgent(t)
	env := []string{"SSH_AUTH_SOCK=" + socket}
	run(t, dir, nil, "ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", "ecdsa")
	run(t, dir, env, "ssh-add", "-q", "ecdsa")
	ecdsa, err := envelope.ParsePublicKey(read(t, dir, "ecdsa.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		spec, socket string
		want         error
	}{
		"ECDSA":              {agentPrefix + ecdsa.KeyID(), socket, ErrVerifyOnly},
		"another key":        {agentPrefix + testKey(t).Public().KeyID(), socket, ErrNotInAgent},
		"no agent":           {agentPrefix + ecdsa.KeyID(), "", ErrAgent},
		"agent is gone":      {agentPrefix + ecdsa.KeyID(), filepath.Join(dir, "none"), ErrAgent},
		"socket is no agent": {agentPrefix + ecdsa.KeyID(), misbehavingAgent(t, nil), ErrAgent},
	} {
		if _, err := Open(tc.spec, environment(t, tc.socket)); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	for _, spec := range []string{"ssh-agent:", "ssh-agent:MD5:00", "ssh-agent:ada@example.com"} {
		var hinted *Error
		if _, err := Open(spec, environment(t, socket)); !errors.As(err, &hinted) || hinted.Hint == "" {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// lyingAgent holds a key, and answers as its fields say.
type lyingAgent struct {
	agent.Agent
	listed ssh.PublicKey
	answer func(*ssh.Signature)
}

func (a lyingAgent) List() ([]*agent.Key, error) {
	if a.listed != nil {
		return []*agent.Key{{Format: a.listed.Type(), Blob: a.listed.Marshal()}}, nil
	}
	return a.Agent.List()
}

func (a lyingAgent) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	sig, err := a.Agent.Sign(key, data)
	if err == nil && a.answer != nil {
		a.answer(sig)
	}
	return sig, err
}

// misbehavingAgent serves held on a socket; without one it hangs up.
func misbehavingAgent(t *testing.T, held agent.Agent) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if held != nil {
				_ = agent.ServeAgent(held, conn)
			}
			_ = conn.Close()
		}
	}()
	return filepath.Join(dir, "s")
}

func TestAgentAnswersAreChecked(t *testing.T) {
	k := testKey(t)
	ring := agent.NewKeyring()
	private := k.secret()
	if err := ring.Add(agent.AddedKey{PrivateKey: &private}); err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]func(*ssh.Signature){
		"short":          func(s *ssh.Signature) { s.Blob = s.Blob[:63] },
		"long":           func(s *ssh.Signature) { s.Blob = append(s.Blob, 0) },
		"another bit":    func(s *ssh.Signature) { s.Blob[0] ^= 1 },
		"another format": func(s *ssh.Signature) { s.Format = ssh.KeyAlgoSKED25519 },
		"with a rest":    func(s *ssh.Signature) { s.Rest = []byte{1, 0, 0, 0, 1} },
	} {
		socket := misbehavingAgent(t, lyingAgent{Agent: ring, answer: answer})
		signer, err := Open(agentPrefix+k.Public().KeyID(), environment(t, socket))
		if err != nil {
			t.Fatal(err)
		}
		if sig, err := signer.Sign([]byte("message")); !errors.Is(err, ErrAgent) {
			t.Errorf("%s: signature %x, error %v", name, sig, err)
		}
	}
	socket := misbehavingAgent(t, lyingAgent{Agent: ring})
	signer, err := Open(agentPrefix+k.Public().KeyID(), environment(t, socket))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(make([]byte, envelope.MaxSigned)); err != nil {
		t.Errorf("MaxSigned bytes: %v", err)
	}
	if _, err := signer.Sign(make([]byte, envelope.MaxSigned+1)); err == nil {
		t.Error("signed more than MaxSigned bytes")
	}
	if err := ring.RemoveAll(); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign([]byte("message")); !errors.Is(err, ErrAgent) {
		t.Errorf("a key that left its agent: %v", err)
	}
}

// A security key's public half is enough to be listed by an agent.
func TestAgentSecurityKey(t *testing.T) {
	blob := ssh.Marshal(struct {
		Name        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, testKey(t).Public().Blob()[19:], "ssh:"})
	listed, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	socket := misbehavingAgent(t, lyingAgent{Agent: agent.NewKeyring(), listed: listed})
	_, err = Open(agentPrefix+ssh.FingerprintSHA256(listed), environment(t, socket))
	if !errors.Is(err, ErrVerifyOnly) || !strings.Contains(err.Error(), "security key") {
		t.Errorf("got %v, want %v", err, ErrVerifyOnly)
	}
}
