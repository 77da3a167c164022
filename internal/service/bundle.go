package service

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// OpenBundle opens all files of a record as one zip (package archive: one exact
// encoding). The zip of a release is the package's own, byte for byte. Any other one
// holds the envelope as record.sigstore.json below a directory that is called after
// the act, and each artifact below artifacts/, by its name, or by its digest where the
// names cannot stand in one zip.
func (l *Local) OpenBundle(ctx context.Context, id string) (*Content, error) {
	index, err := l.find(ctx, id)
	if err != nil {
		return nil, err
	}
	record, err := l.derived(ctx, index)
	if err != nil {
		return nil, err
	}
	if record.Kind == evidence.KindReleasePackage {
		return l.packageZip(ctx, record)
	}
	files, err := l.bundled(ctx, record)
	if err != nil {
		return nil, err
	}
	top := string(record.Kind) + "-" + record.Act.Hex()[:12]
	return l.zip(ctx, top, files)
}

// A member is a file of a bundle: bytes at hand, or stored.
type member struct {
	path string
	data []byte
	blob evidence.Blob
	mode fs.FileMode // 0 for 0644
}

// bundled lists the files of a record that is no release.
func (l *Local) bundled(ctx context.Context, record evidence.Record) ([]member, error) {
	blobs, err := l.options.Store.Blobs(ctx, record.Index)
	if err != nil {
		return nil, err
	}
	files := []member{{path: "record.sigstore.json", data: record.Envelope}}
	var stored []Artifact
	names := []string{}
	for _, s := range record.Subjects {
		if a := artifact(s, blobs); a.Stored {
			stored, names = append(stored, a), append(names, "artifacts/"+a.Name)
		}
	}
	if len(stored) == 0 {
		return nil, missing("the store has no file of this record", "its envelope is all there is of it")
	}
	byDigest := archive.CheckSet(names) != nil
	seen := map[string]bool{}
	for i, a := range stored {
		d, err := evidence.ParseDigest(a.Digest)
		if err != nil {
			return nil, err
		}
		path := names[i]
		if byDigest {
			path = "artifacts/" + d.Hex()
		}
		if !seen[path] {
			seen[path] = true
			files = append(files, member{path: path, blob: evidence.Blob{Digest: d, Size: a.Size}})
		}
	}
	return files, nil
}

// packageZip is the package's own zip.
func (l *Local) packageZip(ctx context.Context, record evidence.Record) (*Content, error) {
	desk, err := l.desk()
	if err != nil {
		return nil, err
	}
	manifest, ok := manifestOf(record)
	if !ok {
		return nil, missing("the record names no "+release.ManifestFile, "")
	}
	container, err := desk.StoredPackage(ctx, l.options.Store, manifest)
	if err != nil {
		return nil, err
	}
	if problems := container.Problems(); len(problems) > 0 {
		return nil, missing("the package is not whole in the store: "+problems[0], "rollproof release verify-rollout DIR --package PKG keeps its files")
	}
	digests := map[string]evidence.Digest{}
	for _, s := range record.Subjects {
		if digests[s.Name], err = evidence.ParseDigest(s.Digest["sha256"]); err != nil {
			return nil, err
		}
	}
	binaries, err := binariesOf(container)
	if err != nil {
		return nil, err
	}
	var files []member
	for _, e := range container.Entries() {
		m := member{path: e.Path, blob: evidence.Blob{Digest: digests[e.Path], Size: e.Size}}
		if binaries[e.Path] {
			m.mode = 0o755
		}
		if m.blob.Digest.IsZero() { // a closing bundle, which names itself nowhere
			if err := readFiles(container, map[string]*[]byte{e.Path: &m.data}); err != nil {
				return nil, err
			}
		}
		files = append(files, m)
	}
	return l.zip(ctx, record.Project+"-"+record.Version, files)
}

// manifestOf is the digest of the manifest of a release's record.
func manifestOf(record evidence.Record) (evidence.Digest, bool) {
	for _, s := range record.Subjects {
		if s.Name == release.ManifestFile {
			d, err := evidence.ParseDigest(s.Digest["sha256"])
			return d, err == nil
		}
	}
	return evidence.Digest{}, false
}

// binariesOf lists the files of a package that are executable.
func binariesOf(c release.Container) (map[string]bool, error) {
	var data []byte
	if err := readFiles(c, map[string]*[]byte{release.ManifestFile: &data}); err != nil {
		return nil, err
	}
	m, err := release.DecodeManifest(data)
	if err != nil {
		return nil, &Failure{Code: CodeEvidence, Message: release.ManifestFile + ": " + err.Error(), Hint: "the stored file was changed: rollproof evidence verify --all names each place"}
	}
	list := map[string]bool{}
	for _, b := range m.Binaries {
		list[b.Path] = true
	}
	return list, nil
}

// zip writes files into a private copy. Each stored file is copied and hashed first, and
// it is that copy which goes into the zip.
func (l *Local) zip(ctx context.Context, top string, files []member) (*Content, error) {
	copies, err := newSpool()
	if err != nil {
		return nil, err
	}
	defer copies.file.Close()
	var entries []archive.Entry
	starts := map[string]int64{}
	for _, m := range files {
		starts[m.path] = copies.size
		entry, err := l.copyMember(ctx, copies, m)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	out, err := newSpool()
	if err != nil {
		return nil, err
	}
	err = archive.Write(out, top, entries, func(e archive.Entry) (io.ReadCloser, error) {
		return io.NopCloser(reading{ctx, io.NewSectionReader(copies.file, starts[e.Path], e.Size)}), nil
	})
	if err != nil {
		return nil, errors.Join(err, out.file.Close())
	}
	return out.content(top+".zip", "application/zip")
}

// copyMember copies a file behind the others.
func (l *Local) copyMember(ctx context.Context, to *spool, m member) (archive.Entry, error) {
	e := archive.Entry{Path: m.path, Size: m.blob.Size, Mode: 0o644}
	if m.mode != 0 {
		e.Mode = m.mode
	}
	var from io.Reader = bytes.NewReader(m.data)
	if m.data != nil {
		e.Size = int64(len(m.data))
	} else {
		c, err := l.openBlob(ctx, m.blob, m.path, "")
		if err != nil {
			return e, err
		}
		defer c.Close()
		from = c
	}
	sum := crc32.NewIEEE()
	if _, err := io.Copy(io.MultiWriter(to, sum), from); err != nil {
		return e, err
	}
	e.CRC32 = sum.Sum32()
	return e, nil
}
