package archive_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/rollproof/rollproof/release/archive"
)

// large returns a file of 64 MiB.
func large() file {
	return file{"bin/large", string(bytes.Repeat([]byte("0123456789abcdef"), 4<<20)), 0o755}
}

// BenchmarkCRC32 is what reading can't do without.
func BenchmarkCRC32(b *testing.B) {
	data := []byte(large().data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		crc32.ChecksumIEEE(data)
	}
}

func BenchmarkRead(b *testing.B) {
	f := large()
	z, err := read(write(b, f))
	if err != nil {
		b.Fatal(err)
	}
	buffer := make([]byte, 256<<10)
	b.SetBytes(int64(len(f.data)))
	for b.Loop() {
		data, err := z.Open(f.path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, data, buffer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	files := []file{large()}
	list := entries(files)
	b.SetBytes(int64(len(files[0].data)))
	for b.Loop() {
		if err := archive.Write(io.Discard, top, list, opener(files)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewReader(b *testing.B) {
	for _, n := range []int{10, 1000, archive.MaxEntries} {
		b.Run(fmt.Sprintf("%d entries", n), func(b *testing.B) {
			var files []file
			for i := range n {
				files = append(files, file{fmt.Sprintf("bin/demo_%05d", i), "", 0o755})
			}
			var zip bytes.Buffer
			empty := func(archive.Entry) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(nil)), nil }
			if err := archive.Write(&zip, top, entries(files), empty); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := read(zip.Bytes()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
