//go:build !linux

package smoke_test

import "testing"

const deniedMarker = "SMOKE_TEST_DENIED"

func runDenied() int { return 1 }

func leakFile(*testing.T, string) {}
