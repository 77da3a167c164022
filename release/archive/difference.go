package archive

import (
	"bytes"
	"fmt"
	"strings"
)

// A field is a number in a header that can differ from the regenerated one.
type field struct {
	at, width int
	tell      func(got, want uint32) string // the fact, in words of the specification
}

// The fields of each header, those first that tell most about who made a zip and
// how. Signatures are compared before, and what the reader takes from a header
// (from a central one: name, sizes, CRC-32) can't differ from itself.
var (
	localFields = []field{
		{8, 2, tellMethod},
		{6, 2, tellFlags},
		{28, 2, tellExtra},
		{18, 4, tellCopied("compressed size")},
		{22, 4, tellCopied("uncompressed size")},
		{14, 4, tellCRC},
		{26, 2, tellCopied("name length")},
		{10, 4, tellTime},
		{4, 2, tellVersion("version needed")},
	}
	centralFields = []field{
		{10, 2, tellMethod},
		{8, 2, tellFlags},
		{30, 2, tellExtra},
		{32, 2, tellComment},
		{20, 4, tellCompressed},
		{42, 4, tellOffset},
		{38, 4, tellMode},
		{34, 2, tellNumber("disk")},
		{12, 4, tellTime},
		{6, 2, tellVersion("version needed")},
		{4, 2, tellVersion("version made by")},
		{36, 2, tellNumber("internal attributes")},
	}
	endFields = []field{
		{20, 2, tellComment},
		{4, 2, tellNumber("disk")},
		{6, 2, tellNumber("disk of the central directory")},
		{8, 2, tellNumber("entries on this disk")},
	}
)

// difference tells the first of the fields that got and want differ in, or
// returns "". Both are at least as long as the fields reach.
func difference(fields []field, got, want []byte) string {
	for _, f := range fields {
		if g, w := number(got, f), number(want, f); g != w {
			return f.tell(g, w)
		}
	}
	return ""
}

func number(header []byte, f field) uint32 {
	if f.width == 2 {
		return uint32(le.Uint16(header[f.at:]))
	}
	return le.Uint32(header[f.at:])
}

// localDifference tells what a local header says otherwise than the central one
// that want was made from.
func localDifference(got, want []byte) string {
	if problem := signatureProblem(got, localSignature); problem != "" {
		return problem
	}
	if problem := difference(localFields, got, want); problem != "" {
		return problem
	}
	return fmt.Sprintf("name %s, central header says %s", shown(string(got[localSize:])), want[localSize:])
}

// signatures names what may begin with the letters PK.
var signatures = map[uint32]string{
	localSignature:   "local header",
	centralSignature: "central header",
	endSignature:     "end record",
	0x05054b50:       "digital signature",
	0x06064b50:       "zip64 end record",
	zip64Locator:     "zip64 end locator",
	0x08064b50:       "extra data record",
	0x08074b50:       "data descriptor",
}

// signatureProblem tells when b does not begin with a signature. It has at least
// four bytes.
func signatureProblem(b []byte, want uint32) string {
	got := le.Uint32(b)
	switch {
	case got == want:
		return ""
	case signatures[got] != "":
		return fmt.Sprintf("begins with the signature of a %s, expected a %s", signatures[got], signatures[want])
	}
	return fmt.Sprintf("begins with bytes % x, expected % x, the signature of a %s", b[:4], le.AppendUint32(nil, want), signatures[want])
}

// methods names compression methods (APPNOTE 4.4.5).
var methods = map[uint32]string{
	1: "shrink", 2: "reduce", 3: "reduce", 4: "reduce", 5: "reduce", 6: "implode",
	8: "deflate", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstandard", 95: "xz",
	96: "jpeg", 97: "wavpack", 98: "ppmd", 99: "AES encryption",
}

func tellMethod(got, _ uint32) string {
	name := methods[got]
	if name == "" {
		name = "unknown"
	}
	return fmt.Sprintf("compressed with method %d (%s), expected 0 (store)", got, name)
}

// flags names bits of the general purpose flags (APPNOTE 4.4.4).
var flags = []struct {
	bit  uint32
	name string
}{
	{0, "encrypted"}, {3, "data descriptor"}, {5, "patched data"},
	{6, "strong encryption"}, {11, "UTF-8 names"}, {13, "masked headers"},
}

func tellFlags(got, _ uint32) string {
	var names []string
	for _, f := range flags {
		if got>>f.bit&1 == 1 {
			names = append(names, f.name)
		}
	}
	if names == nil {
		return fmt.Sprintf("flags 0x%04x, expected none", got)
	}
	return fmt.Sprintf("flags 0x%04x (%s), expected none", got, strings.Join(names, ", "))
}

func tellExtra(got, _ uint32) string {
	return fmt.Sprintf("extra field of %d bytes, expected none", got)
}

func tellComment(got, _ uint32) string {
	return fmt.Sprintf("comment of %d bytes, expected none", got)
}

func tellCompressed(got, want uint32) string {
	return fmt.Sprintf("compressed size %s, expected %d, the uncompressed size", marked(got), want)
}

func tellCRC(got, want uint32) string {
	return fmt.Sprintf("CRC-32 %08x, central header says %08x", got, want)
}

func tellOffset(got, want uint32) string {
	const fact = "local header recorded at offset %s, expected %d: "
	switch {
	case got < want:
		return fmt.Sprintf(fact+"overlaps what comes before by %d bytes", marked(got), want, want-got)
	case want == 0:
		return fmt.Sprintf(fact+"%d bytes before the first entry", marked(got), want, got)
	}
	return fmt.Sprintf(fact+"%d bytes between the entries", marked(got), want, got-want)
}

// tellMode reads external attributes: Unix type and mode above, MS-DOS below.
func tellMode(got, _ uint32) string {
	const expected = ", expected a regular file, 0100755 or 0100644"
	mode := got >> 16
	if got&0xffff != 0 && attributes(modeOf(got)) == got&^0xffff {
		return fmt.Sprintf("MS-DOS attributes 0x%04x, expected none", got&0xffff)
	}
	if kind := kinds[mode>>12]; kind != "" {
		return fmt.Sprintf("%s, Unix mode 0%o", kind, mode) + expected
	}
	return fmt.Sprintf("Unix mode 0%o", mode) + expected
}

// kinds names the file types of Unix but for the regular file.
var kinds = map[uint32]string{
	0o01: "named pipe", 0o02: "character device", 0o04: "directory", 0o06: "block device",
	0o12: "symbolic link", 0o14: "socket",
}

// tellTime reads a time below a date of MS-DOS (APPNOTE 4.4.6).
func tellTime(got, _ uint32) string {
	return fmt.Sprintf("modified %04d-%02d-%02d %02d:%02d:%02d, expected 1980-01-01 00:00:00",
		1980+got>>25, got>>21&15, got>>16&31, got>>11&31, got>>5&63, got&31*2)
}

// tellVersion reads a version: the system above, the specification below.
func tellVersion(name string) func(got, want uint32) string {
	return func(got, want uint32) string {
		return fmt.Sprintf("%s 0x%04x, expected 0x%04x", name, got, want)
	}
}

func tellNumber(name string) func(got, want uint32) string {
	return func(got, want uint32) string {
		return fmt.Sprintf("%s %d, expected %d", name, got, want)
	}
}

// tellCopied is for what a local header repeats.
func tellCopied(name string) func(got, want uint32) string {
	return func(got, want uint32) string {
		return fmt.Sprintf("%s %s, central header says %d", name, marked(got), want)
	}
}

// zip64Mark stands where the number is in a zip64 record.
const zip64Mark = 1<<32 - 1

func marked(n uint32) string {
	if n == zip64Mark {
		return "0xffffffff (zip64)"
	}
	return fmt.Sprint(n)
}

// strangerEnd tells why a zip does not end in an end record. It gets the last
// bytes, as many as a comment and the record can have.
func strangerEnd(tail []byte) string {
	i := bytes.LastIndex(tail, le.AppendUint32(nil, endSignature))
	if i < 0 || len(tail)-i < endSize {
		return "no end record at the end: not a zip, or cut short"
	}
	after := len(tail) - i - endSize
	if int(le.Uint16(tail[i+endSize-2:])) == after {
		return fmt.Sprintf("comment of %d bytes after the end record, expected none", after)
	}
	return fmt.Sprintf("%d bytes after the end record, expected none", after)
}
