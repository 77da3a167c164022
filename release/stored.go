package release

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/archive"
)

// stored is a package whose files lie somewhere by their digests.
type stored struct {
	entries  []archive.Entry
	digests  map[string]string // hex sha256 by path
	bundles  map[string][]byte // closing bundles by path
	problems []string
	open     func(sha256Hex string) (File, error)
}

// Stored returns the package that closing bundles name, the first releaser's first,
// with its files from open, by their sha256 in hex. key finds the key of a further
// releaser's bundle, by which the bundle is called. size says how many bytes a file
// has. A file that is not there is a problem of the container, like everything else
// that fails its verification. No modes are kept: the container says so.
func Stored(bundles [][]byte, key func(keyid string) (envelope.PublicKey, bool), size func(sha256Hex string) (int64, error), open func(sha256Hex string) (File, error)) (Container, error) {
	if len(bundles) == 0 {
		return nil, errors.New("no closing statement")
	}
	s := &stored{digests: map[string]string{}, bundles: map[string][]byte{}, open: open}
	for i, data := range bundles {
		b, err := envelope.ParseBundle(data)
		if err != nil {
			return nil, err
		}
		statement, err := evidence.DecodeStatement[Closing](b.Payload, evidence.ReleaseEvidence)
		if err != nil {
			return nil, err
		}
		name := ClosingFile
		if i == 0 {
			s.add(statement.Subject, size)
		} else {
			k, ok := key(b.KeyID)
			if !ok {
				continue // no bundle of a package that verifies here
			}
			name = ClosingName(k)
		}
		s.bundles[name] = data
		s.entries = append(s.entries, archive.Entry{Path: name, Size: int64(len(data))})
	}
	slices.SortFunc(s.entries, func(a, b archive.Entry) int { return strings.Compare(a.Path, b.Path) })
	return s, nil
}

func (s *stored) add(subjects []evidence.Subject, size func(string) (int64, error)) {
	for _, subject := range subjects {
		digest := subject.Digest["sha256"]
		n, err := size(digest)
		if err != nil {
			s.problems = append(s.problems, fmt.Sprintf("%s: not stored", archive.Printable(subject.Name)))
			continue
		}
		s.digests[subject.Name] = digest
		s.entries = append(s.entries, archive.Entry{Path: subject.Name, Size: n})
	}
}

func (s *stored) Kind() string             { return "directory" }
func (s *stored) Top() string              { return "" }
func (s *stored) Entries() []archive.Entry { return s.entries }
func (s *stored) Problems() []string       { return s.problems }

func (s *stored) Open(path string) (File, error) {
	if data, ok := s.bundles[path]; ok {
		return inMemory{bytes.NewReader(data)}, nil
	}
	digest, ok := s.digests[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return s.open(digest)
}

// inMemory is a file that is held in memory.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }
