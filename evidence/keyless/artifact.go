package keyless

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/sigstore/sigstore-go/pkg/verify"
)

// MaxWhole is the size in bytes of the largest artifact that is verified against a
// signature that has to see all of it at once: pure Ed25519, and ECDSA over P-384 and
// P-521, whose hash depends on the age of the client that signed. Every other
// artifact is streamed.
const MaxWhole = 1 << 30

// An Artifact is what a bundle must be about. It serves one verification.
type Artifact struct {
	reader io.Reader
	digest []byte // sha256; nil with a reader
}

// Content is an artifact of which all bytes can be read.
func Content(r io.Reader) Artifact { return Artifact{reader: r} }

// Digest is an artifact of which only the sha256 is known, in 64 hex digits.
func Digest(sha256Hex string) (Artifact, error) {
	sum, err := hex.DecodeString(sha256Hex)
	if err != nil || len(sum) != sha256.Size {
		return Artifact{}, fmt.Errorf("%q is no sha256: expected 64 hex digits", sha256Hex)
	}
	return Artifact{digest: sum}, nil
}

// A witness watches what sigstore-go reads of an artifact: it keeps the digests and
// tells an error of the reader from an error of the evidence.
type witness struct {
	reader io.Reader
	hashes map[crypto.Hash]hash.Hash
	limit  int64 // bytes; 0: none
	read   int64
	ended  bool
	err    error
}

// watch returns the artifact as sigstore-go takes it. other is a second hash to keep
// beside sha256, or 0.
func (a Artifact) watch(other crypto.Hash, whole bool) (*witness, verify.ArtifactPolicyOption) {
	w := &witness{reader: a.reader, hashes: map[crypto.Hash]hash.Hash{crypto.SHA256: sha256.New()}}
	if a.reader == nil {
		return w, verify.WithArtifactDigest("sha256", a.digest)
	}
	if other != 0 && other != crypto.SHA256 {
		w.hashes[other] = other.New()
	}
	if whole {
		w.limit = MaxWhole
	}
	return w, verify.WithArtifact(w)
}

func (w *witness) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.reader.Read(p)
	for _, h := range w.hashes {
		h.Write(p[:n])
	}
	w.read += int64(n)
	switch {
	case w.limit > 0 && w.read > w.limit:
		w.err = fmt.Errorf("an artifact of more than %d bytes, which this signature can only be verified over as a whole", w.limit)
		return n, w.err
	case errors.Is(err, io.EOF):
		w.ended = true
	case err != nil:
		w.err = err
	}
	return n, err
}

// sum returns the artifact's digest, or nil if it is not known.
func (a Artifact) sum(w *witness, h crypto.Hash) []byte {
	if a.reader == nil {
		if h == crypto.SHA256 {
			return a.digest
		}
		return nil
	}
	if hasher, ok := w.hashes[h]; ok && w.ended {
		return hasher.Sum(nil)
	}
	return nil
}

// differs reports whether the artifact is known not to have this digest. A digest
// that came from outside is the artifact, whatever the bundle hashes with.
func (a Artifact) differs(w *witness, h crypto.Hash, digest []byte) bool {
	if a.reader == nil {
		return !bytes.Equal(a.digest, digest)
	}
	sum := a.sum(w, h)
	return sum != nil && !bytes.Equal(sum, digest)
}
