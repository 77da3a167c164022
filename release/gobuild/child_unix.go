//go:build unix

package gobuild

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the child into a process group of its own, so that cancelling
// reaches the compilers and linkers that go build has started.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
