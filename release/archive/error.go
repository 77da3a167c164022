package archive

import (
	"fmt"
	"strings"
)

// An Error says what is wrong with a zip, an entry or a path. Its text holds
// nothing that a terminal would act on.
type Error struct {
	Entry   string // name of the entry, or the path, escaped by Printable and cut to a sensible length; "" for the zip as a whole
	Part    string // "local header", "central header", "central directory", "end record", "data" or "input"; "" where Offset is -1
	Offset  int64  // of that part in the zip, in bytes; -1 where there is no zip
	Problem string // the fact, with what was expected: "compressed with method 8 (deflate), expected 0 (store)"
}

// Error returns entry, part, offset and problem in one line, for example
// "demo-v1.0.0/LICENSE: central header at offset 53: flags 0x0008 (data descriptor), expected none".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Entry != "" {
		b.WriteString(e.Entry + ": ")
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, "%s at offset %d: ", e.Part, e.Offset)
	}
	b.WriteString(e.Problem)
	return b.String()
}

// nowhere returns an Error about something that stands at no offset. Only paths
// and names go into entry unescaped; a problem's own text must be harmless.
func nowhere(entry, problem string) *Error {
	return &Error{Entry: shown(entry), Offset: -1, Problem: problem}
}

// shown returns a name for messages: escaped, and no longer than a good name can
// be, since a header may hold 64 KiB of anything.
func shown(name string) string {
	if len(name) <= maxName {
		return Printable(name)
	}
	return fmt.Sprintf("%s… (%d bytes)", Printable(name[:maxName]), len(name))
}
