package release

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release/archive"
)

// A Checksum is one line of checksums.txt.
type Checksum struct {
	SHA256 string // 64 lower-case hex digits
	Path   string
}

// FormatChecksums returns the bytes of checksums.txt, sorted by path: lines of 64 hex
// digits, two spaces and a path, as "sha256sum -c" reads them.
func FormatChecksums(sums []Checksum) []byte {
	var b bytes.Buffer
	for _, s := range slices.SortedFunc(slices.Values(sums), byPath) {
		fmt.Fprintf(&b, "%s  %s\n", s.SHA256, s.Path)
	}
	return b.Bytes()
}

func byPath(a, b Checksum) int { return strings.Compare(a.Path, b.Path) }

// ParseChecksums reads checksums.txt. It refuses whatever [FormatChecksums] would not
// have written, and an empty file.
func ParseChecksums(data []byte) ([]Checksum, error) {
	var sums []Checksum
	for n, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		sum, path, ok := strings.Cut(line, "  ")
		if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != 32 || hex.EncodeToString(raw) != sum {
			return nil, fmt.Errorf("line %d is %q, expected 64 lower-case hex digits, two spaces and a path", n+1, archive.Printable(line))
		}
		if err := archive.CheckPath(path); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		sums = append(sums, Checksum{sum, path})
	}
	for i := range sums[1:] {
		if sums[i].Path == sums[i+1].Path {
			return nil, fmt.Errorf("%s is listed twice", sums[i].Path)
		}
	}
	if !bytes.Equal(FormatChecksums(sums), data) {
		return nil, errors.New("not sorted by path, not in lower case, or without its last line end")
	}
	return sums, nil
}
