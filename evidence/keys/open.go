package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// An Environment is what the outside world gives to [Open].
type Environment struct {
	// ReadFile returns a file and its mode. Permission bits of 0 mean that the
	// system has none that say who may read it.
	ReadFile func(path string) ([]byte, fs.FileMode, error)

	// AgentSocket is the value of SSH_AUTH_SOCK.
	AgentSocket string

	// Passphrase returns the passphrase of the named key; the answer is wiped. It
	// may be nil.
	Passphrase func(name string) ([]byte, error)

	// Warn receives a loud warning, one line. It may be nil.
	Warn func(string)
}

// Open returns the signer that --key names: a file, or "ssh-agent:SHA256:…". The
// text of a key is refused, since arguments are visible to other users.
func Open(name string, env Environment) (envelope.Signer, error) {
	if strings.Contains(name, "-----BEGIN") {
		return nil, &Error{ErrKeyText, "put it into a file of mode 0600, or into ROLLPROOF_SIGNING_KEY, and treat it as known to others"}
	}
	if keyid, ok := strings.CutPrefix(name, agentPrefix); ok {
		return openAgent(keyid, env.dial)
	}
	data, err := env.read(name)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	return parseNamed(data, name, env)
}

// OpenVariable returns the signer that the value of ROLLPROOF_SIGNING_KEY is or
// names: the text of a key file, or anything that [Open] takes.
func OpenVariable(value string, env Environment) (envelope.Signer, error) {
	if strings.HasPrefix(strings.TrimSpace(value), "-----BEGIN ") {
		return parseNamed([]byte(value), variable, env)
	}
	if strings.HasPrefix(value, agentPrefix) {
		return Open(value, env)
	}
	data, err := env.read(value)
	if err != nil {
		return nil, &Error{unreadable(err), "set it to a path, or to everything from -----BEGIN to the end of the file"}
	}
	defer clear(data)
	return parseNamed(data, variable, env)
}

// unreadable keeps the reason of a failed read and leaves out the name: the value
// may be a key that lost its first line.
func unreadable(err error) error {
	reason := fs.ErrInvalid
	var path *fs.PathError
	if errors.As(err, &path) {
		reason = path.Err
	}
	return fmt.Errorf("%s is neither the text of a key nor the name of a file that can be read: %w", variable, reason)
}

const variable = "ROLLPROOF_SIGNING_KEY"

// parseNamed names the file in an error and keeps its hint.
func parseNamed(data []byte, name string, env Environment) (envelope.Signer, error) {
	private, err := Parse(data, env.passphrase(name))
	if err == nil {
		return private, nil
	}
	named := fmt.Errorf("%s: %w", name, err)
	var e *Error
	if errors.As(err, &e) {
		return nil, &Error{named, e.Hint}
	}
	return nil, named
}

func (e Environment) dial() (io.ReadWriteCloser, error) { return dialAgent(e.AgentSocket) }

func (e Environment) read(name string) ([]byte, error) {
	if e.ReadFile == nil {
		return nil, fmt.Errorf("%s: no files can be read here", name)
	}
	data, mode, err := e.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if perm := mode.Perm(); perm&0o077 != 0 && e.Warn != nil {
		e.Warn(fmt.Sprintf("%s: mode %04o lets other users of this machine at the private key: chmod 600 %s", name, perm, name))
	}
	return data, nil
}

func (e Environment) passphrase(name string) func() ([]byte, error) {
	if e.Passphrase == nil {
		return nil
	}
	return func() ([]byte, error) { return e.Passphrase(name) }
}
