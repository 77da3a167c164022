//go:build !windows

package main

import "os"

// filePermissions are the bits that say who may read a file.
func filePermissions(info os.FileInfo) os.FileMode { return info.Mode().Perm() }
