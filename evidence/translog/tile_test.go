package translog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/rollproof/rollproof/evidence/translog"
)

// directory is what an export wrote: path to bytes.
type directory map[string][]byte

func (d directory) write(path string, data []byte) error {
	if d[path] != nil {
		return fmt.Errorf("%s is written twice", path)
	}
	d[path] = bytes.Clone(data)
	return nil
}

func (d directory) read(path string) ([]byte, error) {
	data, ok := d[path]
	if !ok {
		return nil, errBroken
	}
	return data, nil
}

func export(t testing.TB, all []translog.Leaf) (directory, translog.Tree) {
	t.Helper()
	whole, err := translog.Rebuild(each(all))
	must(t, err)
	d := directory{}
	must(t, translog.ExportTiles(whole, each(all), d.write))
	return d, whole
}

// sizes has the places where tiles begin and end.
var sizes = []int{0, 1, 2, 255, 256, 257, 511, 512, 600, 65536, 70000}

func TestExportIsClosedAndChecks(t *testing.T) {
	all := leaves(70000)
	for _, size := range sizes {
		d, whole := export(t, all[:size])
		want := slices.Sorted(translog.TilePaths(int64(size)))
		if got := slices.Sorted(maps.Keys(d)); !slices.Equal(got, want) {
			t.Errorf("size %d: written are %d files, TilePaths has %d", size, len(got), len(want))
		}
		if err := translog.CheckTiles(whole, d.read); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

// The tree of 70,000 leaves that C2SP tlog-tiles describes, and its example of a path.
func TestTilePaths(t *testing.T) {
	count := map[string]int{}
	for path := range translog.TilePaths(70000) {
		count[strings.Split(path, "/")[1]]++
	}
	if want := map[string]int{"entries": 274, "0": 274, "1": 2, "2": 1}; !maps.Equal(count, want) {
		t.Errorf("files of each level are %v, expected %v", count, want)
	}
	all := slices.Collect(translog.TilePaths(70000))
	for _, want := range []string{"tile/entries/272", "tile/entries/273.p/112", "tile/0/000", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"} {
		if !slices.Contains(all, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if got := translog.TilePath(-1, 1_234_067, 256); got != "tile/entries/x001/x234/067" {
		t.Errorf("path of C2SP tlog-tiles' example is %s", got)
	}
	// A huge tree costs nothing before its paths are taken.
	for path := range translog.TilePaths(translog.MaxSize) {
		if path != "tile/entries/000" {
			t.Errorf("first path is %s", path)
		}
		break
	}
}

// c2spReader reads a log's files as C2SP tlog-tiles and tlog-checkpoint describe
// them, with golang.org/x/mod/sumdb and nothing of this package.
type c2spReader struct{ files directory }

func (c2spReader) Height() int                     { return 8 }
func (c2spReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r c2spReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := r.files.read(c2spPath(strconv.Itoa(tile.L), tile.N, tile.W))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// c2spPath is "tile/<L>/<N>[.p/<W>]" with <N> in elements of three digits.
func c2spPath(level string, n int64, width int) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return "tile/" + level + "/" + path
}

// tree reads the signed checkpoint.
func (r c2spReader) tree(known note.Verifiers) (tlog.Tree, error) {
	n, err := note.Open(r.files["checkpoint"], known)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(n.Text, "\n")
	if lines[0] != origin {
		return tlog.Tree{}, fmt.Errorf("origin %s", lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// entries reads every entry of the tree and checks each against its tile.
func (r c2spReader) entries(tree tlog.Tree) ([][]byte, error) {
	hashes := tlog.TileHashReader(tree, r)
	var all [][]byte
	for n := int64(0); n*256 < tree.N; n++ {
		bundle, err := r.files.read(c2spPath("entries", n, int(min(256, tree.N-n*256))))
		if err != nil {
			return nil, err
		}
		for len(bundle) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2:end]
			bundle = bundle[end:]
			hash, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(len(all)))})
			if err != nil {
				return nil, err
			}
			if hash[0] != tlog.RecordHash(entry) {
				return nil, fmt.Errorf("entry %d does not hash to its tile", len(all))
			}
			all = append(all, entry)
		}
	}
	if int64(len(all)) != tree.N {
		return nil, fmt.Errorf("%d entries of %d", len(all), tree.N)
	}
	return all, nil
}

// TestOutsideReaderFollowsTheLog reads two exports with c2spReader and proves the
// second consistent with the first.
func TestOutsideReaderFollowsTheLog(t *testing.T) {
	all, known := leaves(1000), peerVerifiers(t)
	var before tlog.Tree
	for _, size := range []int{1, 255, 256, 600, 1000} {
		files, whole := export(t, all[:size])
		files["checkpoint"] = marshal(t, signed(t, whole))
		r := c2spReader{files}
		now, err := r.tree(known)
		must(t, err)
		entries, err := r.entries(now)
		must(t, err)
		for i, entry := range entries {
			if !bytes.Equal(entry, marshal(t, all[i])) {
				t.Fatalf("entry %d is %q", i, entry)
			}
		}
		if before.N > 0 {
			proof, err := tlog.ProveTree(now.N, before.N, tlog.TileHashReader(now, r))
			must(t, err)
			must(t, tlog.CheckTree(proof, now.N, now.Hash, before.N, before.Hash))
		}
		before = now
	}
}

// Tiles made from leaves are what tlog reads from stored hashes.
func TestTilesAgainstStoredHashes(t *testing.T) {
	all := leaves(600)
	files, _ := export(t, all)
	m := store(t, all)
	for _, tile := range tlog.NewTiles(8, 0, int64(len(all))) {
		want, err := tlog.ReadTileData(tile, m)
		must(t, err)
		if path := c2spPath(strconv.Itoa(tile.L), tile.N, tile.W); !bytes.Equal(files[path], want) {
			t.Errorf("%s differs from the stored hashes", path)
		}
	}
}

// Every file of an export that is changed in any bit, cut, extended or missing is
// found and named.
func TestEveryChangeOfATileShows(t *testing.T) {
	small, whole := export(t, leaves(3))
	for path, good := range small {
		for bit, data := range flips(good) {
			small[path] = data
			if err := translog.CheckTiles(whole, small.read); err == nil {
				t.Fatalf("%s with bit %d flipped was accepted", path, bit)
			}
		}
		small[path] = good
	}
	large, whole := export(t, leaves(600))
	for path, good := range large {
		bad := [][]byte{good[:len(good)-1], good[:len(good)/2], append(bytes.Clone(good), 0), append(bytes.Clone(good), good...), {}, nil}
		for _, data := range bad {
			large[path] = data
			wantError[*translog.FormatError](t, translog.CheckTiles(whole, large.read), path+": ")
		}
		delete(large, path)
		if err := translog.CheckTiles(whole, large.read); !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s is missing: error is %v", path, err)
		}
		large[path] = good
	}
}

// Tiles that fit together but are another log's fail at the root.
func TestTilesOfAnotherLog(t *testing.T) {
	all := leaves(300)
	_, whole := export(t, all)
	all[17].Envelope[0]++
	other, otherTree := export(t, all)
	wantError[*translog.RootError](t, translog.CheckTiles(whole, other.read), "the tree of size 300 has the root "+otherTree.Root.String())
	wantError[*translog.RootError](t, translog.ExportTiles(whole, each(all), directory{}.write), "the tree of size 300")
	wantError[*translog.FormatError](t, translog.ExportTiles(whole, each(all[:299]), directory{}.write), "299 leaves, expected 300")
	wantError[*translog.FormatError](t, translog.ExportTiles(whole, each(leaves(301)), directory{}.write), "leaf 300: tree: more leaves than the 300")
	wantError[*translog.FormatError](t, translog.ExportTiles(translog.Tree{Size: -1}, each(nil), directory{}.write), "size -1")
	wantError[*translog.FormatError](t, translog.CheckTiles(translog.Tree{Size: 1 << 62}, directory{}.read), "expected 0 to")
	wantError[*translog.FormatError](t, translog.ExportTiles(whole, each([]translog.Leaf{{}}), directory{}.write), "leaf 0: leaf: no predicate type")
}

func TestErrorsOfWriteComeBack(t *testing.T) {
	all := leaves(600)
	_, whole := export(t, all)
	for path := range translog.TilePaths(600) {
		err := translog.ExportTiles(whole, each(all), func(p string, _ []byte) error {
			if p == path {
				return errBroken
			}
			return nil
		})
		if !errors.Is(err, errBroken) {
			t.Errorf("%s can't be written: error is %v", path, err)
		}
	}
	broken := func(yield func(translog.Leaf, error) bool) { yield(translog.Leaf{}, errBroken) }
	if err := translog.ExportTiles(whole, broken, directory{}.write); !errors.Is(err, errBroken) {
		t.Errorf("error is %v", err)
	}
}

func TestEntriesRefuse(t *testing.T) {
	entry := func(n int, data []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(n)), data...) }
	good := marshal(t, leaf(0))
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"empty":        {nil, "empty"},
		"half length":  {[]byte{0}, "cut short in leaf 0"},
		"no leaf":      {[]byte{0, 0}, "leaf 0: leaf: begins with"},
		"length lies":  {entry(len(good)+1, good), "cut short in leaf 0"},
		"length short": {entry(len(good)-1, good), "leaf 0: leaf: 4 line ends"},
		"junk after":   {append(entry(len(good), good), 1), "cut short in leaf 1"},
		"257 leaves":   {bytes.Repeat(entry(len(good), good), 257), "more than 256 leaves"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := translog.ParseEntries(test.data)
			wantError[*translog.FormatError](t, err, test.want)
		})
	}
	for _, bad := range [][]translog.Leaf{nil, leaves(257), {{}}} {
		if _, err := translog.MarshalEntries(bad); err == nil {
			t.Errorf("%d leaves were written", len(bad))
		}
	}
	largest := leaf(0)
	largest.PredicateType = strings.Repeat("x", translog.MaxPredicateType)
	data, err := translog.MarshalEntries(slices.Repeat([]translog.Leaf{largest}, 256))
	if err != nil || len(data) != translog.MaxTile {
		t.Errorf("the largest bundle has %d bytes, %v, MaxTile is %d", len(data), err, translog.MaxTile)
	}
	if all, err := translog.ParseEntries(data); err != nil || len(all) != 256 || all[255] != largest {
		t.Errorf("the largest bundle is read as %d leaves, %v", len(all), err)
	}
}
