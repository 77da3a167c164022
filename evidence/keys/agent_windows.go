package keys

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// windowsPipe is where the agent that comes with Windows listens.
const windowsPipe = `\\.\pipe\openssh-ssh-agent`

// dialAgent connects to the agent's named pipe: the value of SSH_AUTH_SOCK, or the
// one of the system's own agent.
func dialAgent(pipe string) (io.ReadWriteCloser, error) {
	if pipe == "" {
		pipe = windowsPipe
	}
	if !strings.HasPrefix(pipe, `\\.\pipe\`) {
		return nil, &Error{fmt.Errorf("%w: SSH_AUTH_SOCK is not a named pipe, and sockets are not supported on Windows", ErrAgent), `use the system's agent: Start-Service ssh-agent`}
	}
	conn, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		return nil, &Error{fmt.Errorf("%w: %w", ErrAgent, err), `start it: Start-Service ssh-agent`}
	}
	return conn, nil
}
