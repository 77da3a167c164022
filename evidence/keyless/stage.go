package keyless

import (
	"errors"
	"strings"
)

// A Stage is a step of verification.
type Stage string

// The stages; the package comment says what each one means.
const (
	StageParse       Stage = "parse"
	StageKey         Stage = "key"
	StageCertificate Stage = "certificate"
	StageLog         Stage = "log"
	StageTimestamp   Stage = "timestamp"
	StageSignature   Stage = "signature"
	StageArtifact    Stage = "artifact"
	StageIdentity    Stage = "identity"
	StageType        Stage = "type"
)

// A StageError says at which stage evidence was refused, and why.
type StageError struct {
	Stage Stage
	Err   error
}

// Error is one line, also where a reason of sigstore-go has several.
func (e *StageError) Error() string {
	return string(e.Stage) + ": " + strings.Join(strings.Fields(e.Err.Error()), " ")
}

func (e *StageError) Unwrap() error { return e.Err }

// ErrNeedsContent is returned when a digest was given for a signature that only the
// artifact's bytes can be verified against: a pure Ed25519 message signature.
var ErrNeedsContent = errors.New("a pure Ed25519 signature covers the bytes of the artifact, of which only a digest was given")

// ErrNeedsRoot is returned for an identity without a trusted root.
var ErrNeedsRoot = errors.New("an identity can only be verified with a trusted root")
