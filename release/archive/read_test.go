package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rollproof/rollproof/release/archive"
)

func open(t testing.TB, b []byte, path string) *archive.File {
	t.Helper()
	z, err := read(b)
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFile holds a file to what io.Reader and io.ReaderAt promise.
func TestFile(t *testing.T) {
	for _, want := range demo {
		f := open(t, write(t, demo...), want.path)
		if f.Size() != int64(len(want.data)) {
			t.Errorf("%s has %d bytes, expected %d", want.path, f.Size(), len(want.data))
		}
		whole := struct {
			io.Reader
			io.ReaderAt
		}{f, f}
		if err := iotest.TestReader(whole, []byte(want.data)); err != nil {
			t.Errorf("%s: %v", want.path, err)
		}
	}
}

func TestOpenRefusesWhatIsNotThere(t *testing.T) {
	z, err := read(write(t, demo...))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "bin", "bin/", "license", top + "/LICENSE", "../LICENSE", "\x1b[2J"} {
		_, err := z.Open(path)
		if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("open %q: %v", path, err)
		}
	}
}

// TestBrokenDataIsWithheld reads with buffers of all kinds: who asks for no more
// than the file has must not get all of it without an error.
func TestBrokenDataIsWithheld(t *testing.T) {
	b := write(t, demo...)
	want := demo[2]
	b[bytes.Index(b, []byte(want.data))] ^= 1
	for step := 1; step <= len(want.data)+1; step++ {
		f := open(t, b, want.path)
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, step))
		wantError(t, err, "CRC-32")
		if n >= int64(len(want.data)) {
			t.Errorf("buffer of %d bytes: got all %d bytes", step, n)
		}
		_, again := f.Read(make([]byte, 1))
		wantError(t, again, "demo-v1.0.0/bin/demo: data at offset")
	}
	_, err := io.ReadFull(open(t, b, want.path), make([]byte, len(want.data)))
	wantError(t, err, "CRC-32")
}

func TestEmptyFileWithCRC(t *testing.T) {
	// Size 0 and a CRC-32 that is none, in both headers: good headers, bad data.
	headers := peers(file{"empty", "", 0o644})
	headers[0].header.CRC32 = 1
	_, err := io.ReadAll(open(t, peerZip(t, headers...), "empty"))
	wantError(t, err, "CRC-32 00000000, expected 00000001")
}

// TestEveryByteCounts changes each byte of a small zip to each other value, single
// bits included. In headers NewReader refuses it, in data Read. Only 0100644 and
// 0100755, three bits apart, change into each other and give another good zip.
func TestEveryByteCounts(t *testing.T) {
	files := []file{demo[0], demo[2]}
	b := write(t, files...)
	data, mode := make([]bool, len(b)), make([]bool, len(b))
	for n, f := range files {
		mode[nth(b, centralMark, n)+40] = true
		for i := range f.data {
			data[bytes.Index(b, []byte(f.data))+i] = true
		}
	}
	for i := range b {
		for x := byte(255); x > 0; x-- {
			b[i] ^= x
			z, err := read(b)
			if data[i] != (err == nil) && !(mode[i] && x == 0o644^0o755) {
				t.Errorf("byte %d changed by %#02x: NewReader returns %v", i, x, err)
			}
			if data[i] && err == nil {
				_, err = readAll(z)
			}
			var e *archive.Error
			if err != nil && (!errors.As(err, &e) || e.Problem == "") || err == nil && !mode[i] {
				t.Errorf("byte %d changed by %#02x: error is %v", i, x, err)
			}
			b[i] ^= x
		}
	}
}

// TestEveryTruncationIsRefused takes each beginning, each end, and each zip with a
// byte lost or doubled. One file holds a whole zip, which a cut may bring to the end.
func TestEveryTruncationIsRefused(t *testing.T) {
	inner := write(t, demo...)
	b := write(t, demo[0], file{"nested.zip", string(inner), 0o644})
	refused := func(b []byte, format string, args ...any) {
		t.Helper()
		z, err := read(b)
		if err == nil {
			_, err = readAll(z)
		}
		var e *archive.Error
		if !errors.As(err, &e) || e.Problem == "" {
			t.Errorf(format+": error is %v", append(args, err)...)
		}
	}
	start := bytes.Index(b, inner)
	for i := range b {
		refused(b[:i], "first %d bytes", i)
		if i > 0 && i != start {
			refused(b[i:], "without the first %d bytes", i)
		}
		refused(append(bytes.Clone(b[:i]), b[i+1:]...), "without byte %d", i)
		refused(append(bytes.Clone(b[:i+1]), b[i:]...), "with byte %d twice", i)
	}
	if _, err := read(b[start : start+len(inner)]); err != nil {
		t.Errorf("the nested zip is no zip: %v", err)
	}
}

// TestShorterThanSaid gives a size that the input does not have.
func TestShorterThanSaid(t *testing.T) {
	b := write(t, demo...)
	for n := range b {
		z, err := archive.NewReader(&hole{bytes.NewReader(b), int64(n), io.EOF}, int64(len(b)))
		if err == nil {
			_, err = readAll(z)
		}
		wantError(t, err, "ends after")
	}
}

// TestReadErrorsComeBack tells an unreadable zip from a bad one.
func TestReadErrorsComeBack(t *testing.T) {
	b := write(t, demo...)
	for n := range b {
		z, err := archive.NewReader(&hole{bytes.NewReader(b), int64(n), errBroken}, int64(len(b)))
		if err == nil {
			_, err = readAll(z)
		}
		var e *archive.Error
		if !errors.Is(err, errBroken) || errors.As(err, &e) {
			t.Errorf("byte %d unreadable: error is %v", n, err)
		}
	}
}

// TestReadErrorsWhileLookingForTheEnd fails after the end record was not found.
func TestReadErrorsWhileLookingForTheEnd(t *testing.T) {
	b := append(write(t, demo...), make([]byte, 100)...)
	if _, err := archive.NewReader(&hole{bytes.NewReader(b), 0, errBroken}, int64(len(b))); !errors.Is(err, errBroken) {
		t.Errorf("error is %v", err)
	}
}

// A hole is a ReaderAt that fails at one byte.
type hole struct {
	r   io.ReaderAt
	at  int64
	err error
}

func (h *hole) ReadAt(p []byte, offset int64) (int, error) {
	if offset <= h.at && h.at < offset+int64(len(p)) {
		n, _ := h.r.ReadAt(p[:h.at-offset], offset)
		return n, h.err
	}
	return h.r.ReadAt(p, offset)
}

// A sparse file is zero but for some parts.
type sparse struct {
	size  int64
	parts map[int64][]byte
}

func (s *sparse) ReadAt(p []byte, offset int64) (int, error) {
	short := max(0, offset+int64(len(p))-s.size)
	p = p[:int64(len(p))-short]
	clear(p)
	for at, part := range s.parts {
		if from := max(at, offset); from < min(at+int64(len(part)), offset+int64(len(p))) {
			copy(p[from-offset:], part[from-at:])
		}
	}
	if short > 0 {
		return len(p), io.EOF
	}
	return len(p), nil
}

// zeros returns a real zip of one file of zeros, without its data in memory. The
// recorded CRC-32 is that of no data.
func zeros(t testing.TB, size int64) *sparse {
	b := peerZip(t, peers(file{"zeros", "", 0o644})...)
	local := nth(b, centralMark, 0)
	for _, at := range []int{18, 22, local + 20, local + 24} {
		put32(b, at, uint32(size))
	}
	put32(b, len(b)-22+16, uint32(int64(local)+size))
	return &sparse{int64(len(b)) + size, map[int64][]byte{0: b[:local], int64(local) + size: b[local:]}}
}

func TestHugeEntryTakesNoMemory(t *testing.T) {
	const size = int64(3 << 30)
	s := zeros(t, size)
	n := allocated(func() {
		z, err := archive.NewReader(s, s.size)
		if err != nil {
			t.Fatal(err)
		}
		f, err := z.Open("zeros")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadAt(make([]byte, 10), size-10); err != nil || f.Size() != size {
			t.Errorf("last bytes of %d: %v", f.Size(), err)
		}
	})
	if n > 64<<10 {
		t.Errorf("took %d bytes of memory", n)
	}
}

func TestLargestZip(t *testing.T) {
	rest := zeros(t, 0).size
	if s := zeros(t, archive.MaxSize-rest); s.size != archive.MaxSize {
		t.Errorf("zip has %d bytes", s.size)
	} else if _, err := archive.NewReader(s, s.size); err != nil {
		t.Errorf("the largest zip is refused: %v", err)
	}
	s := zeros(t, archive.MaxSize-rest+1)
	_, err := archive.NewReader(s, s.size)
	wantError(t, err, "4294967296 bytes, expected a zip of 22 to 4294967295")
}

// TestDeclaredSizeTakesNoMemory declares in a small zip what it does not have.
func TestDeclaredSizeTakesNoMemory(t *testing.T) {
	b := write(t, demo[0])
	for _, test := range []struct {
		at   int // from the end record's start
		want string
	}{{10, "end record"}, {12, "end record"}, {16, "end record"}} {
		bad := bytes.Clone(b)
		copy(bad[len(b)-22+test.at:], "\xfe\xff")
		n := allocated(func() {
			_, err := read(bad)
			wantError(t, err, test.want)
		})
		if n > 64<<10 {
			t.Errorf("end record changed at %d: took %d bytes of memory", test.at, n)
		}
	}
}

// TestMemoryFollowsTheDirectory reads paths that are as deep as can be, so that
// remembering each of their directories would take far more than the headers do.
func TestMemoryFollowsTheDirectory(t *testing.T) {
	var files []file
	for i := range 2000 {
		files = append(files, file{fmt.Sprintf("%s%04d", strings.Repeat("d/", 198), i), "", 0o644})
	}
	b := write(t, files...)
	n := allocated(func() {
		if _, err := read(b); err != nil {
			t.Fatal(err)
		}
	})
	if directory := len(b) - nth(b, centralMark, 0); n > 8*uint64(directory) {
		t.Errorf("took %d bytes of memory in all for a directory of %d bytes", n, directory)
	}
}
