package archive_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"
)

// A peer is an entry for archive/zip to write, with any header.
type peer struct {
	header  *zip.FileHeader
	data    string
	central func(*zip.FileHeader) // changes the central header alone
}

// peers returns files with the headers that the format asks for.
func peers(files ...file) []peer {
	var all []peer
	for _, f := range files {
		all = append(all, peer{data: f.data, header: &zip.FileHeader{
			Name:               top + "/" + f.path,
			CreatorVersion:     0x030a,
			ReaderVersion:      10,
			ModifiedDate:       0x21,
			CRC32:              crc32.ChecksumIEEE([]byte(f.data)),
			CompressedSize64:   uint64(len(f.data)),
			UncompressedSize64: uint64(len(f.data)),
			ExternalAttrs:      uint32(0o100000|f.mode) << 16,
		}})
	}
	return all
}

func peerZip(t testing.TB, all ...peer) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range all {
		addPeer(t, z, p)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func addPeer(t testing.TB, z *zip.Writer, p peer) {
	t.Helper()
	w, err := z.CreateRaw(p.header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, p.data); err != nil && p.data != "" {
		t.Fatal(err)
	}
	if p.central != nil {
		p.central(p.header)
	}
}

// named makes a zip of entries with these whole names.
func named(names ...string) func(t testing.TB) []byte {
	return func(t testing.TB) []byte {
		var all []peer
		for _, name := range names {
			p := peers(file{"", "x", 0o644})[0]
			if p.header.Name = name; strings.HasSuffix(name, "/") {
				p.data = ""
			}
			all = append(all, p)
		}
		return peerZip(t, all...)
	}
}

// header makes a zip of one file whose two headers are changed alike.
func header(change func(h *zip.FileHeader)) func(t testing.TB) []byte {
	return func(t testing.TB) []byte {
		p := peers(demo[0])[0]
		change(p.header)
		return peerZip(t, p)
	}
}

// central makes a zip of one file whose central header alone is changed.
func central(change func(h *zip.FileHeader)) func(t testing.TB) []byte {
	return func(t testing.TB) []byte {
		p := peers(demo[0])[0]
		p.central = change
		return peerZip(t, p)
	}
}

// patched changes bytes of a good zip of three files, without moving any.
func patched(change func(b []byte)) func(t testing.TB) []byte {
	return func(t testing.TB) []byte {
		b := write(t, demo[:3]...)
		change(b)
		return b
	}
}

// inserted puts bytes into a good zip before the n-th header with a signature, and
// mends the end record's offset of the directory when they stand before it.
func inserted(signature string, n int, more string) func(t testing.TB) []byte {
	return func(t testing.TB) []byte {
		b := write(t, demo[:3]...)
		at := nth(b, signature, n)
		b = append(append(bytes.Clone(b[:at]), more...), b[at:]...)
		if signature != endMark {
			put32(b, len(b)-22+16, uint32(nth(b, centralMark, 0)))
		}
		return b
	}
}

const (
	localMark   = "PK\x03\x04"
	centralMark = "PK\x01\x02"
	endMark     = "PK\x05\x06"
)

// nth returns the offset of the n-th occurrence of a signature.
func nth(b []byte, signature string, n int) int {
	at := bytes.Index(b, []byte(signature))
	for range n {
		at += 4 + bytes.Index(b[at+4:], []byte(signature))
	}
	return at
}

func put16(b []byte, at int, n uint16) { binary.LittleEndian.PutUint16(b[at:], n) }
func put32(b []byte, at int, n uint32) { binary.LittleEndian.PutUint32(b[at:], n) }

// zip64End is a zip64 end record and its locator.
const zip64End = "PK\x06\x06" + "----------------------------------------------------" + "PK\x06\x07" + "----------------"

// A hostile zip, and what its refusal must say.
type hostile struct {
	name string
	make func(t testing.TB) []byte
	want string
}

// deflated makes what most tools make: one compressed entry.
func deflated(t testing.TB, data string) []byte {
	return viaCreate(t, zip.Deflate, data)
}

func stored(t testing.TB) []byte { return viaCreate(t, zip.Store, "data") }

func viaCreate(t testing.TB, method uint16, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateHeader(&zip.FileHeader{Name: top + "/x", Method: method})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// prefixed puts a script before a zip and counts it in all offsets.
func prefixed(t testing.TB) []byte {
	t.Helper()
	b := bytes.NewBufferString("#!/bin/sh\n")
	z := zip.NewWriter(b)
	z.SetOffset(int64(b.Len()))
	addPeer(t, z, peers(demo[0])[0])
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func commented(comment string) func(t testing.TB) []byte {
	return func(t testing.TB) []byte {
		b := write(t, demo...)
		put16(b, len(b)-2, uint16(len(comment)))
		return append(b, comment...)
	}
}

// quoted makes an overlap without any gap: the first file's data is the second
// file's local header and data, so that the same bytes count twice.
func quoted(t testing.TB) []byte {
	t.Helper()
	inner := peerZip(t, peers(file{"b", "kernel", 0o644})...)
	inner = inner[:nth(inner, centralMark, 0)]
	second := peers(file{"b", "kernel", 0o644})[0]
	b := peerZip(t, peers(file{"a", string(inner), 0o644})[0], second)
	return rewind(b, len(inner), nth(b, localMark, 1))
}

// rewind removes the second entry's own bytes, n of them from the end of the data,
// and points its central header to an offset.
func rewind(b []byte, n, offset int) []byte {
	directory := nth(b, centralMark, 0)
	b = append(bytes.Clone(b[:directory-n]), b[directory:]...)
	put32(b, nth(b, centralMark, 1)+42, uint32(offset))
	put32(b, len(b)-22+16, uint32(directory-n))
	return b
}
