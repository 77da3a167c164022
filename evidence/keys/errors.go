package keys

import "errors"

// An Error says what is wrong with a key or its source, and the next step.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the fact without the hint.
func (e *Error) Unwrap() error { return e.Err }

// What callers tell apart with errors.Is.
var (
	ErrPublicKey       = errors.New("this is a public key, a private key is expected")
	ErrVerifyOnly      = errors.New("only Ed25519 keys sign")
	ErrPassphrase      = errors.New("the passphrase does not open the key")
	ErrNoPassphrase    = errors.New("the key is encrypted and no passphrase was given")
	ErrNotInAgent      = errors.New("the ssh-agent does not hold the key")
	ErrAgent           = errors.New("the ssh-agent did not answer as it should")
	ErrKeyText         = errors.New("this is the text of a key, the name of a file is expected")
	ErrMismatchedHalf  = errors.New("the public half does not belong to the private half")
	ErrUnknownKeyFile  = errors.New("this is no key file that is known here")
	ErrDamaged         = errors.New("the key is damaged")
	ErrHostileKeyFile  = errors.New("opening the key would cost too much")
	ErrEmptyPassphrase = errors.New("the passphrase is empty")
)

const (
	hintGenerate   = "make a key that signs: rollproof keys generate FILE"
	hintPassphrase = "run it on a terminal, or name a file that holds the passphrase in ROLLPROOF_KEY_PASSPHRASE_FILE"
)
