package smoke

import (
	"errors"
	"os/exec"
	"syscall"
)

// ownGroup leaves a command as it is: stopping it reaches the process alone.
func ownGroup(*exec.Cmd) {}

func killGroup(*exec.Cmd) {}

// errorBadExeFormat is ERROR_BAD_EXE_FORMAT of winerror.h.
const errorBadExeFormat = syscall.Errno(193)

// noProgram reports whether the system refused to start a file because it is no program.
func noProgram(err error) bool { return errors.Is(err, errorBadExeFormat) }

// keepOpenFiles does nothing: os/exec lists the handles that a program inherits.
func keepOpenFiles() error { return nil }
