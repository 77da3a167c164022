package service

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
)

// Words for the integrity of what belongs to a record.
const (
	IntegrityVerified   = "verified"
	IntegrityIncomplete = "incomplete" // something is not in the store
	IntegrityFailed     = "failed"
)

// Artifacts are the files that a record is about.
type Artifacts struct {
	Record    evidence.RecordLine `json:"record"`
	Integrity string              `json:"integrity" enum:"verified,incomplete,failed"`
	Problems  []string            `json:"problems"`
	// Readiness says whether the rollout may enter the next ring; null where the record
	// is no rollout that counts.
	Readiness *rollout.Readiness `json:"readiness"`
	Artifacts []Artifact         `json:"artifacts"`
	Bundle    bool               `json:"bundle"` // everything is stored: there is a bundle
}

// An Artifact is one file.
type Artifact struct {
	Name      string `json:"name"`
	Digest    string `json:"digest"` // sha256:…; another algorithm's where there is none
	Size      int64  `json:"size"`   // bytes, 0 for one that is not stored
	MediaType string `json:"mediaType"`
	Stored    bool   `json:"stored"`
}

// Artifacts lists the files of a record and hashes those that are stored.
func (l *Local) Artifacts(ctx context.Context, id string) (Artifacts, error) {
	index, err := l.find(ctx, id)
	if err != nil {
		return Artifacts{}, err
	}
	record, err := l.derived(ctx, index)
	if err != nil {
		return Artifacts{}, err
	}
	blobs, err := l.options.Store.Blobs(ctx, index)
	if err != nil {
		return Artifacts{}, err
	}
	doc := Artifacts{Record: record.Line(), Integrity: IntegrityVerified, Problems: []string{}, Artifacts: []Artifact{}}
	for _, s := range record.Subjects {
		a := artifact(s, blobs)
		if !a.Stored {
			doc.Integrity = IntegrityIncomplete
		}
		doc.Artifacts = append(doc.Artifacts, a)
	}
	doc.Bundle = doc.Integrity == IntegrityVerified && len(doc.Artifacts) > 0
	report, err := l.Verify(ctx, record.ID.String())
	if err != nil {
		return doc, err
	}
	for _, p := range report.Problems {
		doc.Problems = append(doc.Problems, p.String())
	}
	if err := l.packageOf(ctx, record, &doc); err != nil {
		return doc, err
	}
	if len(doc.Problems) > 0 {
		doc.Integrity, doc.Bundle = IntegrityFailed, false
	}
	return doc, nil
}

// derived is a record as its envelope says it, whoever differs.
func (l *Local) derived(ctx context.Context, index int64) (evidence.Record, error) {
	record, _, err := evidence.Intake{Catalog: l.options.Catalog}.Rederive(ctx, l.options.Store, index)
	return record, err
}

func artifact(s evidence.Subject, blobs []evidence.Blob) Artifact {
	a := Artifact{Name: s.Name, MediaType: mediaType(s.Name)}
	d, err := evidence.ParseDigest(s.Digest["sha256"])
	if err != nil {
		for _, algorithm := range sortedKeys(s.Digest) {
			a.Digest = algorithm + ":" + s.Digest[algorithm]
			return a
		}
		return a
	}
	a.Digest = d.String()
	if i := slices.IndexFunc(blobs, func(b evidence.Blob) bool { return b.Digest == d }); i >= 0 {
		a.Size, a.Stored = blobs[i].Size, true
	}
	return a
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// packageOf adds what the package's verification and the rollout's readiness say.
func (l *Local) packageOf(ctx context.Context, record evidence.Record, doc *Artifacts) error {
	switch record.Kind {
	case evidence.KindReleasePackage:
		verdict, err := l.releaseVerdict(ctx, record)
		var failure *Failure
		if errors.As(err, &failure) && failure.Missing {
			doc.Integrity = IntegrityIncomplete
			return nil
		}
		if err != nil {
			return err
		}
		doc.Problems = append(doc.Problems, failures(verdict)...)
	case evidence.KindRollout:
		readiness, err := l.readiness(ctx, record.Project, record.Rollout)
		var failure *Failure
		if errors.As(err, &failure) {
			doc.Problems = append(doc.Problems, failure.Message)
			return nil
		}
		if err != nil {
			return err
		}
		doc.Readiness = &readiness
	}
	return nil
}

func failures(v *release.Verdict) []string {
	var list []string
	for _, c := range v.Checks {
		if c.Result == release.Fail || c.Result == release.NotChecked && c.Required {
			list = append(list, fmt.Sprintf("%s %s: %s", c.ID, c.Subject, c.Actual))
		}
	}
	return list
}

// mediaTypes are those of names with an ending; everything else is bytes.
var mediaTypes = []struct{ suffix, mediaType string }{
	{".sigstore.json", "application/vnd.dev.sigstore.bundle.v0.3+json"},
	{".spdx.json", "application/spdx+json"},
	{".cdx.json", "application/vnd.cyclonedx+json"},
	{".intoto.jsonl", "application/vnd.in-toto+json"},
	{".json", "application/json"},
	{".jsonl", "application/jsonl"},
	{".md", "text/markdown; charset=utf-8"},
	{".txt", "text/plain; charset=utf-8"},
	{".ids", "text/plain; charset=utf-8"},
	{".zip", "application/zip"},
}

func mediaType(name string) string {
	for _, m := range mediaTypes {
		if strings.HasSuffix(name, m.suffix) {
			return m.mediaType
		}
	}
	return "application/octet-stream"
}

// OpenArtifact opens a file of a record. Its name, or its digest, is looked up among
// the subjects of the record's envelope.
func (l *Local) OpenArtifact(ctx context.Context, id, name string) (*Content, error) {
	index, err := l.find(ctx, id)
	if err != nil {
		return nil, err
	}
	record, err := l.derived(ctx, index)
	if err != nil {
		return nil, err
	}
	blobs, err := l.options.Store.Blobs(ctx, index)
	if err != nil {
		return nil, err
	}
	for _, s := range record.Subjects {
		a := artifact(s, blobs)
		if a.Name != name && a.Digest != name {
			continue
		}
		if !a.Stored {
			return nil, missing(archive.Printable(name)+" is not in the store", "rollproof evidence add --blob FILE keeps it")
		}
		d, err := evidence.ParseDigest(a.Digest)
		if err != nil {
			return nil, err
		}
		return l.openBlob(ctx, evidence.Blob{Digest: d, Size: a.Size}, path.Base(a.Name), a.MediaType)
	}
	return nil, missing("the record has no artifact "+archive.Printable(name), "its list of artifacts names them")
}

// openBlob copies a stored file and hashes it.
func (l *Local) openBlob(ctx context.Context, b evidence.Blob, name, mediaType string) (*Content, error) {
	f, err := l.options.Store.OpenBlob(ctx, b.Digest)
	if isNotExist(err) {
		return nil, &Failure{Code: CodeEvidence, Message: "blob " + b.Digest.String() + " is gone from the store", Hint: "rollproof evidence verify --all names each place"}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Spool(ctx, f, b, name, mediaType)
}
