package archive

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A File is the data of one entry. Read goes through it once, in order, and checks
// the CRC-32; ReadAt jumps, checks nothing, and may be used by several goroutines
// at once.
type File struct {
	member *member
	data   *io.SectionReader
	offset int64  // of the next Read
	sum    uint32 // CRC-32 of what was read
}

// Size returns the size of the file in bytes.
func (f *File) Size() int64 { return f.member.Size }

// ReadAt reads bytes at an offset without checking them.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	return f.data.ReadAt(p, offset)
}

// Read returns the next bytes, and io.EOF after all of them. When the data does
// not have the entry's CRC-32, it fails with an *Error in place of its last bytes,
// so that who reads exactly Size bytes does not miss it.
func (f *File) Read(p []byte) (int, error) {
	n, err := f.data.Read(p)
	f.sum = crc32.Update(f.sum, crc32.IEEETable, p[:n])
	f.offset += int64(n)
	switch {
	case f.offset == f.Size():
		if err := f.member.checkCRC(f.sum); err != nil {
			return 0, err
		}
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, f.member.dataError(fmt.Sprintf("input ends after %d bytes, expected %d", f.offset, f.Size()))
	case err != nil:
		return n, fmt.Errorf("read %s: %w", f.member.name, err)
	}
	return n, nil
}
