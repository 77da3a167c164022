package smoke

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Command is what is run, and what is expected of it: the section "smoke" of
// rollproof.yaml. The zero value is "--version" with exit code 0, any output and ten
// seconds.
type Command struct {
	Args      []string `yaml:"args" json:"args"`            // behind the program; nil is "--version"
	ExitCode  int      `yaml:"exit_code" json:"exitCode"`   // 0 to 255
	Output    string   `yaml:"output" json:"output"`        // RE2 pattern that the output must match; "" is any output
	TimeLimit string   `yaml:"time_limit" json:"timeLimit"` // of each binary, such as 10s; "" is [DefaultTimeLimit]
}

// What a command is without settings, and the most that it may ask for.
const (
	DefaultTimeLimit = "10s"
	maxTimeLimit     = time.Hour
	maxArgs          = 100
	maxText          = 4000 // bytes of one argument, or of the pattern
)

// complete fills in the defaults.
func (c Command) complete() Command {
	if c.Args == nil {
		c.Args = []string{"--version"}
	}
	if c.TimeLimit == "" {
		c.TimeLimit = DefaultTimeLimit
	}
	return c
}

// Check refuses a command that nothing can be run with.
func (c Command) Check() error {
	_, err := c.complete().expectation()
	return err
}

// An expectation is a checked command, ready for use.
type expectation struct {
	Command
	limit   time.Duration
	pattern *regexp.Regexp // nil for none
}

// expectation checks a complete command.
func (c Command) expectation() (expectation, error) {
	e := expectation{Command: c}
	var err error
	if e.limit, err = time.ParseDuration(c.TimeLimit); err != nil || e.limit <= 0 || e.limit > maxTimeLimit {
		return e, fmt.Errorf("smoke: time_limit is %q, expected more than 0 and at most %s, such as %s", c.TimeLimit, maxTimeLimit, DefaultTimeLimit)
	}
	bad := func(a string) bool { return strings.Contains(a, "\x00") || len(a) > maxText }
	switch {
	case c.ExitCode < 0 || c.ExitCode > 255:
		return e, fmt.Errorf("smoke: exit_code is %d, expected 0 to 255", c.ExitCode)
	case len(c.Args) > maxArgs || slices.ContainsFunc(c.Args, bad):
		return e, fmt.Errorf("smoke: args: expected at most %d of at most %d bytes, without NUL", maxArgs, maxText)
	case len(c.Output) > maxText:
		return e, fmt.Errorf("smoke: output has %d bytes, expected at most %d", len(c.Output), maxText)
	case c.Output == "":
		return e, nil
	}
	if e.pattern, err = regexp.Compile(c.Output); err != nil {
		return e, fmt.Errorf("smoke: output is no RE2 pattern: %w", err)
	}
	return e, nil
}
