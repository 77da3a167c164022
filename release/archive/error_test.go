package archive_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release/archive"
)

func TestErrorText(t *testing.T) {
	b := write(t, demo[0])
	b[len(b)-2] = 1
	_, end := read(b)
	_, short := read(b[:10])
	b = write(t, demo[0])
	_, cut := archive.NewReader(bytes.NewReader(b[:120]), int64(len(b)))
	b[8] = 8
	_, local := read(b)
	_, collision := read(named(top+"/X", top+"/x")(t))
	_, trailing := read(append(write(t, demo[0]), "more"...))
	tests := []struct {
		err    error
		offset int64
		want   string
	}{
		{archive.CheckPath("a\x1b"), -1, `a\u{1b}: character \u{1b}, expected only A-Z a-z 0-9 . _ + -`},
		{archive.CheckPath(strings.Repeat("a", 602)), -1, strings.Repeat("a", 601) + "… (602 bytes): path of 602 bytes, expected at most 400"},
		{archive.CheckPath(strings.Repeat("a", 601)), -1, strings.Repeat("a", 601) + ": path of 601 bytes, expected at most 400"},
		{archive.CheckPath(strings.Repeat("\x1b", 700)), -1, strings.Repeat(`\u{1b}`, 601) + "… (700 bytes): path of 700 bytes, expected at most 400"},
		{short, -1, "10 bytes, expected a zip of 22 to 4294967295"},
		{trailing, -1, "4 bytes after the end record, expected none"},
		{cut, 118, "input at offset 118: ends after 2 bytes, expected 22"},
		{end, 118, "end record at offset 118: comment of 1 bytes, expected none"},
		{local, 0, "demo-v1.0.0/LICENSE: local header at offset 0: compressed with method 8 (deflate), expected 0 (store)"},
		{collision, 44, "demo-v1.0.0/x: local header at offset 44: differs only by case from X"},
	}
	for _, test := range tests {
		var e *archive.Error
		if !errors.As(test.err, &e) {
			t.Errorf("error is %v, expected %s", test.err, test.want)
		} else if e.Offset != test.offset || e.Error() != test.want {
			t.Errorf("error is %q at %d, expected %q at %d", e.Error(), e.Offset, test.want, test.offset)
		}
	}
}
