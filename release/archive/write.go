package archive

import (
	"fmt"
	"hash/crc32"
	"io"
)

// copyBuffer is large enough that system calls cost little beside the CRC-32.
const copyBuffer = 256 << 10

// Write writes the zip of the entries below the directory top, in an order of its
// own. It opens each entry once, in the order of their paths, and closes it again;
// the data must have the entry's size and CRC-32, which fails otherwise, like
// everything that the format can't hold, with an *Error. Nothing is written when
// the entries themselves are at fault. Errors of w and open come back wrapped.
func Write(w io.Writer, top string, entries []Entry, open func(Entry) (io.ReadCloser, error)) error {
	p, err := newPlan(top, entries)
	if err != nil {
		return err
	}
	buffer := make([]byte, copyBuffer)
	for i := range p.members {
		if err := writeMember(w, &p.members[i], open, buffer); err != nil {
			return err
		}
	}
	directory := make([]byte, 0, p.directory+endSize)
	for i := range p.members {
		directory = appendCentral(directory, &p.members[i])
	}
	if _, err := w.Write(appendEnd(directory, p, len(p.members))); err != nil {
		return fmt.Errorf("write the central directory: %w", err)
	}
	return nil
}

func writeMember(w io.Writer, m *member, open func(Entry) (io.ReadCloser, error), buffer []byte) (err error) {
	source, err := open(m.Entry)
	if err != nil {
		return fmt.Errorf("open %s: %w", m.Path, err)
	}
	defer func() {
		if closing := source.Close(); err == nil && closing != nil {
			err = fmt.Errorf("close %s: %w", m.Path, closing)
		}
	}()
	if _, err := w.Write(appendLocal(nil, m)); err != nil {
		return fmt.Errorf("write the header of %s: %w", m.Path, err)
	}
	return copyData(w, m, source, buffer)
}

// copyData writes at most the bytes that the header announces.
func copyData(w io.Writer, m *member, source io.Reader, buffer []byte) error {
	sum := crc32.NewIEEE()
	n, err := io.CopyBuffer(io.MultiWriter(w, sum), io.LimitReader(source, m.Size), buffer)
	if err != nil {
		return fmt.Errorf("copy %s: %w", m.Path, err)
	}
	if n < m.Size {
		return m.dataError(fmt.Sprintf("%d bytes, expected %d", n, m.Size))
	}
	switch _, err := io.ReadFull(source, buffer[:1]); {
	case err == nil:
		return m.dataError(fmt.Sprintf("more than %d bytes, expected %d", m.Size, m.Size))
	case err != io.EOF:
		return fmt.Errorf("copy %s: %w", m.Path, err)
	}
	return m.checkCRC(sum.Sum32())
}

// dataError returns an Error about the member's data.
func (m *member) dataError(problem string) *Error {
	return &Error{Entry: m.name, Part: "data", Offset: m.data(), Problem: problem}
}

func (m *member) checkCRC(got uint32) error {
	if got == m.CRC32 {
		return nil
	}
	return m.dataError(fmt.Sprintf("CRC-32 %08x, expected %08x", got, m.CRC32))
}
