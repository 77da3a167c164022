package release_test

import (
	"io"
	"io/fs"
	"runtime"
	"slices"
	"testing"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// A huge is a package with one more file, of zeros, that exists nowhere.
type huge struct {
	*memory
	size int64
}

func (h huge) Entries() []archive.Entry {
	return append([]archive.Entry{{Path: "bin/huge", Size: h.size, Mode: 0o755}}, h.memory.Entries()...)
}

func (h huge) Open(path string) (release.File, error) {
	if path == "bin/huge" {
		return zeros{io.NewSectionReader(zeroAt{}, 0, h.size)}, nil
	}
	return h.memory.Open(path)
}

type zeros struct{ *io.SectionReader }

func (zeros) Close() error { return nil }

type zeroAt struct{}

func (zeroAt) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// Files are streamed: 2 GiB cost less than 64 MiB of memory in all.
func TestLargeFilesAreStreamed(t *testing.T) {
	m, _ := signed(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v := verify(t, huge{m, 2 << 30}, newKey(t, 1))
	runtime.ReadMemStats(&after)
	if !slices.Contains(failed(v), "closed-set") {
		t.Errorf("the extra file is not refused: %v", failed(v))
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 64<<20 {
		t.Errorf("%d MiB allocated for a package with a file of 2 GiB, expected at most 64", allocated>>20)
	}
}

// A file that claims to be a document and is huge is refused unread.
func TestHugeDocumentIsRefused(t *testing.T) {
	for _, path := range []string{"release-evidence.json", "checksums.txt", "tiny.spdx.json", "release-evidence.sigstore.json", "bin/tiny_v1.2.3_linux_amd64.sigstore.json"} {
		m, _ := signed(t)
		m.remove(path)
		c := renamed{huge{m, 1 << 30}, path}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v := verify(t, c, newKey(t, 1))
		runtime.ReadMemStats(&after)
		if v.Result != release.Fail || after.TotalAlloc-before.TotalAlloc > 64<<20 {
			t.Errorf("%s of 1 GiB: %s, %d MiB allocated", path, v.Result, (after.TotalAlloc-before.TotalAlloc)>>20)
		}
	}
}

// A renamed is a huge whose file has another name.
type renamed struct {
	huge
	path string
}

func (r renamed) Entries() []archive.Entry {
	entries := r.huge.Entries()
	entries[0].Path, entries[0].Mode = r.path, fs.FileMode(0o644)
	return entries
}

func (r renamed) Open(path string) (release.File, error) {
	if path == r.path {
		path = "bin/huge"
	}
	return r.huge.Open(path)
}
