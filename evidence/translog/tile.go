package translog

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// entryLevel stands for entry bundles where levels are numbered, as in tlog.
	entryLevel = -1
)

// MaxTile is the size in bytes of the largest tile or entry bundle.
const MaxTile = tileWidth * (2 + MaxLeaf)

// TilePaths yields the paths, slash-separated, of every tile and entry bundle of a
// tree: the closed set that [ExportTiles] writes, "tile/entries/x001/x234/067" or
// "tile/1/000.p/17" among them. The checkpoint beside them, at "checkpoint", is not
// one of them. There is nothing for an empty tree.
func TilePaths(size int64) iter.Seq[string] {
	return func(yield func(string) bool) {
		for level := entryLevel; size>>(tileHeight*max(level, 0)) > 0; level++ {
			count := size >> (tileHeight * max(level, 0))
			for n := int64(0); n*tileWidth < count; n++ {
				if !yield(tilePath(level, n, int(min(count-n*tileWidth, tileWidth)))) {
					return
				}
			}
		}
	}
}

// tilePath returns the path of C2SP tlog-tiles, which has no height in it and calls
// entries what tlog calls data.
func tilePath(level int, n int64, width int) string {
	path := tlog.Tile{H: tileHeight, L: level, N: n, W: width}.Path()
	path = strings.Replace(path, "tile/8/", "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

// MarshalEntries returns an entry bundle: for each of 1 to 256 leaves the length of
// its encoding, 16 bits with the high byte first, and the encoding. It fails with a
// [*FormatError].
func MarshalEntries(leaves []Leaf) ([]byte, error) {
	if n := len(leaves); n < 1 || n > tileWidth {
		return nil, malformed("entry bundle", "%d leaves, expected 1 to %d", n, tileWidth)
	}
	var b []byte
	for i, leaf := range leaves {
		data, err := leaf.Marshal()
		if err != nil {
			return nil, fmt.Errorf("entry bundle: leaf %d: %w", i, err)
		}
		b = appendEntry(b, data)
	}
	return b, nil
}

func appendEntry(b, leaf []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(leaf))), leaf...)
}

// ParseEntries reads an entry bundle. It refuses, with a [*FormatError], whatever
// [MarshalEntries] would not have written.
func ParseEntries(data []byte) ([]Leaf, error) {
	var leaves []Leaf
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, malformed("entry bundle", "cut short in leaf %d", len(leaves))
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		leaf, err := ParseLeaf(data[2:end])
		if err != nil {
			return nil, fmt.Errorf("entry bundle: leaf %d: %w", len(leaves), err)
		}
		leaves, data = append(leaves, leaf), data[end:]
		if len(leaves) > tileWidth {
			return nil, malformed("entry bundle", "more than %d leaves", tileWidth)
		}
	}
	if len(leaves) == 0 {
		return nil, malformed("entry bundle", "empty")
	}
	return leaves, nil
}
