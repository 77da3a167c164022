package archive_test

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/rollproof/rollproof/release/archive"
)

const top = "demo-v1.0.0"

// A file is an entry with its data.
type file struct {
	path, data string
	mode       fs.FileMode
}

func (f file) entry() archive.Entry {
	return archive.Entry{Path: f.path, Size: int64(len(f.data)), Mode: f.mode, CRC32: crc32.ChecksumIEEE([]byte(f.data))}
}

// demo is a small package, not in order.
var demo = []file{
	{"LICENSE", "MIT\n", 0o644},
	{"bin/demo_v1.0.0_linux_amd64", "\x7fELF of demo", 0o755},
	{"bin/demo", "#!/bin/sh\necho demo\n", 0o755},
	{"empty.txt", "", 0o644},
}

func entries(files []file) []archive.Entry {
	var all []archive.Entry
	for _, f := range files {
		all = append(all, f.entry())
	}
	return all
}

func opener(files []file) func(archive.Entry) (io.ReadCloser, error) {
	return func(e archive.Entry) (io.ReadCloser, error) {
		i := slices.IndexFunc(files, func(f file) bool { return f.path == e.Path })
		return io.NopCloser(strings.NewReader(files[i].data)), nil
	}
}

// write returns the zip of files below the top.
func write(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := archive.Write(&b, top, entries(files), opener(files)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (*archive.Reader, error) {
	return archive.NewReader(bytes.NewReader(b), int64(len(b)))
}

// readAll reads every file of a zip.
func readAll(z *archive.Reader) ([]file, error) {
	var files []file
	for _, e := range z.Entries() {
		f, err := z.Open(e.Path)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		files = append(files, file{e.Path, string(data), e.Mode})
	}
	return files, nil
}

// dump finds the lines of the package comment's example: offset and bytes.
var dump = regexp.MustCompile(`(?m)^//\t([0-9a-f]{4})((?: {1,2}[0-9a-f]{2}\b)+)`)

// TestExactBytes holds the example of the package comment, byte for byte.
func TestExactBytes(t *testing.T) {
	source, err := os.ReadFile("archive.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, line := range dump.FindAllSubmatch(source, -1) {
		if offset := fmt.Sprintf("%04x", len(want)); offset != string(line[1]) {
			t.Errorf("example has offset %s where %s is due", line[1], offset)
		}
		row, err := hex.DecodeString(strings.ReplaceAll(string(line[2]), " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, row...)
	}
	if got := write(t, demo[0]); !bytes.Equal(got, want) {
		t.Errorf("zip of LICENSE is\n%s, the package comment has\n%s", hex.Dump(got), hex.Dump(want))
	}
}

// TestPeerWritesTheSameBytes lets archive/zip make the zip that the format describes.
func TestPeerWritesTheSameBytes(t *testing.T) {
	got, want := write(t, demo...), peerZip(t, peers(sorted(demo)...)...)
	if !bytes.Equal(got, want) {
		t.Errorf("zip is\n%s, archive/zip writes\n%s", hex.Dump(got), hex.Dump(want))
	}
}

func TestPeerReads(t *testing.T) {
	b := write(t, demo...)
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var got []file
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, file{strings.TrimPrefix(f.Name, top+"/"), string(data), f.Mode()})
	}
	if !slices.Equal(got, sorted(demo)) {
		t.Errorf("archive/zip reads %v, expected %v", got, sorted(demo))
	}
}

func sorted(files []file) []file {
	return slices.SortedFunc(slices.Values(files), func(a, b file) int { return strings.Compare(a.path, b.path) })
}

// tool returns the path of an outside program, or skips the test without it.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("ROLLPROOF_REQUIRE_TOOLS") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestUnzip(t *testing.T) {
	unzip, dir := tool(t, "unzip"), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "demo.zip"), write(t, demo...), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, dir, unzip, "-t", "demo.zip"); !strings.Contains(out, "No errors detected") {
		t.Errorf("unzip -t says\n%s", out)
	}
	run(t, dir, unzip, "-q", "demo.zip")
	for _, want := range demo {
		path := filepath.Join(dir, top, filepath.FromSlash(want.path))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := (file{want.path, string(data), info.Mode()}); got != want {
			t.Errorf("unzip makes %v, expected %v", got, want)
		}
	}
}

// genElement draws elements that often differ only by case.
var genElement = rapid.StringMatching(`[a-cA-C0][a-zA-Z0-9._+-]{0,3}[a-z0]|[abAB]`)

var genFiles = rapid.Custom(func(t *rapid.T) []file {
	var files []file
	var paths []string
	for range rapid.IntRange(1, 12).Draw(t, "files") {
		f := file{
			path: strings.Join(rapid.SliceOfN(genElement, 1, 4).Draw(t, "path"), "/"),
			data: string(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")),
			mode: rapid.SampledFrom([]fs.FileMode{0o644, 0o755}).Draw(t, "mode"),
		}
		if archive.CheckSet(append(paths, f.path)) == nil {
			files, paths = append(files, f), append(paths, f.path)
		}
	}
	if files == nil {
		t.Skip("no good path drawn")
	}
	return files
})

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := genFiles.Draw(t, "files")
		var b bytes.Buffer
		if err := archive.Write(&b, top, entries(files), opener(files)); err != nil {
			t.Fatal(err)
		}
		if size, err := archive.Size(top, entries(files)); err != nil || size != int64(b.Len()) {
			t.Fatalf("Size returns %d, %v; Write wrote %d bytes", size, err, b.Len())
		}
		z, err := read(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if z.Top() != top || !slices.Equal(got, sorted(files)) {
			t.Fatalf("read %s %v, expected %s %v", z.Top(), got, top, sorted(files))
		}
	})
}

func TestWriteRefuses(t *testing.T) {
	good := file{"a", "data", 0o644}.entry()
	with := func(change func(e *archive.Entry)) []archive.Entry {
		e := good
		change(&e)
		return []archive.Entry{e}
	}
	tests := []struct {
		name, top string
		entries   []archive.Entry
		want      string
	}{
		{"no entries", top, nil, "0 entries, expected 1 to 65534"},
		{"empty top", "", []archive.Entry{good}, "empty path"},
		{"top of two elements", "a/b", []archive.Entry{good}, "expected the name of one directory"},
		{"top that climbs", "..", []archive.Entry{good}, `element ".."`},
		{"long top", strings.Repeat("a", 201), []archive.Entry{good}, "path of 201 bytes, expected at most 200"},
		{"bad path", top, with(func(e *archive.Entry) { e.Path = "../a" }), `element ".."`},
		{"other mode", top, with(func(e *archive.Entry) { e.Mode = 0o600 }), "mode -rw-------"},
		{"link", top, with(func(e *archive.Entry) { e.Mode |= fs.ModeSymlink }), "mode Lrw-r--r--"},
		{"setuid", top, with(func(e *archive.Entry) { e.Mode = 0o755 | fs.ModeSetuid }), "mode urwxr-xr-x"},
		{"negative size", top, with(func(e *archive.Entry) { e.Size = -1 }), "size -1"},
		{"size of 4 GiB", top, with(func(e *archive.Entry) { e.Size = 1 << 32 }), "size 4294967296"},
		{"size that overflows", top, with(func(e *archive.Entry) { e.Size = 1<<63 - 1 }), "size 9223372036854775807"},
		{"listed twice", top, []archive.Entry{good, good}, "listed twice"},
		{"case collision", top, append(with(func(e *archive.Entry) { e.Path = "A" }), good), "differs only by case from A"},
		{"data too short", top, with(func(e *archive.Entry) { e.Size = 5 }), "4 bytes, expected 5"},
		{"data too long", top, with(func(e *archive.Entry) { e.Size = 3 }), "more than 3 bytes, expected 3"},
		{"other CRC-32", top, with(func(e *archive.Entry) { e.CRC32++ }), "CRC-32 adf3f363, expected adf3f364"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			open := func(archive.Entry) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("data")), nil }
			wantError(t, archive.Write(io.Discard, test.top, test.entries, open), test.want)
		})
	}
}

// wantError expects an *Error with a text in its message.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	var e *archive.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("error is %v, expected an *Error: %s", err, want)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error is %q, expected %q in it", err, want)
	case archive.Printable(err.Error()) != err.Error():
		t.Errorf("error %q is not printable", err)
	}
}

type closer struct {
	io.Reader
	err error
}

func (c closer) Close() error { return c.err }

var errBroken = errors.New("broken on purpose")

// A brokenWriter fails at one byte, once, and forgets about it.
type brokenWriter struct{ at int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	at := w.at
	if w.at -= len(p); at >= 0 && w.at < 0 {
		return at, errBroken
	}
	return len(p), nil
}

// TestErrorsOfTheWorldComeBack breaks each part of the world that Write meets.
func TestErrorsOfTheWorldComeBack(t *testing.T) {
	list := entries(demo[:1])
	whole := len(write(t, demo[0]))
	for at := range whole {
		if err := archive.Write(&brokenWriter{at}, top, list, opener(demo)); !errors.Is(err, errBroken) {
			t.Errorf("byte %d can't be written: error is %v", at, err)
		}
	}
	sources := map[string]func(archive.Entry) (io.ReadCloser, error){
		"open":     func(archive.Entry) (io.ReadCloser, error) { return nil, errBroken },
		"close":    func(archive.Entry) (io.ReadCloser, error) { return closer{strings.NewReader("MIT\n"), errBroken}, nil },
		"read":     func(archive.Entry) (io.ReadCloser, error) { return closer{iotest.ErrReader(errBroken), nil}, nil },
		"read end": func(archive.Entry) (io.ReadCloser, error) { return closer{lateError("MIT\n"), nil}, nil },
	}
	for name, open := range sources {
		if err := archive.Write(io.Discard, top, list, open); !errors.Is(err, errBroken) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// lateError yields data and fails where the end should be.
func lateError(data string) io.Reader {
	return io.MultiReader(strings.NewReader(data), iotest.ErrReader(errBroken))
}

func TestLimits(t *testing.T) {
	many := make([]archive.Entry, archive.MaxEntries+1)
	for i := range many {
		many[i] = archive.Entry{Path: fmt.Sprint(i), Mode: 0o644}
	}
	_, err := archive.Size(top, many)
	wantError(t, err, "65535 entries, expected 1 to 65534")

	var b bytes.Buffer
	empty := func(archive.Entry) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
	if err := archive.Write(&b, top, many[1:], empty); err != nil {
		t.Fatal(err)
	}
	if _, err := read(b.Bytes()); err != nil {
		t.Errorf("the largest number of entries is refused: %v", err)
	}

	// 65534 headers of 46 bytes and the name; of the names, 1024 have 467 bytes and
	// the others 466: together 32 MiB.
	for i := range many {
		many[i].Path = fmt.Sprintf("%s/%0*d", strings.Repeat("d", 199), 65+min(1, max(0, 1025-i)), i)
	}
	long := strings.Repeat("t", 200)
	if _, err := archive.Size(long, many[1:]); err != nil {
		t.Errorf("the largest directory is refused: %v", err)
	}
	many[1].Path += "x"
	_, err = archive.Size(long, many[1:])
	wantError(t, err, "central directory of 33554433 bytes, expected at most 33554432")

	// Headers and end record take 30 + 46 + 22 bytes and the name twice.
	largest := archive.MaxSize - 98 - 2*int64(len(top+"/a"))
	if size, err := archive.Size(top, []archive.Entry{{Path: "a", Mode: 0o644, Size: largest}}); size != archive.MaxSize || err != nil {
		t.Errorf("size of the largest zip is %d, %v", size, err)
	}
	_, err = archive.Size(top, []archive.Entry{{Path: "a", Mode: 0o644, Size: largest + 1}})
	wantError(t, err, "the zip is larger than 4294967295 bytes")
	huge := []archive.Entry{{Path: "a", Mode: 0o644, Size: archive.MaxSize}, {Path: "b", Mode: 0o644, Size: archive.MaxSize}}
	_, err = archive.Size(top, huge)
	wantError(t, err, "the zip is larger than 4294967295 bytes")
}

// allocated returns how many bytes f takes from the heap.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
