package console

import (
	"regexp"
	"strings"
)

// plainWord needs no quotes in a POSIX shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// quote makes one word of a command line that somebody may copy into a POSIX shell. A
// text with characters that a page does not show as they are can't be copied from one,
// so that its place is marked instead.
func quote(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	if !copies(text) {
		return "TEXT"
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// copies reports whether a page shows a text as it is.
func copies(text string) bool {
	shown, err := printable(text)
	return err == nil && shown == text
}

// command is a line of rollproof, with --server where the store is elsewhere.
func (c *Console) command(words ...string) string {
	line := append([]string{"rollproof"}, words...)
	if c.Server != "" {
		line = append(line, "--server", c.Server)
	}
	for i := range line {
		line[i] = quote(line[i])
	}
	return strings.Join(line, " ")
}
