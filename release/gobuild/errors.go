package gobuild

import (
	"errors"
	"fmt"
)

// A Kind says whose turn it is after an error.
type Kind int

const (
	// KindFailed: it could not be done (a tool is missing, the build failed). Exit 1.
	KindFailed Kind = iota
	// KindUsage: the options or a configuration file must change. Exit 2.
	KindUsage
	// KindTampered: bytes are not what their recorded hash says. Exit 3.
	KindTampered
	// KindRule: a rule of releasing says no (no tag, changed files). Exit 4.
	KindRule
)

// An Error is a fact in one line and, apart from it, the next step.
type Error struct {
	Kind Kind
	Msg  string // one line, no trailing period
	Hint string // what to do next, "" when there is nothing to say
	Err  error  // the cause, or nil
}

func (e *Error) Error() string { return e.Msg }

func (e *Error) Unwrap() error { return e.Err }

func failed(err error, format string, args ...any) *Error {
	return &Error{Kind: KindFailed, Msg: fmt.Sprintf(format, args...), Err: err}
}

func usage(hint, format string, args ...any) *Error {
	return &Error{Kind: KindUsage, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

func tampered(hint, format string, args ...any) *Error {
	return &Error{Kind: KindTampered, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

func forbidden(hint, format string, args ...any) *Error {
	return &Error{Kind: KindRule, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// ErrClosed comes back from Plan and Build after Close.
var ErrClosed = errors.New("gobuild: the builder is closed")
