package inventory

import (
	"errors"
	"fmt"
	"io"
)

// A FormatError says why an input is not an inventory that can be trusted to mean
// what it seems to. Its text holds only printable ASCII of the input.
type FormatError struct {
	Where   string // "line 3", "row 2" for an element of a JSON array; "" for the whole input
	Problem string
}

func (e *FormatError) Error() string {
	if e.Where == "" {
		return "inventory: " + e.Problem
	}
	return "inventory: " + e.Where + ": " + e.Problem
}

// An OptionError says why options can't be followed, whatever the input.
type OptionError struct {
	Option  string // the field of [Options]; "key" of [Pseudonym]
	Problem string
}

func (e *OptionError) Error() string { return "inventory option " + e.Option + ": " + e.Problem }

// malformed returns an error about the whole input.
func malformed(format string, args ...any) error {
	return &FormatError{"", fmt.Errorf(format, args...).Error()}
}

// malformed returns an error about a row, or about the whole input for number 0.
func (in *input) malformed(number int, format string, args ...any) error {
	e := FormatError{Problem: fmt.Errorf(format, args...).Error()}
	if number > 0 {
		e.Where = fmt.Sprintf("%s %d", in.unit, number)
	}
	return &e
}

// failed tells errors of the input's text from those of its reader.
func (in *input) failed(err error) error {
	var format *FormatError
	switch {
	case errors.As(err, &format):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("ends in the middle of a row")
	}
	return fmt.Errorf("reading the inventory: %w", err)
}

// shown returns text of the input for messages: quoted, escaped and cut.
func shown(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%+q… (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%+q", s)
}
