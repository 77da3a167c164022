package gobuild

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"io"
)

// A source pack is a git pack of version 2 (gitformat-pack(5)) with one encoding:
// the commit, its trees and their blobs, each once, sorted by object name, none as
// a delta, each a zlib stream of stored blocks (RFC 1950 with the header 78 01,
// RFC 1951 section 3.2.4), all of 65535 bytes but the last. What git pack-objects
// writes depends on the versions of git and zlib and on the tags of the repository.

// packKinds are the object types that a source pack may hold.
var packKinds = map[byte]string{1: "commit", 2: "tree", 3: "blob"}

// storedBlock is the size in bytes of the largest stored block.
const storedBlock = 65535

// packVersion is the one that every git reads and writes.
const packVersion = 2

// A packObject is an object that goes into a pack.
type packObject struct {
	id   string
	kind byte // of packKinds
	size int64
	open func() (io.ReadCloser, error)
}

// writePack writes objects, which are sorted by id, and refuses one whose bytes have
// another name.
func writePack(w io.Writer, newHash func() hash.Hash, objects []packObject) error {
	sum := newHash()
	buffer := bufio.NewWriterSize(io.MultiWriter(w, sum), 256<<10)
	if _, err := buffer.Write(packHeader(len(objects))); err != nil {
		return err
	}
	for _, o := range objects {
		id, err := o.write(buffer, newHash)
		if err == nil && id != o.id {
			err = tampered("", "%s %s changed while it was read: it is now %s", packKinds[o.kind], o.id, id)
		}
		if err != nil {
			return err
		}
	}
	if err := buffer.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func packHeader(objects int) []byte {
	header := binary.BigEndian.AppendUint32([]byte("PACK"), packVersion)
	return binary.BigEndian.AppendUint32(header, uint32(objects))
}

// packEntry is an object's type and size: four bits of the size in the first byte,
// seven in each that follows, lowest first.
func packEntry(kind byte, size int64) []byte {
	header := []byte{kind<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		header[len(header)-1] |= 0x80
		header = append(header, byte(size&0x7f))
	}
	return header
}

// blockHeader begins a stored block: whether it is the last, its length, and the
// length's complement.
func blockHeader(length int, last bool) []byte {
	final := byte(0)
	if last {
		final = 1
	}
	header := binary.LittleEndian.AppendUint16([]byte{final}, uint16(length))
	return binary.LittleEndian.AppendUint16(header, ^uint16(length))
}

var zlibHeader = []byte{0x78, 0x01}

// write adds one object and returns the name of what was written.
func (o packObject) write(w io.Writer, newHash func() hash.Hash) (id string, err error) {
	r, err := o.open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if _, err := w.Write(append(packEntry(o.kind, o.size), zlibHeader...)); err != nil {
		return "", err
	}
	name, check := newObject(newHash, packKinds[o.kind], o.size), adler32.New()
	content := io.MultiWriter(w, name, check)
	for left, first := o.size, true; first || left > 0; first = false {
		n := min(left, storedBlock)
		left -= n
		if _, err := w.Write(blockHeader(int(n), left == 0)); err != nil {
			return "", err
		}
		if _, err := io.CopyN(content, r, n); err != nil {
			return "", fmt.Errorf("%s %s: %w", packKinds[o.kind], o.id, err)
		}
	}
	_, err = w.Write(check.Sum(nil))
	return hex.EncodeToString(name.Sum(nil)), err
}

// newObject begins the hash that names an object.
func newObject(newHash func() hash.Hash, kind string, size int64) hash.Hash {
	h := newHash()
	fmt.Fprintf(h, "%s %d\x00", kind, size)
	return h
}

// A packReader reads a source pack and refuses any other encoding.
type packReader struct {
	r       *bufio.Reader
	sum     hash.Hash // of everything read so far
	newHash func() hash.Hash
}

// readPack returns the names of a pack's objects, in order, by kind. Nothing of it
// is held in memory, and nothing can unpack to more than the pack's own size.
func readPack(r io.Reader, newHash func() hash.Hash) (ids map[string]string, err error) {
	p := &packReader{r: bufio.NewReaderSize(r, 256<<10), sum: newHash(), newHash: newHash}
	header, err := p.take(12)
	if err != nil {
		return nil, err
	}
	count := binary.BigEndian.Uint32(header[8:])
	if want := packHeader(int(count)); !bytes.Equal(header, want) {
		return nil, notAPack("it begins with %x, expected %x", header[:8], want[:8])
	}
	ids = map[string]string{}
	last := ""
	for range count {
		id, kind, err := p.object()
		if err != nil {
			return nil, err
		}
		if id <= last {
			return nil, notAPack("object %s follows %s, expected the order of names", id, last)
		}
		ids[id], last = kind, id
	}
	return ids, p.trailer()
}

func notAPack(format string, args ...any) error {
	return tampered("the package's source was not written by rollproof", "source pack: "+format, args...)
}

// take reads n bytes of the pack.
func (p *packReader) take(n int) ([]byte, error) {
	data := make([]byte, n)
	if _, err := io.ReadFull(p.r, data); err != nil {
		return nil, p.cut(err)
	}
	p.sum.Write(data)
	return data, nil
}

// cut tells a pack that ends too early from one that can't be read.
func (p *packReader) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return notAPack("it ends too early")
	}
	return err
}

// object reads one object and returns its name and kind.
func (p *packReader) object() (id, kind string, err error) {
	code, size, err := p.entry()
	if err != nil {
		return "", "", err
	}
	kind, known := packKinds[code]
	if !known {
		return "", "", notAPack("an object of type %d, expected a commit, a tree or a blob", code)
	}
	begin, err := p.take(len(zlibHeader))
	if err != nil {
		return "", "", err
	}
	if !bytes.Equal(begin, zlibHeader) {
		return "", "", notAPack("an object's data begins with %x, expected %x", begin, zlibHeader)
	}
	name, check := newObject(p.newHash, kind, size), adler32.New()
	if err := p.blocks(io.MultiWriter(p.sum, name, check), size); err != nil {
		return "", "", err
	}
	id = hex.EncodeToString(name.Sum(nil))
	end, err := p.take(adler32.Size)
	if err == nil && !bytes.Equal(end, check.Sum(nil)) {
		err = notAPack("object %s has checksum %x, expected %x", id, end, check.Sum(nil))
	}
	return id, kind, err
}

// entry reads an object's type and size, in their shortest form.
func (p *packReader) entry() (kind byte, size int64, err error) {
	var raw []byte
	for more := true; more; {
		b, err := p.take(1)
		if err != nil {
			return 0, 0, err
		}
		raw, more = append(raw, b[0]), b[0]&0x80 != 0
		if len(raw) > 9 {
			return 0, 0, notAPack("an object's size has more than 9 bytes")
		}
	}
	kind, size = raw[0]>>4&7, int64(raw[0]&15)
	for i, b := range raw[1:] {
		size |= int64(b&0x7f) << (4 + 7*i)
	}
	if !bytes.Equal(raw, packEntry(kind, size)) {
		return 0, 0, notAPack("an object's header is %x, expected %x", raw, packEntry(kind, size))
	}
	return kind, size, nil
}

// blocks copies the stored blocks of an object of the given size to w.
func (p *packReader) blocks(w io.Writer, size int64) error {
	for left, first := size, true; first || left > 0; first = false {
		n := min(left, storedBlock)
		left -= n
		header, err := p.take(5)
		if err != nil {
			return err
		}
		if want := blockHeader(int(n), left == 0); !bytes.Equal(header, want) {
			return notAPack("a block begins with %x, expected %x", header, want)
		}
		if _, err := io.CopyN(w, p.r, n); err != nil {
			return p.cut(err)
		}
	}
	return nil
}

// trailer reads the hash over the pack and the pack's end.
func (p *packReader) trailer() error {
	want := p.sum.Sum(nil)
	have, err := p.take(len(want))
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return notAPack("it ends with the hash %x, expected %x", have, want)
	}
	if _, err := p.r.ReadByte(); !errors.Is(err, io.EOF) {
		return notAPack("something follows its end")
	}
	return nil
}
