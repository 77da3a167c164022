package gobuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// killGrace is how long a killed child may keep its output open.
const killGrace = 5 * time.Second

// A child is a process and everything it may see: env is its whole environment.
type child struct {
	path  string
	args  []string
	dir   string
	env   []string
	stdin []byte
}

// run starts the process in a process group of its own, which is killed when
// ctx ends, and returns what it wrote.
func (c child) run(ctx context.Context) (stdout, stderr []byte, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdout, cmd.Stderr = &out, &errs
	if c.stdin != nil {
		cmd.Stdin = bytes.NewReader(c.stdin)
	}
	cmd.WaitDelay = killGrace
	ownGroup(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		return out.Bytes(), errs.Bytes(), &childError{name: c.name(), stderr: errs.Bytes(), err: err}
	}
	return out.Bytes(), errs.Bytes(), nil
}

// name is what messages call the child: the program and its first plain words,
// at most two.
func (c child) name() string {
	words := []string{strings.TrimSuffix(filepath.Base(c.path), ".exe")}
	for i := 0; i < len(c.args) && len(words) < 3; i++ {
		switch {
		case c.args[i] == "-c":
			i++
		case !strings.HasPrefix(c.args[i], "-"):
			words = append(words, c.args[i])
		case len(words) > 1:
			return strings.Join(words, " ")
		}
	}
	return strings.Join(words, " ")
}

// A childError tells which child failed, in one line.
type childError struct {
	name   string
	stderr []byte
	err    error
}

func (e *childError) Error() string {
	if line := telling(e.stderr); line != "" {
		return fmt.Sprintf("%s: %s", e.name, line)
	}
	return fmt.Sprintf("%s: %v", e.name, e.err)
}

func (e *childError) Unwrap() error { return e.err }

// exitCode is the code that a child ended with, or -1 when err is none of its.
func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// telling picks the first line that says something: go build starts with
// "# package", go mod download with its progress.
func telling(output []byte) string {
	for line := range strings.Lines(string(output)) {
		line = plain(strings.TrimSpace(line))
		if line != "" && !strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "go: downloading ") {
			return line
		}
	}
	return ""
}

// plain replaces what could move a terminal's cursor or hide text, and cuts
// what no longer fits a line.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return s
}
