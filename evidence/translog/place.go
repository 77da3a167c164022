package translog

import (
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// maxLeaves keeps indexes of leaves within 63 bits.
const maxLeaves = int64(1) << 62

// A Place is where a tile or an entry bundle stands in a tree.
type Place struct {
	Entries bool // a bundle of entries, not a tile of hashes
	level   int
	n       int64
	width   int
}

// ParsePlace reads a path as [TilePaths] yields it. It fails with a [*FormatError].
func ParsePlace(path string) (Place, error) {
	name := strings.Replace(path, "tile/entries/", "tile/data/", 1)
	name = strings.Replace(name, "tile/", "tile/8/", 1)
	t, err := tlog.ParseTilePath(name)
	if err != nil || tilePath(t.L, t.N, t.W) != path || t.L > 6 || t.N >= maxLeaves>>(tileHeight*(max(t.L, 0)+1)) {
		return Place{}, malformed("tile path", "%s, expected such as tile/0/000 or tile/entries/000.p/17", shown(path))
	}
	return Place{t.L == entryLevel, t.L, t.N, t.W}, nil
}

// Range returns the indexes of the leaves that it is made from, from the first to
// before the end.
func (p Place) Range() (from, end int64) {
	height := tileHeight * max(p.level, 0)
	first := p.n * tileWidth
	return first << height, (first + int64(p.width)) << height
}

// ReadTile returns a tile of hashes from those that a log keeps. The caller has seen
// that the tree is large enough for [Place.Range].
func ReadTile(h Hashes, p Place) ([]byte, error) {
	return tlog.ReadTileData(tlog.Tile{H: tileHeight, L: p.level, N: p.n, W: p.width}, h)
}
