package sbom

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"slices"
	"strings"
)

// A Listed is a file of a set of files.
type Listed struct {
	Path   string // slash-separated
	SHA256 string // hex of the content
}

// escapes are those of sha256sum, for names that would break a line.
var escapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

// List returns the checksums of the listing of files: for each the line
// "<sha256>  <path>", sorted by the bytes of the path, as sha256sum prints them.
func List(files []Listed) Checksums {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b Listed) int { return strings.Compare(a.Path, b.Path) })
	h256, h512 := sha256.New(), sha512.New()
	for _, f := range files {
		line := f.SHA256 + "  " + f.Path + "\n"
		if escaped := escapes.Replace(f.Path); escaped != f.Path {
			line = `\` + f.SHA256 + "  " + escaped + "\n"
		}
		h256.Write([]byte(line))
		h512.Write([]byte(line))
	}
	return Checksums{hex.EncodeToString(h256.Sum(nil)), hex.EncodeToString(h512.Sum(nil))}
}

func listBinaries(binaries []Binary) Checksums {
	var files []Listed
	for _, b := range binaries {
		files = append(files, Listed{b.Path, b.SHA256})
	}
	return List(files)
}
