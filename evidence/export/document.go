package export

import (
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/schemas"
)

// Identifiers of the statement and of the documents.
const (
	PredicateType = evidence.Namespace + "export/v1"
	IndexSchema   = evidence.Namespace + "export-index/v1"
	ReportSchema  = evidence.Namespace + "export-verify/v1"
)

// Paths of an export.
const (
	checkpointFile  = "checkpoint"
	consistencyFile = "consistency"
	recordsFile     = "records.jsonl"
	indexFile       = "index.json"
	bundleFile      = "export.sigstore.json"
	trustFolder     = "trust/"
	tileFolder      = "tile/"
	entriesFolder   = "tile/entries/"
	blobFolder      = "blobs/sha256/"
)

// Completeness says how much of the tree an export holds.
type Completeness string

// The three, each more than the one before it.
const (
	Matching Completeness = "matching"
	Labels   Completeness = "labels"
	Complete Completeness = "complete"
)

// entries reports whether the export has every entry of the log.
func (c Completeness) entries() bool { return c == Labels || c == Complete }

// An Index says what an export is and what files it has.
type Index struct {
	Schema       string          `json:"schema"`
	Origin       string          `json:"origin"` // of the log
	Size         int64           `json:"size"`   // of its tree
	Root         evidence.Digest `json:"root"`
	Query        evidence.Query  `json:"query"`
	Completeness Completeness    `json:"completeness"`
	Blobs        bool            `json:"blobs"` // the files of its records, as far as the store had them
	Counts       Counts          `json:"counts"`
	Files        []File          `json:"files"` // all but index.json and its bundle, by path
}

// Counts are those of the index.
type Counts struct {
	Records int64 `json:"records"` // lines of records.jsonl
	Erased  int64 `json:"erased"`  // of them: without envelope
	Blobs   int64 `json:"blobs"`   // files
}

// A File is one of an export.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex
}

// A Predicate is what the auditor signs about an index.
type Predicate struct {
	Actor        Actor           `json:"actor"`
	Trust        TrustVersion    `json:"trust"`
	Origin       string          `json:"origin"`
	Size         int64           `json:"size"`
	Root         evidence.Digest `json:"root"`
	Query        evidence.Query  `json:"query"`
	Completeness Completeness    `json:"completeness"`
}

// predicate is what is signed about the index.
func (i Index) predicate(by Actor, t TrustVersion) Predicate {
	return Predicate{by, t, i.Origin, i.Size, i.Root, i.Query, i.Completeness}
}

// An Actor is whom the statement names as its signer.
type Actor struct {
	KeyID  string `json:"keyid"`
	Person string `json:"person"` // id in the trust root
}

// A TrustVersion is the version of the trust root that the exporter used.
type TrustVersion struct {
	Version int    `json:"version"`
	Digest  string `json:"digest"` // of N.trust.json, "sha256:…"
}

// top is the name of the directory that all files lie in.
func (i Index) top() string { return fmt.Sprintf("audit-%d-%x", i.Size, i.Root[:4]) }

// tree is the checkpoint that the index names.
func (i Index) tree() translog.Checkpoint {
	return translog.Checkpoint{Origin: i.Origin, Tree: translog.Tree{Size: i.Size, Root: translog.Hash(i.Root)}}
}

// parseIndex reads the exact bytes of an index.
func parseIndex(data []byte) (Index, error) {
	var i Index
	if err := envelope.Decode(data, &i); err != nil {
		return i, err
	}
	if err := schemas.Validate(IndexSchema, data); err != nil {
		return i, err
	}
	_, err := checkedQuery(i.Query)
	return i, err
}

// checkedQuery returns the query of an export, or a [*evidence.QueryError] for one
// that its recipient could not decide.
func checkedQuery(q evidence.Query) (evidence.Query, error) {
	switch {
	case q.Text != "":
		return q, &evidence.QueryError{Field: "text", Problem: "an export can't be filtered by words: its recipient could not tell which records fit",
			Hint: "filter by facts, or export every record and search there"}
	case q.Illegal:
		return q, &evidence.QueryError{Field: "illegal", Problem: "an export can't be filtered by what counted: one envelope does not say it",
			Hint: "export every record, so that its recipient can judge them"}
	case q.Limit != 0 || q.Cursor != "":
		return q, &evidence.QueryError{Field: "limit", Problem: "an export has no pages", Hint: "leave out limit and cursor"}
	}
	q, err := q.Checked()
	q.Order, q.Limit = evidence.OldestFirst, 0
	q.Since, q.Until = q.Since.UTC(), q.Until.UTC()
	return q, err
}

// isBlob reports whether a path is that of a blob.
func isBlob(path string) bool {
	name, ok := strings.CutPrefix(path, blobFolder)
	if !ok {
		return false
	}
	_, err := evidence.ParseDigest("sha256:" + name)
	return err == nil
}
