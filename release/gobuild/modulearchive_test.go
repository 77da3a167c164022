package gobuild

import (
	"archive/zip"
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/release"
)

// zipOf writes a zip as tools do.
func zipOf(t testing.TB, method uint16, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// moduleArchive carries one module whose zip has the given files.
func moduleArchive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	dir := t.TempDir()
	name := release.ModuleName{Path: "example.com/X", Version: "v1.0.0"}
	var list []moduleFile
	for kind, data := range map[string][]byte{".mod": []byte("module example.com/X\n"), ".zip": zipOf(t, zip.Deflate, files)} {
		f := moduleFile{name: name, kind: kind, file: filepath.Join(dir, "x"+kind)}
		if err := os.WriteFile(f.file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b moduleFile) int { return strings.Compare(a.kind, b.kind) })
	var out bytes.Buffer
	if err := writeModules(t.Context(), &out, list); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestModuleArchiveIsAProxy(t *testing.T) {
	root := filepath.Join(t.TempDir(), "proxy")
	data := moduleArchive(t, map[string]string{"example.com/X@v1.0.0/go.mod": "module example.com/X\n"})
	if err := unpackModules(t.Context(), bytes.NewReader(data), int64(len(data)), root); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		if f.Method != zip.Store || f.ModifiedDate != 0 || f.ModifiedTime != 0 || f.Flags != 0 || len(f.Extra) > 0 {
			t.Errorf("%+v", f.FileHeader)
		}
	}
	want := []string{"example.com/!x/@v/v1.0.0.info", "example.com/!x/@v/v1.0.0.mod", "example.com/!x/@v/v1.0.0.zip"}
	if !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
}

// Changing any byte is found.
func TestModuleArchiveHasOneEncoding(t *testing.T) {
	good := moduleArchive(t, map[string]string{"m/go.mod": "module example.com/!x\n", "m/x.go": "package x\n"})
	unpack := func(data []byte) error {
		return unpackModules(t.Context(), bytes.NewReader(data), int64(len(data)), filepath.Join(t.TempDir(), "proxy"))
	}
	if err := unpack(good); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 0x11
		var e *Error
		if err := unpack(bad); !errors.As(err, &e) || e.Kind != KindTampered {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

// Signed, and hostile: it would write elsewhere, or unpack to more than its size.
func TestHostileModuleArchives(t *testing.T) {
	const module = "example.com/x/@v/v1.0.0"
	inner := string(zipOf(t, zip.Store, map[string]string{"x@v1.0.0/x.go": "package x\n"}))
	bomb := string(zipOf(t, zip.Deflate, map[string]string{"x@v1.0.0/x.go": strings.Repeat("x", 1<<20)}))
	for name, test := range map[string]struct {
		data []byte
		part string
	}{
		"nothing":               {nil, "not a valid zip"},
		"no zip":                {[]byte("hello"), "not a valid zip"},
		"outside":               {zipOf(t, zip.Store, map[string]string{"../x/@v/v1.0.0.mod": "x"}), "is no go.mod or zip"},
		"outside, by a module":  {zipOf(t, zip.Store, map[string]string{"example.com/../../x/@v/v1.0.0.mod": "x"}), "is no go.mod or zip"},
		"outside, by a version": {zipOf(t, zip.Store, map[string]string{"example.com/x/@v/../../../v1.0.0.mod": "x"}), "is no go.mod or zip"},
		"absolute":              {zipOf(t, zip.Store, map[string]string{"/x/@v/v1.0.0.mod": "x"}), "is no go.mod or zip"},
		"upper case":            {zipOf(t, zip.Store, map[string]string{"example.com/X/@v/v1.0.0.mod": "x"}), "is no go.mod or zip"},
		"no version":            {zipOf(t, zip.Store, map[string]string{"example.com/x/@v/list": "x"}), "is no go.mod or zip"},
		"a directory":           {zipOf(t, zip.Store, map[string]string{"example.com/x/@v/": ""}), "is no go.mod or zip"},
		"compressed":            {zipOf(t, zip.Deflate, map[string]string{module + ".mod": "module x\n"}), "is compressed"},
		"with data descriptors": {zipOf(t, zip.Store, map[string]string{module + ".info": `{"Version":"v1.0.0"}`, module + ".mod": "module x\n"}), "its bytes are not"},
		"a bomb inside":         {zipOf(t, zip.Store, map[string]string{module + ".mod": "x", module + ".zip": bomb}), "is compressed"},
		"another zip inside":    {zipOf(t, zip.Store, map[string]string{module + ".mod": "x", module + ".zip": inner}), "its bytes are not"},
		"entries of one place":  {overlapping(t), "has left"},
	} {
		root := filepath.Join(t.TempDir(), "a", "b", "proxy")
		err := unpackModules(t.Context(), bytes.NewReader(test.data), int64(len(test.data)), root)
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindTampered || !strings.HasPrefix(e.Msg, "module archive: ") || !strings.Contains(e.Msg, test.part) {
			t.Errorf("%s: %v", name, err)
		}
		outside, err := filepath.Glob(filepath.Join(root, "..", "..", "*"))
		if err != nil || len(outside) > 1 {
			t.Errorf("%s: wrote %v", name, outside)
		}
	}
}

// overlapping is a zip whose directory names one file's data often.
func overlapping(t *testing.T) []byte {
	t.Helper()
	data := zipOf(t, zip.Store, map[string]string{"example.com/x/@v/v1.0.0.mod": strings.Repeat("x", 1000), "example.com/x/@v/v1.0.1.mod": "x"})
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(z.File) != 2 {
		t.Fatal(err)
	}
	// Both entries of the central directory claim the size of the whole.
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte("PK\x01\x02"))
		if i < 0 {
			return data
		}
		at += i + 4
		copy(data[at+16:], []byte{0xe8, 3, 0, 0, 0xe8, 3, 0, 0})
	}
}

// Whatever is unpacked stands below the root and is written again byte for byte.
func FuzzModuleArchiveStaysInside(f *testing.F) {
	f.Add(moduleArchive(f, map[string]string{"x@v1.0.0/x.go": "package x\n"}))
	f.Add(zipOf(f, zip.Store, map[string]string{"../x/@v/v1.0.0.mod": "x"}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		root := filepath.Join(outer, "proxy")
		err := unpackModules(t.Context(), bytes.NewReader(data), int64(len(data)), root)
		if entries, _ := os.ReadDir(outer); len(entries) > 1 || len(entries) == 1 && entries[0].Name() != "proxy" {
			t.Errorf("wrote %v", entries)
		}
		if err != nil {
			return
		}
		files, err := listModules(root)
		var again bytes.Buffer
		if err := errors.Join(err, writeModules(t.Context(), &again, files)); err != nil || !bytes.Equal(again.Bytes(), data) {
			t.Errorf("another encoding is read: %v", err)
		}
	})
}
