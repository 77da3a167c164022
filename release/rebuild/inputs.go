package rebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/release/provenance"
)

// maxDocument is the size in bytes of the largest document that is read into memory.
const maxDocument = 16 << 20

// inputs are what a package says of its making, each byte of it bound to the digest
// of the manifest that was verified.
type inputs struct {
	container release.Container
	digest    string // hex sha256 of the manifest
	manifest  *release.Manifest
	dirty     bool
	binaries  []release.Binary // sorted by path
	targets   []release.Target // in the same order
}

// tampered is an error of evidence that is bad.
func tampered(hint, format string, args ...any) error {
	return &gobuild.Error{Kind: gobuild.KindTampered, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// load reads the manifest and the provenance and takes the recipes apart.
func load(c release.Container, verdict *release.Verdict) (*inputs, error) {
	if verdict == nil || verdict.Result != release.Pass {
		return nil, tampered("verify it first: rollproof release verify-package", "the package has not passed verification")
	}
	digest, ok := strings.CutPrefix(verdict.ManifestDigest, "sha256:")
	if !ok {
		return nil, tampered("verify it again", "the verdict names no manifest")
	}
	in := &inputs{container: c, digest: digest}
	data, err := in.read(release.ManifestFile, digest)
	if err != nil {
		return nil, err
	}
	if in.manifest, err = release.DecodeManifest(data); err != nil {
		return nil, tampered("", "%s: %s", release.ManifestFile, archive.Printable(err.Error()))
	}
	statement, err := in.readProvenance()
	if err != nil {
		return nil, err
	}
	definition := statement.Predicate.BuildDefinition
	in.dirty = definition.ExternalParameters.Dirty
	in.binaries = slices.SortedFunc(slices.Values(in.manifest.Binaries), func(a, b release.Binary) int { return strings.Compare(a.Path, b.Path) })
	return in, in.parse(definition.InternalParameters.Targets)
}

// parse gives each binary its target. A recipe without a binary is refused as well:
// nobody verified what it says.
func (in *inputs) parse(recipes []provenance.Recipe) error {
	byPath := map[string]provenance.Recipe{}
	for _, r := range recipes {
		if _, twice := byPath[r.Binary]; twice {
			return tampered("ask who signed the package", "%s: the provenance has two recipes", archive.Printable(r.Binary))
		}
		byPath[r.Binary] = r
	}
	id := in.manifest.Release
	for _, b := range in.binaries {
		recipe, ok := byPath[b.Path]
		if !ok {
			return tampered("ask who signed the package", "%s: the provenance has no recipe", b.Path)
		}
		target, err := gobuild.ParseRecipe(id.Module, id.Version, b, recipe)
		if err != nil {
			return err
		}
		if want := path.Join(id.Module, target.Main); want != b.Main {
			return tampered("ask who signed the package", "%s: the recipe builds %s, the manifest says %s",
				b.Path, archive.Printable(want), archive.Printable(b.Main))
		}
		in.targets = append(in.targets, target)
	}
	if len(byPath) != len(in.binaries) || len(in.binaries) == 0 {
		return tampered("ask who signed the package", "the provenance has %d recipes for %d binaries", len(byPath), len(in.binaries))
	}
	return nil
}

// artifact is what the manifest says of a file.
func (in *inputs) artifact(path string) (release.Artifact, error) {
	i := slices.IndexFunc(in.manifest.Files, func(f release.Artifact) bool { return f.Path == path })
	if i < 0 {
		return release.Artifact{}, tampered("verify it again", "%s is not in the manifest", path)
	}
	return in.manifest.Files[i], nil
}

func (in *inputs) readProvenance() (provenance.Statement, error) {
	if in.manifest.Imported() {
		return provenance.Statement{}, &gobuild.Error{Kind: gobuild.KindFailed, Msg: in.manifest.Release.Name(in.manifest.DryRun) + ": rollproof did not build these binaries, there is no recipe to repeat", Hint: "rebuild it with what built it"}
	}
	path := release.ProvenancePath(in.manifest.Release.Project, in.manifest.DryRun)
	file, err := in.artifact(path)
	if err != nil {
		return provenance.Statement{}, err
	}
	payload, err := in.read(path, file.SHA256)
	if err != nil {
		return provenance.Statement{}, err
	}
	if !in.manifest.DryRun {
		bundle, err := envelope.ParseBundle(payload)
		if err != nil {
			return provenance.Statement{}, tampered("verify it again", "%s: %s", path, archive.Printable(err.Error()))
		}
		payload = bundle.Payload
	}
	s, err := provenance.Read(payload)
	if err != nil {
		return s, tampered("verify it again", "%s: %s", path, archive.Printable(err.Error()))
	}
	return s, nil
}

// read returns the bytes of a document, which must have the given sha256.
func (in *inputs) read(path, sum string) ([]byte, error) {
	f, err := in.container.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxDocument || evidence.SHA256(data) != sum {
		return nil, changed(path)
	}
	return data, nil
}

func changed(path string) error {
	return tampered("verify it again", "%s has changed since the package was verified", path)
}

// copyOut copies a file of the package to a private directory and checks its digest
// before anybody reads the copy.
func (in *inputs) copyOut(ctx context.Context, path, dir string) (_ *os.File, size int64, err error) {
	file, err := in.artifact(path)
	if err != nil {
		return nil, 0, err
	}
	f, err := in.container.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	to, err := os.Create(filepath.Join(dir, filepath.Base(filepath.FromSlash(path))))
	if err != nil {
		return nil, 0, err
	}
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(to, sum), contextReader{ctx, io.LimitReader(f, file.Size+1)})
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != file.SHA256 {
		err = changed(path)
	}
	if err == nil {
		_, err = to.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, to.Close())
	}
	return to, size, nil
}

// A contextReader stops when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// tag is the tag that the release was built under. A dry run of an untagged commit
// is named after the commit.
func (in *inputs) tag() string {
	id := in.manifest.Release
	if in.manifest.DryRun && id.Version == "v0.0.0-"+id.Source.GitCommit[:12] {
		return ""
	}
	return id.Version
}
