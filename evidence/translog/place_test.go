package translog_test

import (
	"errors"
	"testing"

	"github.com/rollproof/rollproof/evidence/translog"
)

func TestEveryTilePathHasAPlace(t *testing.T) {
	for _, size := range []int64{1, 17, 256, 257, 70_000} {
		for path := range translog.TilePaths(size) {
			p, err := translog.ParsePlace(path)
			if err != nil {
				t.Fatal(err)
			}
			if from, end := p.Range(); from < 0 || end <= from || end > size {
				t.Errorf("%s of %d: leaves %d to %d", path, size, from, end)
			}
		}
	}
}

func TestOtherPathsHaveNone(t *testing.T) {
	for _, path := range []string{
		"", "tile", "tile/0", "tile/8/0/000", "tile/data/000", "tile/0/0", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/000.p/017",
		"tile/0/../000", "/tile/0/000", "tile/0/000/", "tile/-1/000", "tile/entries/x001/67", "checkpoint", "tile/0/000.p/1\x1b[2J", "tile/entries/../../checkpoint",
		"tile/63/000", "tile/0/x999/x999/x999/x999/x999/x999/999",
	} {
		var format *translog.FormatError
		if p, err := translog.ParsePlace(path); !errors.As(err, &format) {
			t.Errorf("%q: %v %v", path, p, err)
		}
	}
}
