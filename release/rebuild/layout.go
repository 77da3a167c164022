package rebuild

import (
	"bytes"
	"cmp"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A layout is what a binary consists of, by name.
type layout struct {
	file     image
	sections []section // sorted by offset
	buildID  string    // Go's own, "" where none was found
	idAt     int64     // offset of buildID in the file
}

// A section is a range of a file that has a name in its format.
type section struct {
	name         string
	offset, size int64 // bytes
}

// Names of ranges that are no sections of their format.
const (
	codeSignature    = "code signature"    // Mach-O, LC_CODE_SIGNATURE
	certificateTable = "certificate table" // PE, Authenticode
)

// derived are ranges that follow from the rest of a file.
var derived = []string{".note.go.buildid", ".note.gnu.build-id", codeSignature, certificateTable}

// maxSections bounds what a hostile header can make of its few bytes.
const maxSections = 1000

// readLayout reads the sections of an ELF, Mach-O or PE file, which may be hostile: a
// parser that panics is a file that can't be read.
func readLayout(file image) (l layout, err error) {
	defer func() {
		if p := recover(); p != nil {
			l, err = layout{file: file}, fmt.Errorf("unreadable: %v", p)
		}
	}()
	l.file = file
	magic := make([]byte, 4)
	if _, err := file.ReadAt(magic, 0); err != nil {
		return l, err
	}
	switch {
	case string(magic) == "\x7fELF":
		err = l.readELF()
	case binary.LittleEndian.Uint32(magic) == macho.Magic64 || binary.LittleEndian.Uint32(magic) == macho.Magic32:
		err = l.readMachO()
	case string(magic[:2]) == "MZ":
		err = l.readPE()
	default:
		err = errors.New("neither ELF, Mach-O nor PE")
	}
	l.sections = slices.DeleteFunc(l.sections, func(s section) bool {
		return s.offset < 0 || s.size < 0 || s.offset > file.size-s.size
	})
	slices.SortStableFunc(l.sections, func(a, b section) int { return cmp.Compare(a.offset, b.offset) })
	l.sections = l.sections[:min(len(l.sections), maxSections)]
	l.findBuildID()
	return l, err
}

func (l *layout) add(name string, offset, size uint64) {
	const most = 1 << 40 // else a sum of two could overflow
	if name != "" && size > 0 && offset < most && size < most {
		l.sections = append(l.sections, section{limit(name, 100), int64(offset), int64(size)})
	}
}

func (l layout) find(name string) (section, bool) {
	i := slices.IndexFunc(l.sections, func(s section) bool { return s.name == name })
	if i < 0 {
		return section{}, false
	}
	return l.sections[i], true
}

func (l *layout) readELF() error {
	f, err := elf.NewFile(l.file)
	if err != nil {
		return err
	}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS {
			l.add(s.Name, s.Offset, s.FileSize)
		}
	}
	return nil
}

// loadCodeSignature is LC_CODE_SIGNATURE, whose data offset and size follow its
// header (mach-o/loader.h, linkedit_data_command).
const loadCodeSignature = 0x1d

func (l *layout) readMachO() error {
	f, err := macho.NewFile(l.file)
	if err != nil {
		return err
	}
	for _, s := range f.Sections {
		if s.Offset > 0 {
			l.add(s.Seg+","+s.Name, uint64(s.Offset), s.Size)
		}
	}
	signature := uint64(0)
	for _, load := range f.Loads {
		raw := load.Raw()
		if len(raw) >= 16 && f.ByteOrder.Uint32(raw) == loadCodeSignature {
			signature = uint64(f.ByteOrder.Uint32(raw[8:]))
			l.add(codeSignature, signature, uint64(f.ByteOrder.Uint32(raw[12:])))
		}
	}
	if s := f.Segment("__LINKEDIT"); s != nil {
		size := s.Filesz
		if signature > s.Offset {
			size = min(size, signature-s.Offset)
		}
		l.add("__LINKEDIT", s.Offset, size)
	}
	return nil
}

// securityDirectory is the index of the certificate table among a PE file's data
// directories; its address is an offset in the file.
const securityDirectory = 4

func (l *layout) readPE() error {
	f, err := pe.NewFile(l.file)
	if err != nil {
		return err
	}
	for _, s := range f.Sections {
		l.add(s.Name, uint64(s.Offset), uint64(s.Size))
	}
	var directories []pe.DataDirectory
	switch header := f.OptionalHeader.(type) {
	case *pe.OptionalHeader64:
		directories = header.DataDirectory[:]
	case *pe.OptionalHeader32:
		directories = header.DataDirectory[:]
	}
	if len(directories) > securityDirectory {
		d := directories[securityDirectory]
		l.add(certificateTable, uint64(d.VirtualAddress), uint64(d.Size))
	}
	return nil
}

// Go's build id stands in a note of ELF files, and at the begin of the code of others
// (cmd/internal/buildid).
const (
	idNote  = ".note.go.buildid"
	idBegin = "\xff Go build ID: \""
	idEnd   = "\"\n \xff"
	idRange = 64 << 10 // bytes of the code that are searched
)

// findBuildID finds the id and where it stands.
func (l *layout) findBuildID() {
	if s, ok := l.find(idNote); ok && s.size < 1000 {
		// Lengths of name and id, the type, and the name "Go\0\0" go before the id.
		if data := l.head(s, s.size); len(data) > 16 {
			l.buildID, l.idAt = strings.TrimRight(string(data[16:]), "\x00"), s.offset+16
		}
		return
	}
	for _, name := range []string{"__TEXT,__text", ".text"} {
		s, ok := l.find(name)
		if !ok {
			continue
		}
		data := l.head(s, idRange)
		begin := bytes.Index(data, []byte(idBegin))
		if begin < 0 {
			continue
		}
		begin += len(idBegin)
		if end := bytes.Index(data[begin:], []byte(idEnd)); end >= 0 {
			l.buildID, l.idAt = string(data[begin:begin+end]), s.offset+int64(begin)
		}
	}
}

// head reads the first bytes of a section, at most n.
func (l layout) head(s section, n int64) []byte {
	data := make([]byte, min(s.size, n))
	read, _ := l.file.ReadAt(data, s.offset)
	return data[:read]
}
