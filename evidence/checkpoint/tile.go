package checkpoint

import (
	"context"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
)

// TileAt returns the tile or entry bundle at a path of C2SP tlog-tiles, of a tree of
// the given size. One that the tree does not have is [evidence.ErrNotFound]; a path
// that is none, a [*translog.FormatError].
func TileAt(ctx context.Context, r evidence.Reader, size int64, path string) ([]byte, error) {
	place, err := translog.ParsePlace(path)
	if err != nil {
		return nil, err
	}
	from, end := place.Range()
	if end > size {
		return nil, fmt.Errorf("%w: %s of a tree of size %d", evidence.ErrNotFound, path, size)
	}
	if !place.Entries {
		return translog.ReadTile(hashes{ctx, r}, place)
	}
	var leaves []translog.Leaf
	for leaf, err := range Leaves(ctx, r, from, end) {
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, leaf)
	}
	return translog.MarshalEntries(leaves)
}
