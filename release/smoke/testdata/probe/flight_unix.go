//go:build unix

package main

import "syscall"

// flight is how a child leaves its parent's process group.
var flight = &syscall.SysProcAttr{Setsid: true}
