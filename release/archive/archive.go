// Package archive writes and reads the zip of a package, which has one exact
// encoding: the same files under the same directory name are always the same
// bytes, and no other bytes are read.
//
// A zip holds regular files below one directory, the top. All numbers are
// little-endian, and nothing stands between, before or after these parts:
//
//	local header, data      once per file, sorted by name (byte order)
//	central header          once per file, in the same order
//	end record              once
//
// In terms of PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16:
//
//	version made by         0x030a: Unix, 1.0
//	version needed          10: 1.0
//	flags                   0: not encrypted, sizes in the header, ASCII names
//	method                  0: stored
//	date and time           0x0021 0x0000: 1980-01-01 00:00:00
//	compressed size         the uncompressed size
//	extra fields, comments  none
//	disk numbers            0
//	internal attributes     0
//	external attributes     the Unix mode in the upper 16 bits: 0100755 or
//	                        0100644; 0 in the lower 16
//
// There are no directory entries, links, data descriptors or zip64 records. A
// name is the top, "/" and a path that [CheckPath] accepts; all paths together
// pass [CheckSet]. A zip holds 1 to [MaxEntries] files and has at most [MaxSize]
// bytes, of which at most [MaxDirectory] are central headers.
//
// The writer and the reader share the functions that make the headers. The
// reader takes name, size, CRC-32 and mode from a central header, makes every
// header anew and compares bytes, so that it accepts what the writer writes and
// nothing else. The one thing that it can't know before the data is read is
// whether the data has the recorded CRC-32: [File.Read] tells.
//
// A CRC-32 finds accidents, not forgeries: whoever trusts a file compares its
// sha256 with a signed one.
//
// The zip of the one file LICENSE with the text "MIT\n" and mode 0644 below
// demo-v1.0.0:
//
//	0000  50 4b 03 04 0a 00 00 00 00 00 00 00 21 00 fd 98  local header
//	0010  73 09 04 00 00 00 04 00 00 00 13 00 00 00
//	001e  64 65 6d 6f 2d 76 31 2e 30 2e 30 2f 4c 49 43 45  demo-v1.0.0/LICENSE
//	002e  4e 53 45
//	0031  4d 49 54 0a                                      data
//	0035  50 4b 01 02 0a 03 0a 00 00 00 00 00 00 00 21 00  central header
//	0045  fd 98 73 09 04 00 00 00 04 00 00 00 13 00 00 00
//	0055  00 00 00 00 00 00 00 00 a4 81 00 00 00 00
//	0063  64 65 6d 6f 2d 76 31 2e 30 2e 30 2f 4c 49 43 45  demo-v1.0.0/LICENSE
//	0073  4e 53 45
//	0076  50 4b 05 06 00 00 00 00 01 00 01 00 41 00 00 00  end record
//	0086  35 00 00 00 00 00
//
// The package handles bytes only: it opens no file, and the memory it takes is a
// small multiple of the central directory, whatever sizes a zip declares.
package archive

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Limits that the writer and the reader share.
const (
	MaxSize      = 1<<32 - 1 // bytes of a whole zip: what 32-bit sizes and offsets can tell
	MaxEntries   = 1<<16 - 2 // files; 65535 is the mark of zip64
	MaxDirectory = 32 << 20  // bytes of all central headers, which a reader keeps in memory
)

// An Entry is one file of a zip.
type Entry struct {
	Path  string      // slash-separated, without the top: "bin/age_v1.2.1_linux_amd64"
	Size  int64       // bytes
	Mode  fs.FileMode // 0755 or 0644
	CRC32 uint32      // IEEE, of the data
}

// A member is an entry at its place in a zip.
type member struct {
	Entry
	name   string // the top, "/" and Entry.Path
	offset int64  // of the local header
}

func (m *member) data() int64        { return m.offset + localSize + int64(len(m.name)) }
func (m *member) end() int64         { return m.data() + m.Size }
func (m *member) centralSize() int64 { return centralSize + int64(len(m.name)) }

// A plan is a whole zip but for its data.
type plan struct {
	members   []member // sorted by name
	offset    int64    // of the first central header
	directory int64    // bytes of all central headers
}

func (p *plan) size() int64 { return p.offset + p.directory + endSize }

// Size returns how many bytes [Write] writes for the same arguments. It fails with
// an *Error where Write would refuse them.
func Size(top string, entries []Entry) (int64, error) {
	p, err := newPlan(top, entries)
	if err != nil {
		return 0, err
	}
	return p.size(), nil
}

func newPlan(top string, entries []Entry) (*plan, error) {
	if err := checkElements(top, maxElement); err != nil {
		return nil, err
	}
	if strings.Contains(top, "/") {
		return nil, nowhere(top, "several elements, expected the name of one directory")
	}
	if err := checkCount(len(entries)); err != nil {
		return nil, err
	}
	p := &plan{members: make([]member, 0, len(entries))}
	for _, e := range entries {
		if err := checkEntry(e); err != nil {
			return nil, err
		}
		p.members = append(p.members, member{Entry: e, name: top + "/" + e.Path})
	}
	slices.SortFunc(p.members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	if err := p.place(); err != nil {
		return nil, err
	}
	if m, problem := clashing(p.members); m != nil {
		return nil, nowhere(m.name, problem)
	}
	return p, nil
}

// place gives every member its offset.
func (p *plan) place() error {
	for i := range p.members {
		m := &p.members[i]
		m.offset = p.offset
		p.offset = m.end()
		p.directory += m.centralSize()
		// Every step is below 2^33, so a sum that is checked here can't overflow.
		if p.size() > MaxSize {
			return nowhere(m.name, fmt.Sprintf("with its %d bytes the zip is larger than %d bytes", m.Size, int64(MaxSize)))
		}
	}
	return checkDirectory(p.directory)
}

func checkEntry(e Entry) error {
	if err := CheckPath(e.Path); err != nil {
		return err
	}
	if e.Mode != 0o755 && e.Mode != 0o644 {
		return nowhere(e.Path, fmt.Sprintf("mode %v, expected a regular file of mode 0755 or 0644", e.Mode))
	}
	if e.Size < 0 || e.Size > MaxSize {
		return nowhere(e.Path, fmt.Sprintf("size %d, expected 0 to %d bytes", e.Size, int64(MaxSize)))
	}
	return nil
}

// clashing returns a member that can't stand beside another one, and why, or nil.
func clashing(members []member) (m *member, problem string) {
	paths := make([]string, len(members))
	for i := range members {
		paths[i] = members[i].Path
	}
	if c := clash(paths); c != nil {
		return &members[c.index], c.problem
	}
	return nil, ""
}

func checkCount(n int) error {
	if n < 1 || n > MaxEntries {
		return nowhere("", fmt.Sprintf("%d entries, expected 1 to %d", n, MaxEntries))
	}
	return nil
}

func checkDirectory(size int64) error {
	if size > MaxDirectory {
		return nowhere("", fmt.Sprintf("central directory of %d bytes, expected at most %d", size, MaxDirectory))
	}
	return nil
}
