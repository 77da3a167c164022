package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/schemas"
)

// Options say what a verification trusts and asks for. The zero value trusts nothing.
type Options struct {
	// Trust returns what the recipient trusts. It is given the files of the export's
	// trust root by name, which may move a chain that was walked from the recipient's
	// pin forward ([trust.Chain.Extend]); they are the exporter's word.
	Trust func(files map[string][]byte) (trust.Authority, error)
	// Catalog is that of every store.
	Catalog evidence.Catalog
	// Checkpoint is one of the log that the recipient holds, as a signed note; nil
	// for none.
	Checkpoint []byte
	// RequireComplete fails an export that is not complete.
	RequireComplete bool
	// Erases reports whether a verified record is an order by which others are erased
	// that it names among its subjects. Without it no erased record passes a complete
	// export.
	Erases func(order evidence.Record) bool
	// Now is the recipient's clock, for the report's date alone.
	Now time.Time
}

// Verify runs every check on an export of size bytes and returns what it found: a
// report, whether it passes or not. The error is for what is no fact about the export:
// a cancelled context or an r that can't be read. Records, entries and blobs are
// streamed.
func Verify(ctx context.Context, r io.ReaderAt, size int64, o Options) (*Report, error) {
	v := &verification{ctx: ctx, options: o, report: newReport(o.Now), sums: map[string]File{}, counts: map[string]*count{}, types: map[string]*TypeCount{}}
	for _, id := range checkOrder {
		v.counts[id] = &count{}
	}
	if err := v.run(r, size); err != nil {
		return nil, err
	}
	v.conclude()
	return &v.report, nil
}

// A verification is one run of Verify.
type verification struct {
	ctx     context.Context
	options Options
	zip     *archive.Reader
	report  Report

	counts map[string]*count // of checks, by id

	paths     []string             // sorted
	sums      map[string]File      // every file that could be read
	index     *Index               // nil where it can't be read
	authority trust.Authority      // nil where nobody is trusted
	tree      *translog.Checkpoint // that the export says, nil where it says none
	entries   *entries             // nil where they are not there or do not make the tree
	types     map[string]*TypeCount
}

func (v *verification) run(r io.ReaderAt, size int64) error {
	zip, err := archive.NewReader(r, size)
	if bad := (*archive.Error)(nil); errors.As(err, &bad) {
		v.fail(checkContainer, "", "a zip in its one exact encoding", bad.Error(), "ask for the export again")
		return nil
	} else if err != nil {
		return err
	}
	v.zip = zip
	for _, step := range []func() error{
		v.checkContainer, v.checkIndex, v.checkClosedSet, v.checkTrust, v.checkSignature, v.checkCheckpoint, v.checkEntries, v.checkHeld, v.checkRecords,
	} {
		if err := errors.Join(v.ctx.Err(), step()); err != nil {
			return err
		}
	}
	return nil
}

// checkContainer reads every file once, with its CRC-32.
func (v *verification) checkContainer() error {
	for _, e := range v.zip.Entries() {
		v.paths = append(v.paths, e.Path)
		if e.Mode != 0o644 {
			v.fail(checkContainer, e.Path, "mode 0644", e.Mode.String(), "")
		}
		if err := v.sum(e.Path); err != nil {
			return err
		}
	}
	if v.sound(checkContainer) {
		v.pass(checkContainer, fmt.Sprintf("%d files", len(v.paths)))
	}
	return nil
}

func (v *verification) sum(path string) error {
	f, err := v.zip.Open(path)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(h, contextReader{v.ctx, f})
	if bad := (*archive.Error)(nil); errors.As(err, &bad) {
		v.fail(checkContainer, path, "data with the CRC-32 of its header", bad.Error(), "copy the export again")
		return nil
	} else if err != nil {
		return err
	}
	v.sums[path] = File{path, n, hex.EncodeToString(h.Sum(nil))}
	return nil
}

// A contextReader stops with its context: a file can have gigabytes.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// errMissing is returned for a file that the export should have.
var errMissing = errors.New("it is not there")

// read returns the bytes of a file that is there and no longer than limit.
func (v *verification) read(path string, limit int) ([]byte, error) {
	f, ok := v.sums[path]
	switch {
	case !ok:
		return nil, errMissing
	case f.Size > int64(limit):
		return nil, fmt.Errorf("%d bytes, expected at most %d", f.Size, limit)
	}
	file, err := v.zip.Open(path)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(file)
}

func (v *verification) checkIndex() error {
	data, err := v.read(indexFile, envelope.MaxDocument)
	if err != nil {
		v.fail(checkIndex, indexFile, "the index of an export", err.Error(), "")
		return nil
	}
	index, err := parseIndex(data)
	if err != nil {
		v.fail(checkIndex, indexFile, "the index of an export", err.Error(), "")
		return nil
	}
	v.index, v.report.Completeness, v.report.Query = &index, index.Completeness, &index.Query
	if top := v.zip.Top(); top != index.top() {
		v.fail(checkIndex, "", "the directory "+index.top(), top, "")
	}
	return nil
}

// checkClosedSet compares the files that are there with those that the index names,
// and those with what an export has.
func (v *verification) checkClosedSet() error {
	if v.index == nil {
		return nil
	}
	listed, last := map[string]bool{indexFile: true, bundleFile: true}, ""
	for _, f := range v.index.Files {
		if f.Path <= last {
			v.fail(checkClosedSet, f.Path, "files listed once and in order", "it follows "+last, "")
		}
		last, listed[f.Path] = f.Path, true
		v.checkFile(f)
	}
	for _, path := range v.paths {
		if !listed[path] {
			v.fail(checkClosedSet, path, "no such file", "it is there and the index does not name it", "believe only the report that you make yourself")
		}
	}
	v.checkShape(listed)
	if v.sound(checkClosedSet) {
		v.pass(checkClosedSet, "")
	}
	return nil
}

func (v *verification) checkFile(want File) {
	got, there := v.sums[want.Path]
	switch {
	case !there:
		v.fail(checkClosedSet, want.Path, fmt.Sprintf("%d bytes", want.Size), errMissing.Error(), "")
	case got != want:
		v.fail(checkClosedSet, want.Path, fmt.Sprintf("%d bytes, sha256 %s", want.Size, want.SHA256), fmt.Sprintf("%d bytes, sha256 %s", got.Size, got.SHA256), "")
	}
}

// checkShape compares the listed files with what an export of this sort has.
func (v *verification) checkShape(listed map[string]bool) {
	expected := map[string]bool{checkpointFile: true, recordsFile: true, indexFile: true, bundleFile: true}
	if v.index.Completeness.entries() && v.index.Size > maxEntries {
		v.fail(checkClosedSet, tileFolder, fmt.Sprintf("a tree of at most %d entries", int64(maxEntries)), fmt.Sprintf("size %d", v.index.Size), "")
	} else if v.index.Completeness.entries() {
		for path := range translog.TilePaths(v.index.Size) {
			expected[path] = true
		}
	}
	for path := range expected {
		if !listed[path] {
			v.fail(checkClosedSet, path, "a file of an export", "the index does not name it", "")
		}
	}
	for path := range listed {
		known := expected[path] || path == consistencyFile || strings.HasPrefix(path, trustFolder) || isBlob(path) && v.index.Blobs
		if !known {
			v.fail(checkClosedSet, path, "only files of an export", "the index names it", "believe only the report that you make yourself")
		}
	}
}

// maxTrust is how many bytes of trust files are read.
const maxTrust = 16 << 20

// checkTrust asks the recipient whom he trusts.
func (v *verification) checkTrust() error {
	if v.options.Trust == nil {
		v.fail(checkTrust, "", "a trust root from outside the export", "none was given", "give --pin, received on another way than the export")
		return nil
	}
	files, err := v.trustFiles()
	if err != nil {
		v.fail(checkTrust, "", fmt.Sprintf("at most %d bytes of trust files", maxTrust), err.Error(), "")
		return nil
	}
	authority, err := v.options.Trust(files)
	if err != nil || authority == nil {
		v.failTrust(err)
		return nil
	}
	v.authority, v.report.Trust = authority, trustUsed(authority.Facts())
	v.report.Notes = append(v.report.Notes, authority.Facts().Notes...)
	v.pass(checkTrust, "")
	v.checkCurrent(authority.Facts())
	return nil
}

// trustFiles are the export's, by name.
func (v *verification) trustFiles() (map[string][]byte, error) {
	files, left := map[string][]byte{}, maxTrust
	for _, path := range v.paths {
		name, ok := strings.CutPrefix(path, trustFolder)
		if !ok {
			continue
		}
		data, err := v.read(path, left)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		files[name], left = data, left-len(data)
	}
	return files, nil
}

func (v *verification) failTrust(err error) {
	hint, actual := "compare the pin with the one that the root's owners gave", "nobody is trusted"
	if bad := (*trust.Error)(nil); errors.As(err, &bad) {
		hint = bad.Hint
	}
	if err != nil {
		actual = err.Error()
	}
	v.fail(checkTrust, "trust", "a trust root that is walked from the recipient's pin", actual, hint)
}

func (v *verification) checkCurrent(f trust.Facts) {
	const expected = "a trust root that is current"
	switch f.Current {
	case trust.Granted:
		v.pass(checkCurrent, "")
	case trust.Unproved:
		v.unchecked(checkCurrent, "", expected, f.CurrentReason, f.CurrentHint)
	default:
		v.fail(checkCurrent, "", expected, f.CurrentReason, f.CurrentHint)
	}
}

// maxBundle is the size of the largest bundle of an export, in bytes: what a signer
// takes, in base64, and room for the signature.
const maxBundle = 2 * envelope.MaxSigned

func (v *verification) checkSignature() error {
	data, err := v.read(bundleFile, maxBundle)
	if err != nil {
		v.fail(checkSignature, bundleFile, "the auditor's signature", err.Error(), "")
		return nil
	}
	bundle, err := envelope.ParseBundle(data)
	var statement evidence.Statement[Predicate]
	if err == nil && bundle.PayloadType != evidence.PayloadType {
		err = &evidence.TypeError{Field: "payloadType", Got: bundle.PayloadType, Want: evidence.PayloadType}
	}
	if err == nil {
		statement, err = evidence.DecodeStatement[Predicate](bundle.Payload, PredicateType)
	}
	if err == nil {
		err = schemas.ValidateStatement(bundle.Payload)
	}
	if err != nil {
		v.fail(checkSignature, bundleFile, "a signed statement of an export", err.Error(), "")
		return nil
	}
	v.checkStatement(statement)
	v.checkSigner(bundle, data, statement.Predicate)
	if v.index != nil && v.sound(checkIndex) {
		v.pass(checkIndex, "")
	}
	return nil
}

// checkStatement compares the statement with the index, and its trust version with
// the trust files.
func (v *verification) checkStatement(s evidence.Statement[Predicate]) {
	want := evidence.FileSubject(indexFile, v.sums[indexFile].SHA256)
	if len(s.Subject) != 1 || s.Subject[0].Name != want.Name || !maps.Equal(s.Subject[0].Digest, want.Digest) {
		v.fail(checkIndex, indexFile, fmt.Sprintf("the statement's subjects %+q", s.Subject), fmt.Sprintf("%+q", want), "somebody changed the index after it was signed")
	}
	t := s.Predicate.Trust
	if v.sums[trustFolder+trust.FileName(t.Version)].SHA256 != strings.TrimPrefix(t.Digest, "sha256:") {
		v.fail(checkIndex, trustFolder, fmt.Sprintf("trust version %d with the digest %s, which the statement names", t.Version, t.Digest), "another file, or none", "")
	}
	if used := v.report.Trust; used.Version == t.Version && used.Digest != t.Digest {
		v.fail(checkTrust, trustFolder, fmt.Sprintf("version %d with the digest %s", used.Version, used.Digest), t.Digest, "somebody signed one version twice: ask the root's owners")
	}
	if v.index == nil {
		return
	}
	signed, err := envelope.Encode(s.Predicate)
	listed, err2 := envelope.Encode(v.index.predicate(s.Predicate.Actor, s.Predicate.Trust))
	if err != nil || err2 != nil || !bytes.Equal(signed, listed) {
		v.fail(checkIndex, indexFile, "the statement's origin, size, root, query and completeness", "others", "")
	}
}

func (v *verification) checkSigner(b envelope.Bundle, data []byte, p Predicate) {
	if v.authority == nil {
		return
	}
	const expected = "a signature by an auditor"
	use := trust.Use{KeyID: b.KeyID, PredicateType: PredicateType, Statement: evidence.DigestOf(b.Payload), Envelope: evidence.DigestOf(data)}
	ruling, refused := rule(v.authority, use, p.Query, p.Completeness)
	key, known := v.authority.Key(b.KeyID)
	switch {
	case known && b.Verify(key) != nil:
		v.fail(checkSignature, bundleFile, expected, "the signature is not by "+b.KeyID, "")
	case ruling.Outcome == trust.Unproved:
		v.unchecked(checkSignature, bundleFile, expected, ruling.Reason, ruling.Hint)
	case refused || !known:
		v.fail(checkSignature, bundleFile, expected, ruling.Reason, ruling.Hint)
	case p.Actor != Actor{b.KeyID, ruling.Signer.Person}:
		v.fail(checkSignature, bundleFile, fmt.Sprintf("signed by %s of %s, whom it names", p.Actor.KeyID, p.Actor.Person), fmt.Sprintf("%s of %s", b.KeyID, ruling.Signer.Person), "")
	default:
		v.report.Exporter = ruling.Signer.Name + " (" + ruling.Signer.Person + ")"
		v.report.Notes = append(v.report.Notes, ruling.Notes...)
		v.pass(checkSignature, "")
	}
}
