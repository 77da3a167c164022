package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/evidence/trust/memory"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/urfave/cli/v2"
)

// The exit codes.
const (
	exitFailed   = 1 // could not do it
	exitUsage    = 2 // usage or configuration
	exitEvidence = 3 // evidence is bad
	exitRule     = 4 // a rule said no
	exitApproval = 5 // an approval is missing or does not count
	exitConflict = 6 // somebody else was first
)

// A failure is an error as people and programs see it: a fact, and the next step.
type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func (f failure) Error() string { return f.Message }

// buildExit maps whose turn it is after a build's error to exit codes.
var buildExit = map[gobuild.Kind]int{
	gobuild.KindFailed: exitFailed, gobuild.KindUsage: exitUsage, gobuild.KindTampered: exitEvidence, gobuild.KindRule: exitRule,
}

// usagef returns a usage error with the next step.
func usagef(hint, format string, args ...any) error {
	return failure{exitUsage, fmt.Sprintf(format, args...), hint}
}

// A shownError is a failure that stdout already tells in full, such as a verdict.
type shownError struct{ code int }

func (e *shownError) Error() string { return "the verdict is on stdout" }

func usageError(ctx *cli.Context, err error, _ bool) error {
	return usagef("see rollproof --help", "%v", err)
}

// translate is the one table from errors to exit codes.
func translate(ctx context.Context, err error) failure {
	var (
		f      failure
		shown  *shownError
		key    *keys.Error
		root   *trust.Error
		build  *gobuild.Error
		exists *dist.ExistsError
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &shown):
		return failure{Code: shown.code}
	case ctx.Err() != nil:
		return failure{exitFailed, "interrupted", "nothing was left behind; run it again"}
	case errors.As(err, &root):
		return failure{trustExit(err), err.Error(), root.Hint}
	case trustExit(err) == exitEvidence:
		return failure{exitEvidence, err.Error(), "get the trust directory from the root's owners"}
	case errors.As(err, &exists):
		return failure{exitConflict, exists.Error(), "another package has this version; --replace takes its place"}
	case errors.As(err, &build):
		return failure{buildExit[build.Kind], err.Error(), build.Hint}
	case errors.As(err, &key):
		return failure{keyExit(err), err.Error(), key.Hint}
	case service.Explain(err) != nil:
		known := service.Explain(err)
		return failure{known.Code, known.Message, known.Hint}
	case errors.Is(err, fs.ErrNotExist):
		return failure{exitFailed, err.Error(), "check the path"}
	case errors.Is(err, fs.ErrPermission):
		return failure{exitFailed, err.Error(), "check who may read it"}
	}
	return failure{exitFailed, err.Error(), ""}
}

// keyExit is 2 for a key that can never serve here, 1 for one that could not be had.
func keyExit(err error) int {
	if errors.Is(err, keys.ErrAgent) || errors.Is(err, keys.ErrNotInAgent) || errors.Is(err, fs.ErrNotExist) {
		return exitFailed
	}
	return exitUsage
}

// trustExit is 3 for a trust root that does not verify.
func trustExit(err error) int {
	for _, bad := range []error{
		trust.ErrForeignFile, trust.ErrGap, trust.ErrThreshold, trust.ErrStep, trust.ErrPin, trust.ErrFork,
		trust.ErrRollback, trust.ErrMinVersion, envelope.ErrSignature, memory.ErrDamaged,
	} {
		if errors.Is(err, bad) {
			return exitEvidence
		}
	}
	return exitUsage
}
