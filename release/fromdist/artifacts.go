package fromdist

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// Files of a dist directory, and what is read of them at most.
const (
	artifactsFile = "artifacts.json"
	metadataFile  = "metadata.json"
	maxDocument   = 16 << 20 // bytes
	maxArtifacts  = 10000
)

// An artifact is an entry of artifacts.json, as far as it is used.
type artifact struct {
	Name  string `json:"name"`
	Path  string `json:"path"`
	Type  string `json:"type"`
	OS    string `json:"goos"`
	Arch  string `json:"goarch"`
	Extra struct {
		Binary   string `json:"Binary"`
		Checksum string `json:"Checksum"` // <algorithm>:<hex>
	} `json:"extra"`
}

// readArtifacts reads artifacts.json, one entry after the other, so that a small file
// can't become a large list.
func readArtifacts(root *os.Root) ([]artifact, error) {
	f, err := openRegular(root, artifactsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable("give the directory that goreleaser wrote", "there is no %s in the directory", artifactsFile)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxDocument {
		return nil, errors.Join(err, tampered("%s has more than %d bytes", artifactsFile, maxDocument))
	}
	dec := json.NewDecoder(io.LimitReader(f, maxDocument))
	if start, err := dec.Token(); err != nil || start != json.Delim('[') {
		return nil, tampered("%s is no JSON array", artifactsFile)
	}
	var list []artifact
	for dec.More() {
		var a artifact
		if err := dec.Decode(&a); err != nil {
			return nil, tampered("%s: entry %d: %s", artifactsFile, len(list), archive.Printable(err.Error()))
		}
		if list = append(list, a); len(list) > maxArtifacts {
			return nil, tampered("%s has more than %d entries", artifactsFile, maxArtifacts)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, tampered("%s: %s", artifactsFile, archive.Printable(err.Error()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, tampered("%s goes on behind its array", artifactsFile)
	}
	return list, nil
}

// checkMetadata compares metadata.json, where there is one, with the release.
func checkMetadata(root *os.Root, plan *release.Plan) error {
	f, err := openRegular(root, metadataFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var m struct {
		Tag    string `json:"tag"`
		Commit string `json:"commit"`
	}
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return tampered("%s: %s", metadataFile, archive.Printable(err.Error()))
	}
	if m.Commit != plan.Source.GitCommit || plan.Source.Tag != "" && m.Tag != plan.Source.Tag {
		return unusable("check the tag out, and let goreleaser build it", "%s is of tag %s, commit %s; the release is of tag %s, commit %s",
			metadataFile, archive.Printable(m.Tag), archive.Printable(m.Commit), plan.Source.Tag, plan.Source.GitCommit)
	}
	return nil
}

// validPath reports whether a path stays where it is, on every system.
func validPath(name string) bool {
	return fs.ValidPath(name) && !strings.ContainsAny(name, "\\:\x00")
}

// openRegular opens a regular file that no link leads to.
func openRegular(root *os.Root, name string) (*os.File, error) {
	var listed fs.FileInfo
	for at := name; at != "."; at = path.Dir(at) {
		info, err := root.Lstat(at)
		if err != nil {
			return nil, err
		}
		switch {
		case at == name && info.Mode().IsRegular():
			listed = info
		case at == name || !info.IsDir():
			return nil, tampered("%s: not a regular file in a directory", archive.Printable(at))
		}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(opened, listed) {
		err = tampered("%s: no longer the regular file that it was", archive.Printable(name))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func hashCopy(to io.Writer, from io.Reader) (sum string, err error) {
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, h), from)
	return hex.EncodeToString(h.Sum(nil)), err
}

// checkSum compares the digest that an entry has with the file's. One of another
// algorithm says nothing here.
func (a artifact) checkSum(sum string) error {
	if want, ok := strings.CutPrefix(a.Extra.Checksum, "sha256:"); ok && !strings.EqualFold(want, sum) {
		return tampered("%s: sha256 %s, expected %s as %s says", archive.Printable(a.Path), sum, archive.Printable(want), artifactsFile)
	}
	return nil
}
