package translog

import (
	"bytes"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"
)

// ExportTiles writes every tile and entry bundle of a tree (C2SP tlog-tiles) from
// its leaves, in the order in which they become complete. The leaves must be
// exactly the tree's: other ones show, as a [*RootError] or [*FormatError], only
// after the last, so what was written counts for nothing before ExportTiles has
// returned. Other errors are those of leaves and write.
func ExportTiles(tree Tree, leaves iter.Seq2[Leaf, error], write func(path string, data []byte) error) error {
	if err := tree.check("tree"); err != nil {
		return err
	}
	t := tiler{emit: func(level int, n int64, data []byte, width int) error { return write(tilePath(level, n, width), data) }}
	for leaf, err := range leaves {
		if err == nil && t.frontier.size == tree.Size {
			err = malformed("tree", "more leaves than the %d of the tree", tree.Size)
		}
		if err == nil {
			err = t.add(leaf)
		}
		if err != nil {
			return fmt.Errorf("leaf %d: %w", t.frontier.size, err)
		}
	}
	return t.finish(tree)
}

// CheckTiles reads every tile and entry bundle of a tree, rebuilds the tree from the
// entries alone and compares: each tile's bytes with the rebuilt ones, and the
// root at the end. read returns the bytes at a path of [TilePaths], of which none
// is larger than MaxTile. It fails with a [*FormatError] that names the path, with
// a [*RootError], or with read's own error.
func CheckTiles(tree Tree, read func(path string) ([]byte, error)) error {
	if err := tree.check("tree"); err != nil {
		return err
	}
	t := tiler{emit: func(level int, n int64, data []byte, width int) error {
		if level == entryLevel {
			return nil
		}
		return compareTile(tilePath(level, n, width), data, read)
	}}
	for t.frontier.size < tree.Size {
		width := min(tree.Size-t.frontier.size, tileWidth)
		path := tilePath(entryLevel, t.frontier.size/tileWidth, int(width))
		if err := t.addBundle(path, int(width), read); err != nil {
			return err
		}
	}
	return t.finish(tree)
}

func compareTile(path string, want []byte, read func(path string) ([]byte, error)) error {
	got, err := read(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !bytes.Equal(got, want) {
		return malformed(path, "%d bytes that are not the hashes of the entries, expected %d", len(got), len(want))
	}
	return nil
}

// A tiler makes the tiles of a tree while it grows, and keeps of each level only
// the tile that is not full.
type tiler struct {
	frontier Frontier
	bundle   []byte   // entries since the last full bundle
	tiles    [][]byte // of each level, hashes since the last full tile
	emit     func(level int, n int64, data []byte, width int) error
}

func (t *tiler) addBundle(path string, width int, read func(path string) ([]byte, error)) error {
	data, err := read(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	leaves, err := ParseEntries(data)
	if err != nil {
		return malformed(path, "%v", err)
	}
	if len(leaves) != width {
		return malformed(path, "%d leaves, expected %d", len(leaves), width)
	}
	for _, leaf := range leaves {
		if err := t.add(leaf); err != nil {
			return err
		}
	}
	return nil
}

func (t *tiler) add(leaf Leaf) error {
	data, err := leaf.Marshal()
	if err != nil {
		return err
	}
	t.bundle = appendEntry(t.bundle, data)
	// The hash of a subtree that is as high as a tile is an entry of the level above.
	for height, hash := range t.frontier.Append(tlog.RecordHash(data)) {
		if height%tileHeight != 0 {
			continue
		}
		if level := height / tileHeight; level == len(t.tiles) {
			t.tiles = append(t.tiles, nil)
		}
		t.tiles[height/tileHeight] = append(t.tiles[height/tileHeight], hash[:]...)
	}
	if t.frontier.size%tileWidth != 0 {
		return nil
	}
	return t.flush(func(width int) bool { return width == tileWidth })
}

// flush emits the bundle and the tiles of the given widths.
func (t *tiler) flush(due func(width int) bool) error {
	if width := lastWidth(t.frontier.size); due(width) {
		if err := t.emit(entryLevel, (t.frontier.size-1)/tileWidth, t.bundle, width); err != nil {
			return err
		}
		t.bundle = nil
	}
	for level, tile := range t.tiles {
		width := len(tile) / tlog.HashSize
		if !due(width) {
			continue
		}
		last := t.frontier.size>>(tileHeight*level) - 1
		if err := t.emit(level, last/tileWidth, tile, width); err != nil {
			return err
		}
		t.tiles[level] = nil
	}
	return nil
}

// lastWidth returns how many of n things the last tile holds.
func lastWidth(n int64) int { return int((n-1)%tileWidth) + 1 }

// finish emits the partial tiles and compares the tree.
func (t *tiler) finish(tree Tree) error {
	if t.frontier.size != tree.Size {
		return malformed("tree", "%d leaves, expected %d", t.frontier.size, tree.Size)
	}
	if err := t.flush(func(width int) bool { return width > 0 && width < tileWidth }); err != nil {
		return err
	}
	if got := t.frontier.Tree(); got != tree {
		return &RootError{tree.Size, got.Root, tree.Root}
	}
	return nil
}
