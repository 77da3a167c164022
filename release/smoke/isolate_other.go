//go:build !linux

package smoke

import (
	"errors"
	"os/exec"
)

// isolate reports that this system offers no isolation without privileges.
func isolate(*exec.Cmd) bool { return false }

func refused(err error) bool { return errors.Is(err, errNotIsolated) }
