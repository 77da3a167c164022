//go:build !windows

package keys

import (
	"fmt"
	"io"
	"net"
)

// dialAgent connects to the agent's socket, the value of SSH_AUTH_SOCK.
func dialAgent(socket string) (io.ReadWriteCloser, error) {
	if socket == "" {
		return nil, &Error{fmt.Errorf("%w: no ssh-agent runs here (SSH_AUTH_SOCK is not set)", ErrAgent), `start one: eval "$(ssh-agent)" && ssh-add -c FILE`}
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, &Error{fmt.Errorf("%w: %w", ErrAgent, err), `start one: eval "$(ssh-agent)" && ssh-add -c FILE`}
	}
	return conn, nil
}
