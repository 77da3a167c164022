package archive

import (
	"encoding/binary"
	"io/fs"
)

// Sizes without the name, and signatures, of the three headers.
const (
	localSize   = 30
	centralSize = 46
	endSize     = 22

	localSignature   = 0x04034b50
	centralSignature = 0x02014b50
	endSignature     = 0x06054b50
	zip64Locator     = 0x07064b50 // to tell it, never to write it
)

// The values that are the same in every header.
const (
	madeBy    = 3<<8 | 10 // Unix, version 1.0 of the specification
	needed    = 10        // version 1.0: a plain file
	timestamp = 0x0021_0000
	regular   = 0o100000 // S_IFREG
)

// Places of what the reader takes from a central header and from the end record.
const (
	centralSizeAt = 24
	centralCRCAt  = 16
	centralNameAt = 28
	centralModeAt = 38

	endCountAt     = 10
	endDirectoryAt = 12
	endOffsetAt    = 16
)

var le = binary.LittleEndian

// appendLocal appends the local header of m (APPNOTE 4.3.7).
func appendLocal(b []byte, m *member) []byte {
	b = le.AppendUint32(b, localSignature)
	b = appendFacts(b, m)
	return append(b, m.name...)
}

// appendCentral appends the central header of m (APPNOTE 4.3.12).
func appendCentral(b []byte, m *member) []byte {
	b = le.AppendUint32(b, centralSignature)
	b = le.AppendUint16(b, madeBy)
	b = appendFacts(b, m)
	b = le.AppendUint16(b, 0) // comment length
	b = le.AppendUint16(b, 0) // disk number
	b = le.AppendUint16(b, 0) // internal attributes
	b = le.AppendUint32(b, attributes(m.Mode))
	b = le.AppendUint32(b, uint32(m.offset))
	return append(b, m.name...)
}

// appendFacts appends the 26 bytes that a local and a central header share.
func appendFacts(b []byte, m *member) []byte {
	b = le.AppendUint16(b, needed)
	b = le.AppendUint16(b, 0) // flags
	b = le.AppendUint16(b, 0) // method: stored
	b = le.AppendUint32(b, timestamp)
	b = le.AppendUint32(b, m.CRC32)
	b = le.AppendUint32(b, uint32(m.Size)) // compressed
	b = le.AppendUint32(b, uint32(m.Size)) // uncompressed
	b = le.AppendUint16(b, uint16(len(m.name)))
	return le.AppendUint16(b, 0) // extra field length
}

// appendEnd appends the end record (APPNOTE 4.3.16).
func appendEnd(b []byte, p *plan, count int) []byte {
	b = le.AppendUint32(b, endSignature)
	b = le.AppendUint16(b, 0) // number of this disk
	b = le.AppendUint16(b, 0) // disk of the central directory
	b = le.AppendUint16(b, uint16(count))
	b = le.AppendUint16(b, uint16(count))
	b = le.AppendUint32(b, uint32(p.directory))
	b = le.AppendUint32(b, uint32(p.offset))
	return le.AppendUint16(b, 0) // comment length
}

// attributes returns the external attributes of a regular file.
func attributes(mode fs.FileMode) uint32 {
	return (regular | uint32(mode.Perm())) << 16
}

// modeOf returns the one of the two modes that the external attributes come
// nearest to. It may be wrong: the regenerated header shows that.
func modeOf(attributes uint32) fs.FileMode {
	if attributes>>16&0o111 != 0 {
		return 0o755
	}
	return 0o644
}
