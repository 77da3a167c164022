package osv

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// zipped is a zip of files; link makes the last one a symbolic link.
func zipped(t testing.TB, link bool, names ...string) []byte {
	t.Helper()
	good, err := os.ReadFile("testdata/db/GO-2026-9001.json")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, name := range names {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if link && i == len(names)-1 {
			h.SetMode(fs.ModeSymlink | 0o777)
		}
		w, err := z.CreateHeader(h)
		if err == nil && !strings.HasSuffix(name, "/") {
			_, err = w.Write(good)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A directory and a zip of the same entries are one database, whatever names the zip
// gives them.
func TestZipAndDirectoryAreOneDatabase(t *testing.T) {
	data := zipped(t, false, "a.json", "a.json.gz", "../../b.JSON", "/c.json", "index/db.json", "README", "d/")
	var z Database
	if err := z.AddZip(t.Context(), bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	if z.Source().Entries != 3 {
		t.Errorf("%+v: a name left entries out", z.Source())
	}
	good, _ := os.ReadFile("testdata/db/GO-2026-9001.json")
	var one, other Database
	data = zipped(t, false, "x/a.json")
	if err := errors.Join(one.AddZip(t.Context(), bytes.NewReader(data), int64(len(data))), other.AddFS(t.Context(), fstest.MapFS{"b.json": {Data: good}})); err != nil {
		t.Fatal(err)
	}
	if one.Source() != other.Source() {
		t.Errorf("%+v, %+v", one.Source(), other.Source())
	}
}

// Whatever could leave out an entry in silence is an error.
func TestHostileDatabases(t *testing.T) {
	const head = `{"id":"H-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"example.com/dep"}}]`
	for name, text := range map[string]string{
		"no JSON": "{", "an array": "[]", "nothing": "", "two documents": head + "}{}", "no id": `{"affected":[]}`,
		"a later schema":                 head + `,"schema_version":"2.0.0"}`,
		"the year 0":                     strings.Replace(head, "2026", "0000", 1) + "}",
		"the year 10000":                 strings.Replace(head, "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", 1) + "}",
		"no modified":                    `{"id":"H-1","affected":[{"package":{"ecosystem":"Go","name":"x"}}]}`,
		"withdrawn, no date":             head + `,"withdrawn":"yes"}`,
		"an id with LF":                  strings.Replace(head, "H-1", `H\n1`, 1) + "}",
		"an alias of control characters": head + `,"aliases":["\u001b[2J"]}`,
		"no name":                        strings.Replace(head, "example.com/dep", "", 1) + "}",
		"deep nesting":                   head + `,"x":` + strings.Repeat("[", 20000),
		"too much space behind":          head + "}" + strings.Repeat(" ", MaxEntry),
		"too large":                      head + `,"details":"` + strings.Repeat("a", MaxEntry) + `"}`,
	} {
		var d Database
		if err := d.Add(name, strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, _ := os.ReadFile("testdata/db/GO-2026-9001.json")
	for name, fsys := range map[string]fstest.MapFS{
		"a packed file": {"a.json": {Data: good}, "all.zip": {Data: []byte("PK")}},
		"gzip":          {"a.json.gz": {Data: good}},
		"a link":        {"a.json": {Data: []byte("real"), Mode: fs.ModeSymlink}, "real": {Data: good}},
	} {
		var d Database
		if err := d.AddFS(t.Context(), fsys); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	bad := zipped(t, true, "a.json", "b.json")
	cut := zipped(t, false, "a.json")
	for name, data := range map[string][]byte{"a link in a zip": bad, "a cut zip": cut[:len(cut)-30], "a zip in a zip": zipped(t, false, "a.zip"), "no zip": []byte("{}")} {
		var d Database
		if err := d.AddZip(t.Context(), bytes.NewReader(data), int64(len(data))); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	flipped := zipped(t, false, "a.json")
	flipped[60] ^= 0xff
	var d Database
	if err := d.AddZip(t.Context(), bytes.NewReader(flipped), int64(len(flipped))); err == nil {
		t.Error("a damaged zip: read")
	}
}

// A zip that unpacks to more than one entry may have is refused while it is read.
func TestZipBomb(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("a.json")
	if err != nil {
		t.Fatal(err)
	}
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range MaxEntry>>20 + 2 {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var d Database
	if err := d.AddZip(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len())); err == nil || d.bytes > MaxEntry+1 {
		t.Errorf("%v, read %d bytes", err, d.bytes)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := zipped(t, false, "a.json")
	var d Database
	if err := d.AddFS(ctx, os.DirFS("testdata/db")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := d.AddZip(ctx, bytes.NewReader(data), int64(len(data))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
