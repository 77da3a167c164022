package gobuild

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// object makes an object of the given content.
func object(newHash func() hash.Hash, kind byte, content string) packObject {
	return inMemory(objectID(newHash, packKinds[kind], []byte(content)), kind, []byte(content))
}

func packOf(t testing.TB, newHash func() hash.Hash, objects ...packObject) []byte {
	t.Helper()
	slices.SortFunc(objects, func(a, b packObject) int { return strings.Compare(a.id, b.id) })
	var pack bytes.Buffer
	if err := writePack(&pack, newHash, objects); err != nil {
		t.Fatal(err)
	}
	return pack.Bytes()
}

// Sizes around the edges of blocks and of the size's bytes, and every object type.
func TestSourcePackIsReadByGit(t *testing.T) {
	for format, newHash := range map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New} {
		objects := []packObject{object(newHash, 2, "")}
		for _, n := range []int{0, 1, 15, 16, 2047, 2048, storedBlock - 1, storedBlock, storedBlock + 1, 2 * storedBlock, 300000} {
			objects = append(objects, object(newHash, 3, strings.Repeat("x", n)))
		}
		commit := object(newHash, 1, "tree "+objects[0].id+"\nauthor Ada <ada@example.com> 1 +0000\ncommitter Ada <ada@example.com> 1 +0000\n\nx\n")
		pack := packOf(t, newHash, append(objects, commit)...)
		ids, err := readPack(bytes.NewReader(pack), newHash)
		if err != nil || len(ids) != len(objects)+1 || ids[commit.id] != "commit" {
			t.Fatalf("%d objects, %v", len(ids), err)
		}
		dir := t.TempDir()
		if out, err := exec.Command("git", "init", "-q", "--object-format="+format, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		unpack := exec.Command("git", "-C", dir, "unpack-objects", "-q", "--strict")
		unpack.Stdin = bytes.NewReader(pack)
		if out, err := unpack.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			out, err := exec.Command("git", "-C", dir, "cat-file", "-t", id).Output()
			if err != nil || strings.TrimSpace(string(out)) != ids[id] {
				t.Errorf("%s is %q, %v", id, out, err)
			}
		}
	}
}

// reseal gives a changed pack the right hash over itself.
func reseal(pack []byte) []byte {
	body := pack[:len(pack)-sha1.Size]
	sum := sha1.Sum(body)
	return append(slices.Clone(body), sum[:]...)
}

func TestSourcePackHasOneEncoding(t *testing.T) {
	good := packOf(t, sha1.New, object(sha1.New, 3, "hello"), object(sha1.New, 3, "world"))
	names, err := readPack(bytes.NewReader(good), sha1.New)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, pack []byte) {
		t.Helper()
		_, err := readPack(bytes.NewReader(pack), sha1.New)
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindTampered || !strings.HasPrefix(e.Msg, "source pack: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range good {
		for bit := range 8 {
			bad := slices.Clone(good)
			bad[i] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d", bit, i), bad)
			if i < len(good)-sha1.Size {
				// With the right hash, only another type of object reads: under another name.
				ids, err := readPack(bytes.NewReader(reseal(bad)), sha1.New)
				if err == nil && maps.Equal(ids, names) {
					t.Errorf("bit %d of byte %d, resealed: reads as %v", bit, i, ids)
				}
			}
		}
		refused(fmt.Sprintf("the first %d bytes", i), good[:i])
	}
	refused("something behind", append(slices.Clone(good), 0))
	var compressed bytes.Buffer
	w := zlib.NewWriter(&compressed)
	_, _ = io.WriteString(w, "hello")
	_ = w.Close()
	pack := slices.Concat(packHeader(1), packEntry(3, 5), compressed.Bytes(), make([]byte, sha1.Size))
	refused("compressed", reseal(pack))
	refused("a delta", reseal(slices.Concat(packHeader(1), packEntry(7, 5), make([]byte, 40))))
	refused("a size of too many bytes", reseal(slices.Concat(packHeader(1), bytes.Repeat([]byte{0xb0}, 12), make([]byte, 40))))
	single := packOf(t, sha1.New, object(sha1.New, 3, "hello"))
	refused("a size in a longer form", reseal(slices.Concat(packHeader(1), []byte{single[12] | 0x80, 0x00}, single[13:])))
	a, b := object(sha1.New, 3, "hello"), object(sha1.New, 3, "world")
	if a.id < b.id {
		a, b = b, a
	}
	var unsorted, twice bytes.Buffer
	if err := errors.Join(writePack(&unsorted, sha1.New, []packObject{a, b}), writePack(&twice, sha1.New, []packObject{a, a})); err != nil {
		t.Fatal(err)
	}
	refused("not sorted", unsorted.Bytes())
	refused("an object twice", twice.Bytes())
}

// A file that changes while it is packed is an error, not another source.
func TestSourcePackOfAChangingFile(t *testing.T) {
	o := object(sha1.New, 3, "hello")
	o.open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("world")), nil }
	var e *Error
	if err := writePack(io.Discard, sha1.New, []packObject{o}); !errors.As(err, &e) || e.Kind != KindTampered {
		t.Error(err)
	}
	o.open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("hell")), nil }
	if err := writePack(io.Discard, sha1.New, []packObject{o}); err == nil {
		t.Error("a file that shrinks is packed")
	}
}

// What is read is written again in the same bytes.
func FuzzSourcePackHasOneEncoding(f *testing.F) {
	f.Add(packOf(f, sha1.New, object(sha1.New, 3, "hello"), object(sha1.New, 2, "")))
	f.Add(packOf(f, sha1.New))
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\xb5\x78\x01"))
	f.Fuzz(func(t *testing.T, pack []byte) {
		ids, err := readPack(bytes.NewReader(reseal(append(slices.Clone(pack), make([]byte, max(0, sha1.Size-len(pack)))...))), sha1.New)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindTampered {
				t.Errorf("error is %v", err)
			}
			return
		}
		if len(ids)*10 > len(pack) {
			t.Errorf("%d bytes read as %d objects", len(pack), len(ids))
		}
	})
}

// A pack that holds more than the commit is refused, and so is one without a part of
// it.
func TestSourcePackIsTheCommitAlone(t *testing.T) {
	blob := object(sha1.New, 3, "module example.com/x\n")
	raw, _ := hexBytes(blob.id)
	tree := object(sha1.New, 2, "100644 go.mod\x00"+raw)
	commit := object(sha1.New, 1, "tree "+tree.id+"\nparent "+strings.Repeat("1", 40)+
		"\nauthor Ada <ada@example.com> 1 +0000\ncommitter Ada <ada@example.com> 1 +0000\n\nx\n")
	for name, test := range map[string]struct {
		objects []packObject
		part    string
	}{
		"exact":          {[]packObject{blob, tree, commit}, ""},
		"one more":       {[]packObject{blob, tree, commit, object(sha1.New, 3, "stowaway")}, "is no part of commit"},
		"no blob":        {[]packObject{tree, commit}, "differs from the commit"},
		"no tree":        {[]packObject{blob, commit}, "cannot be listed"},
		"no commit":      {[]packObject{blob, tree}, "does not hold commit"},
		"nothing at all": {nil, "does not hold commit"},
	} {
		r, err := NewRebuilder(RebuildOptions{Env: os.Environ()})
		if err != nil {
			t.Fatal(err)
		}
		r.opts.Release.Module = "example.com/x"
		r.opts.Release.Source.GitCommit, r.opts.Release.Source.GitTree = commit.id, tree.id
		r.b.settings = &goSettings{version: "go1.26"}
		err = r.Unpack(t.Context(), bytes.NewReader(packOf(t, sha1.New, test.objects...)))
		if test.part == "" && err != nil || test.part != "" && (err == nil || !strings.Contains(err.Error(), test.part)) {
			t.Errorf("%s: %v, want %q", name, err, test.part)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// hexBytes turns an object name into the bytes that a tree holds.
func hexBytes(id string) (string, error) {
	var raw []byte
	_, err := fmt.Sscanf(id, "%x", &raw)
	return string(raw), err
}
