package archive

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// A Reader reads a zip whose structure has been checked. It may be used by several
// goroutines at once, as far as its io.ReaderAt may.
type Reader struct {
	r       io.ReaderAt
	top     string
	members []member
}

// NewReader checks everything but the data of a zip of size bytes: every header,
// that nothing stands between them, names, modes and limits. The error is an
// *Error when the zip is at fault; an error of r other than io.EOF comes back
// wrapped.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	p, count, err := readEnd(r, size)
	if err != nil {
		return nil, err
	}
	directory := make([]byte, p.directory)
	if err := readFull(r, directory, p.offset); err != nil {
		return nil, err
	}
	if err := p.parse(directory, count); err != nil {
		return nil, err
	}
	for i := range p.members {
		if err := checkLocal(r, &p.members[i]); err != nil {
			return nil, err
		}
	}
	if m, problem := clashing(p.members); m != nil {
		return nil, &Error{Entry: m.name, Part: "local header", Offset: m.offset, Problem: problem}
	}
	top, _, _ := strings.Cut(p.members[0].name, "/")
	return &Reader{r: r, top: top, members: p.members}, nil
}

// Top returns the name of the one directory that all files lie in.
func (z *Reader) Top() string { return z.top }

// Entries returns the files, sorted by path.
func (z *Reader) Entries() []Entry {
	entries := make([]Entry, len(z.members))
	for i := range z.members {
		entries[i] = z.members[i].Entry
	}
	return entries
}

// Open returns the file at a path below the top. The error wraps fs.ErrNotExist
// when there is none.
func (z *Reader) Open(path string) (*File, error) {
	i, found := slices.BinarySearchFunc(z.members, path, func(m member, path string) int {
		return cmp.Compare(m.Path, path)
	})
	if !found {
		return nil, fmt.Errorf("open %s in the zip: %w", shown(path), fs.ErrNotExist)
	}
	m := &z.members[i]
	return &File{member: m, data: io.NewSectionReader(z.r, m.data(), m.Size)}, nil
}

// readEnd reads the end record, and returns where the central directory stands and
// how many headers it has.
func readEnd(r io.ReaderAt, size int64) (*plan, int, error) {
	if size < endSize || size > MaxSize {
		return nil, 0, nowhere("", fmt.Sprintf("%d bytes, expected a zip of %d to %d", size, endSize, int64(MaxSize)))
	}
	at := size - endSize
	end := make([]byte, endSize)
	if err := readFull(r, end, at); err != nil {
		return nil, 0, err
	}
	if le.Uint32(end) != endSignature {
		return nil, 0, missingEnd(r, size)
	}
	count := int(le.Uint16(end[endCountAt:]))
	p := &plan{offset: int64(le.Uint32(end[endOffsetAt:])), directory: int64(le.Uint32(end[endDirectoryAt:]))}
	if want := appendEnd(nil, p, count); !bytes.Equal(end, want) {
		return nil, 0, &Error{Part: "end record", Offset: at, Problem: difference(endFields, end, want)}
	}
	if problem := endProblem(r, p, count, at); problem != "" {
		return nil, 0, &Error{Part: "end record", Offset: at, Problem: problem}
	}
	return p, count, nil
}

// missingEnd looks for the end record further up, only to say what follows it.
func missingEnd(r io.ReaderAt, size int64) error {
	const longest = 1<<16 - 1 + endSize // with the longest comment
	tail := make([]byte, min(size, longest))
	if err := readFull(r, tail, size-int64(len(tail))); err != nil {
		return err
	}
	return nowhere("", strangerEnd(tail))
}

// endProblem tells what is wrong with the numbers of an end record at an offset.
func endProblem(r io.ReaderAt, p *plan, count int, at int64) string {
	if p.offset == zip64Mark || p.directory == zip64Mark || count > MaxEntries {
		return "refers to a zip64 record, expected none"
	}
	for _, err := range []error{checkCount(count), checkDirectory(p.directory)} {
		if err != nil {
			return err.Error()
		}
	}
	switch end := p.offset + p.directory; {
	case end < at && followsLocator(r, at):
		return "follows a zip64 end locator, expected none"
	case end < at:
		return fmt.Sprintf("central directory recorded to end at offset %d, expected %d: %d bytes before the zip or between its parts", end, at, at-end)
	case end > at:
		return fmt.Sprintf("central directory recorded to end at offset %d, expected %d", end, at)
	}
	return ""
}

// followsLocator reports whether a zip64 end locator stands right before at.
func followsLocator(r io.ReaderAt, at int64) bool {
	const locatorSize = 20
	b := make([]byte, 4)
	return at >= locatorSize && readFull(r, b, at-locatorSize) == nil && le.Uint32(b) == zip64Locator
}

// parse makes the members from the central directory.
func (p *plan) parse(directory []byte, count int) error {
	p.members = make([]member, 0, min(count, len(directory)/centralSize))
	rest, next := directory, int64(0)
	for range count {
		m, problem := p.parseCentral(rest, next)
		if problem != "" {
			at := p.offset + int64(len(directory)-len(rest))
			return &Error{Entry: shown(m.name), Part: "central header", Offset: at, Problem: problem}
		}
		p.members = append(p.members, m)
		rest, next = rest[m.centralSize():], m.end()
	}
	if len(rest) > 0 {
		at := p.offset + int64(len(directory)-len(rest))
		return &Error{Part: "central directory", Offset: at, Problem: fmt.Sprintf("%d bytes after the last of %d headers, expected none", len(rest), count)}
	}
	if next != p.offset {
		return &Error{Part: "central directory", Offset: p.offset, Problem: fmt.Sprintf("%d bytes between the last entry and the directory, expected none", p.offset-next)}
	}
	return nil
}

// parseCentral reads the central header at the start of b, whose local header must
// stand at an offset. The member is as complete as the header allowed.
func (p *plan) parseCentral(b []byte, offset int64) (m member, problem string) {
	if len(b) < centralSize {
		return m, fmt.Sprintf("%d bytes, expected a header of at least %d: the directory ends after entry %d", len(b), centralSize, len(p.members))
	}
	if problem := signatureProblem(b, centralSignature); problem != "" {
		return m, problem
	}
	end := centralSize + int(le.Uint16(b[centralNameAt:]))
	if end > len(b) {
		return m, fmt.Sprintf("name of %d bytes, expected at most the %d that are left", end-centralSize, len(b)-centralSize)
	}
	m.name, m.offset = string(b[centralSize:end]), offset
	m.Size, m.CRC32 = int64(le.Uint32(b[centralSizeAt:])), le.Uint32(b[centralCRCAt:])
	m.Mode = modeOf(le.Uint32(b[centralModeAt:]))
	if problem := m.setPath(); problem != "" {
		return m, problem
	}
	if want := appendCentral(make([]byte, 0, end), &m); !bytes.Equal(b[:end], want) {
		return m, difference(centralFields, b, want)
	}
	if m.end() > p.offset {
		return m, fmt.Sprintf("size %s, expected at most the %d bytes up to the central directory", marked(uint32(m.Size)), max(0, p.offset-m.data()))
	}
	return m, p.orderProblem(&m)
}

// setPath takes the path out of the name.
func (m *member) setPath() (problem string) {
	if problem := pathProblem(m.name, maxName); problem != "" {
		return problem
	}
	_, path, ok := strings.Cut(m.name, "/")
	if !ok {
		return "lies in no directory, expected one that all files lie in"
	}
	m.Path = path
	return pathProblem(path, maxPath)
}

// orderProblem tells what keeps m from following the members so far. Equal names
// are left to clash.
func (p *plan) orderProblem(m *member) string {
	if len(p.members) == 0 {
		return ""
	}
	before := &p.members[len(p.members)-1]
	top, _, _ := strings.Cut(before.name, "/")
	switch {
	case !strings.HasPrefix(m.name, top+"/"):
		return "lies in another directory than the entries before it, expected " + top
	case before.name > m.name:
		return "follows " + before.name + ", expected entries sorted by name"
	}
	return ""
}

// checkLocal compares a local header with the central one.
func checkLocal(r io.ReaderAt, m *member) error {
	got := make([]byte, m.data()-m.offset)
	want := appendLocal(make([]byte, 0, len(got)), m)
	if err := readFull(r, got, m.offset); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return &Error{Entry: m.name, Part: "local header", Offset: m.offset, Problem: localDifference(got, want)}
	}
	return nil
}

// readFull fills b from an offset. An end of the input is the zip's fault, any
// other error is not.
func readFull(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return &Error{Part: "input", Offset: offset, Problem: fmt.Sprintf("ends after %d bytes, expected %d", n, len(b))}
	}
	return fmt.Errorf("read %d bytes at offset %d: %w", len(b), offset, err)
}
