package evidence

import (
	"fmt"
	"strings"
	"time"
)

// Schema identifiers of what is printed about a store.
const (
	SearchSchema = Namespace + "evidence-search/v1"
	RecordSchema = Namespace + "evidence-record/v1"
	VerifySchema = Namespace + "evidence-verify/v1"
	AddSchema    = Namespace + "evidence-add/v1"
	ActSchema    = Namespace + "act/v1"
)

// A RecordLine is a record as searches print it: without subjects and envelope.
type RecordLine struct {
	Index         int64       `json:"index"`
	ID            Digest      `json:"id"`
	Act           Digest      `json:"act"`
	Kind          Kind        `json:"kind"`
	StatementType string      `json:"statementType"`
	PredicateType string      `json:"predicateType"`
	Signer        SignedBy    `json:"signer"`
	Recorded      string      `json:"recorded"` // RFC 3339, UTC, milliseconds
	Claimed       string      `json:"claimed,omitempty"`
	Proved        string      `json:"proved,omitempty"`
	Seen          *Checkpoint `json:"seen,omitempty"`
	Facts         Facts       `json:"facts"`
	Illegal       string      `json:"illegal,omitempty"`
	Erased        *Erasure    `json:"erased,omitempty"`
	BlobsErased   *Erasure    `json:"blobsErased,omitempty"`
}

// Line returns what is printed of a record.
func (r Record) Line() RecordLine {
	return RecordLine{
		Index: r.Index, ID: r.ID, Act: r.Act, Kind: r.Kind, StatementType: r.StatementType, PredicateType: r.PredicateType, Signer: r.Signer,
		Recorded: Stamp(r.Recorded), Claimed: Stamp(r.Claimed), Proved: Stamp(r.Proved), Seen: r.Seen, Facts: r.Facts, Illegal: r.Illegal, Erased: r.Erased,
		BlobsErased: r.BlobsErased,
	}
}

// Stamp is a time of a record: RFC 3339 in UTC with milliseconds, "" for none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// A SearchDocument is a page.
type SearchDocument struct {
	Schema  string       `json:"schema"`
	Records []RecordLine `json:"records"`
	Next    string       `json:"next"` // cursor of the page after, "" on the last
}

// Document returns what is printed of a page.
func (p Page) Document() SearchDocument {
	d := SearchDocument{SearchSchema, []RecordLine{}, p.Next}
	for _, r := range p.Records {
		d.Records = append(d.Records, r.Line())
	}
	return d
}

// A RecordDocument is one record with everything that its envelope says.
type RecordDocument struct {
	Schema      string       `json:"schema"`
	Record      RecordLine   `json:"record"`
	Subjects    []Subject    `json:"subjects"`
	Blobs       []Blob       `json:"blobs"`
	Differences []Difference `json:"differences"` // between the envelope and what is stored
}

// A VerifyDocument is a report.
type VerifyDocument struct {
	Schema      string    `json:"schema"`
	Result      string    `json:"result"` // "pass" or "fail"
	Records     int       `json:"records"`
	Unverified  int       `json:"unverified"`
	Erased      int       `json:"erased"`
	BlobsErased int       `json:"blobsErased"`
	Blobs       int       `json:"blobs"`
	Problems    []Problem `json:"problems"`
	Notes       []string  `json:"notes"` // weakenings that were asked for
}

// Document returns what is printed of a report.
func (r Report) Document(notes []string) VerifyDocument {
	d := VerifyDocument{VerifySchema, "pass", r.Records, r.Unverified, r.Erased, r.BlobsErased, r.Blobs, append([]Problem{}, r.Problems...), append([]string{}, notes...)}
	if len(r.Problems) > 0 {
		d.Result = "fail"
	}
	return d
}

// An AddDocument says what became of each envelope. Where one is refused, none is
// recorded.
type AddDocument struct {
	Schema  string        `json:"schema"`
	Records []AddedLine   `json:"records"`
	Blobs   []Blob        `json:"blobs"`
	Refused []RefusedLine `json:"refused"`
}

// An AddedLine is an envelope that is recorded.
type AddedLine struct {
	Source string `json:"source"` // FILE, or FILE:LINE
	Index  int64  `json:"index"`
	ID     Digest `json:"id"`
	Act    Digest `json:"act"`
	Kind   Kind   `json:"kind"`
	New    bool   `json:"new"`
}

// A RefusedLine is an envelope that is not recorded, and why.
type RefusedLine struct {
	Source string `json:"source"`
	Fault  Fault  `json:"fault"`
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
}

// An ActDocument is an act that was recorded.
type ActDocument struct {
	Schema string     `json:"schema"`
	New    bool       `json:"new"` // false for one that was recorded before
	Record RecordLine `json:"record"`
	Files  []string   `json:"files"` // that were written
	Notes  []string   `json:"notes"`
}

// Document returns what is printed of an act that was recorded.
func (a Added) Document(files, notes []string) ActDocument {
	return ActDocument{ActSchema, a.New, a.Record.Line(), append([]string{}, files...), append([]string{}, notes...)}
}

// Document returns what is printed of a record that was derived again.
func (r Record) Document(blobs []Blob, differences []Difference) RecordDocument {
	return RecordDocument{
		RecordSchema, r.Line(), append([]Subject{}, r.Subjects...), append([]Blob{}, blobs...), append([]Difference{}, differences...),
	}
}

// Fields are the fields of a record with the names that people and CSV files see, in
// their order; text that came with a document is as it came.
func (l RecordLine) Fields() [][2]string {
	f := l.Facts
	seen := ""
	if l.Seen != nil {
		seen = fmt.Sprintf("%s %d %s", l.Seen.Origin, l.Seen.Size, l.Seen.Root)
	}
	return [][2]string{
		{"index", fmt.Sprint(l.Index)}, {"id", l.ID.String()}, {"act", l.Act.String()}, {"kind", string(l.Kind)},
		{"recorded", l.Recorded}, {"claimed", l.Claimed}, {"proved", l.Proved},
		{"person", l.Signer.Person}, {"role", string(l.Signer.Role)}, {"keyid", l.Signer.KeyID},
		{"issuer", l.Signer.Identity.Issuer}, {"identity", l.Signer.Identity.Subject},
		{"project", f.Project}, {"version", f.Version}, {"changeRecord", f.ChangeRecord}, {"environment", f.Environment},
		{"ring", f.Ring}, {"targetRing", f.TargetRing}, {"rolloutStatus", f.RolloutStatus}, {"approvalState", f.ApprovalState},
		{"executionStatus", f.ExecutionStatus}, {"rollout", f.Rollout}, {"request", f.Request}, {"approval", f.Approval}, {"execution", f.Execution},
		{"targets", strings.Join(f.DeploymentTargets, " ")}, {"illegal", l.Illegal},
		{"statementType", l.StatementType}, {"predicateType", l.PredicateType}, {"seen", seen},
	}
}
