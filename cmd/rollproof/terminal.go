package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rollproof/rollproof/release"
	"golang.org/x/term"
)

// A terminal knows how to write on one stream: in colour, or plain.
type terminal struct {
	colour bool
	tty    bool
}

func (p *program) terminal(w io.Writer) terminal {
	f, ok := w.(*os.File)
	tty := ok && term.IsTerminal(int(f.Fd())) && p.env("TERM") != "dumb"
	return terminal{colour: tty && p.env("NO_COLOR") == "", tty: tty}
}

func (t terminal) paint(code, text string) string {
	if !t.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// result returns a result in a column of eleven characters, never by colour alone.
func (t terminal) result(r release.Result) string {
	switch r {
	case release.Pass:
		return t.paint("32", "pass       ")
	case release.Fail:
		return t.paint("1;31", "FAIL       ")
	}
	return t.paint("33", "not-checked")
}

// byteCount returns a size for people.
func byteCount(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}

// progress shows the steps of a build on stderr: a bar that is redrawn on a
// terminal, plain lines elsewhere.
func (p *program) progress() (show release.Progress, done func()) {
	t := p.terminal(p.stderr)
	if !t.tty {
		return func(e release.Event) {
			if e.Target != "" || e.Done == 0 {
				fmt.Fprintf(p.stderr, "%s\n", strings.TrimSpace(step(e)+" "+e.Target))
			}
		}, func() {}
	}
	return func(e release.Event) {
			fmt.Fprintf(p.stderr, "\r\x1b[K%s %s %s", bar(e), step(e), e.Target)
		}, func() {
			fmt.Fprint(p.stderr, "\r\x1b[K")
		}
}

func step(e release.Event) string {
	if e.Total == 0 {
		return e.Phase
	}
	return fmt.Sprintf("%s %d/%d", e.Phase, e.Done, e.Total)
}

func bar(e release.Event) string {
	const width = 24
	filled := 0
	if e.Total > 0 {
		filled = width * e.Done / e.Total
	}
	return "[" + strings.Repeat("#", filled) + strings.Repeat(".", width-filled) + "]"
}
