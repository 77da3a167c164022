package smoke

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// isolate has a command run in namespaces of its own, as the user that it has here, and
// end when its parent does.
func isolate(cmd *exec.Cmd) bool {
	uid, gid := os.Getuid(), os.Getgid()
	attr := cmd.SysProcAttr
	attr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	attr.Pdeathsig = syscall.SIGKILL
	return true
}

// refused reports whether a command did not start for lack of namespaces: the kernel
// has none, the user may make none, or too many are in use.
func refused(err error) bool {
	if errors.Is(err, errNotIsolated) {
		return true
	}
	var number syscall.Errno
	return errors.As(err, &number) && slices.Contains([]syscall.Errno{
		syscall.EPERM, syscall.EACCES, syscall.EINVAL, syscall.ENOSPC, syscall.EUSERS, syscall.ENOSYS,
	}, number)
}
