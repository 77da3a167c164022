package inventory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A source yields rows and io.EOF after the last.
type source interface{ next() (row, error) }

// An input is a source and what is known about it.
type input struct {
	source
	format  Format
	kind    kind
	unit    string // what rows are numbered by: line or row
	digests bool   // what endpoints have matters, not only which there are
}

// open finds out what r is, checks that it has the columns that o needs, and
// leaves the rows to be read.
func open(r io.Reader, o Options, digests bool) (*input, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	in := &input{format: o.Format, unit: "line", digests: digests}
	b := bufio.NewReader(r)
	first, err := start(b)
	if err != nil {
		return nil, in.failed(err)
	}
	switch {
	case first == '[' && (o.Format == "" || o.Format == Osquery):
		err = in.openArray(b, o)
	case o.Format == Osquery || o.Format == JSONLines || o.Format == "" && first == '{':
		err = in.openLines(b, o)
	default:
		err = in.openTable(b, o)
	}
	if err != nil {
		return nil, in.failed(err)
	}
	return in, nil
}

// start skips a byte order mark and returns the first byte that is no space, 0 if
// there is none nearby. It refuses UTF-16 and UTF-32, with or without a mark.
func start(b *bufio.Reader) (byte, error) {
	head, err := b.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(head, []byte(mark)) {
			return 0, malformed("UTF-16, expected UTF-8")
		}
	}
	// Text begins with an ASCII character here, whose other byte would be 0.
	if bytes.IndexByte(head[:min(len(head), 2)], 0) >= 0 {
		return 0, malformed("NUL bytes as in UTF-16, expected UTF-8")
	}
	if rest, ok := bytes.CutPrefix(head, []byte("\ufeff")); ok {
		head = rest
		if _, err := b.Discard(len("\ufeff")); err != nil {
			return 0, err
		}
	}
	if head = bytes.TrimLeft(head, " \t\r\n"); len(head) == 0 {
		return 0, nil
	}
	return head[0], nil
}

// errTooLong stands for a row of more than MaxLine bytes.
var errTooLong = errors.New("too long")

// A window lets its reader see at most MaxLine bytes beyond the place where it was
// moved last. So a parser that takes a row as a whole can't be made to take more. An
// error stays, since a parser may ask again.
type window struct {
	r           io.Reader
	read, until int64 // bytes
	err         error
}

func newWindow(r io.Reader) *window { return &window{r: r, until: MaxLine} }

// move says that the row to come begins at byte offset.
func (w *window) move(offset int64) { w.until = offset + MaxLine }

func (w *window) Read(p []byte) (n int, err error) {
	switch {
	case w.err != nil:
		return 0, w.err
	case w.read < w.until:
		n, w.err = w.r.Read(p[:min(int64(len(p)), w.until-w.read)])
		w.read += int64(n)
	default:
		// Everything may end just here.
		if _, w.err = io.ReadFull(w.r, make([]byte, 1)); w.err == nil {
			w.err = errTooLong
		}
	}
	return n, w.err
}

// tooLong is the error for a row of more than MaxLine bytes.
func (in *input) tooLong(number int) error {
	return in.malformed(number, "more than %d bytes", MaxLine)
}

// A trial is a format that content was taken for and why it is none of it.
type trial struct {
	format Format
	err    error
}

// noFormat is the error for content that is of none of the formats tried.
func noFormat(tried []trial) error {
	parts := make([]string, len(tried))
	for i, t := range tried {
		parts[i] = fmt.Sprintf("%s (%v)", t.format, t.err)
	}
	return malformed("of no known format; tried %s", strings.Join(parts, "; "))
}
