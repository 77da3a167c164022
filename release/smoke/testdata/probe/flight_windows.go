package main

import "syscall"

var flight = &syscall.SysProcAttr{}
