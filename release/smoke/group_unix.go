//go:build unix

package smoke

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// ownGroup gives a command a session of its own, so that it has no terminal to type
// into, and has stopping it reach the whole process group.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// killGroup ends what a command left running in its group. That nothing is left is no
// error.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// noProgram reports whether the system refused to start a file because it is no program.
func noProgram(err error) bool { return errors.Is(err, syscall.ENOEXEC) }

// keepOpenFiles has no program inherit what whoever started this one left open: os/exec
// passes on every file that is not marked.
func keepOpenFiles() error {
	list, err := os.ReadDir("/dev/fd")
	for _, e := range list {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return err
}
