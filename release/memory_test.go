package release_test

import (
	"bytes"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// A memory is a package in memory: a container that tests can change at will.
type memory struct {
	files    map[string][]byte
	modes    map[string]fs.FileMode
	problems []string
}

// load copies a container.
func load(t testing.TB, c release.Container) *memory {
	t.Helper()
	m := &memory{map[string][]byte{}, map[string]fs.FileMode{}, slices.Clone(c.Problems())}
	for _, e := range c.Entries() {
		f, err := c.Open(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		m.files[e.Path], m.modes[e.Path] = b.Bytes(), e.Mode
	}
	return m
}

// clone copies the maps, not the bytes: a test replaces a file, it never edits one.
func (m *memory) clone() *memory {
	return &memory{maps.Clone(m.files), maps.Clone(m.modes), slices.Clone(m.problems)}
}

func (m *memory) put(path string, data []byte) {
	m.files[path] = data
	if _, ok := m.modes[path]; !ok {
		m.modes[path] = 0o644
	}
}

func (m *memory) remove(path string) {
	delete(m.files, path)
	delete(m.modes, path)
}

// rename moves a file with its mode.
func (m *memory) rename(from, to string) {
	m.files[to], m.modes[to] = m.files[from], m.modes[from]
	m.remove(from)
}

func (m *memory) paths() []string { return slices.Sorted(maps.Keys(m.files)) }

func (m *memory) Kind() string       { return "directory" }
func (m *memory) Top() string        { return "" }
func (m *memory) Problems() []string { return m.problems }

func (m *memory) Entries() []archive.Entry {
	var entries []archive.Entry
	for _, path := range m.paths() {
		entries = append(entries, archive.Entry{Path: path, Size: int64(len(m.files[path])), Mode: m.modes[path]})
	}
	return entries
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

func (m *memory) Open(path string) (release.File, error) {
	data, ok := m.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return memoryFile{bytes.NewReader(data)}, nil
}

// newKey makes a key from a fixed seed.
func newKey(t testing.TB, seed byte) *keys.Private {
	t.Helper()
	k, err := keys.Generate(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func verify(t testing.TB, c release.Container, k *keys.Private) *release.Verdict {
	t.Helper()
	opts := release.VerifyOptions{}
	if k != nil {
		opts.Authority = trust.SingleKey(k.Public())
	}
	v, err := release.Verify(t.Context(), c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// failed returns the identifiers of the checks that failed.
func failed(v *release.Verdict) []string {
	var ids []string
	for _, c := range v.Checks {
		if c.Result == release.Fail {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
