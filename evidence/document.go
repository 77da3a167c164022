package evidence

import "time"

// Schema identifiers of what is printed about a store.
const (
	SearchSchema = Namespace + "evidence-search/v1"
	RecordSchema = Namespace + "evidence-record/v1"
	VerifySchema = Namespace + "evidence-verify/v1"
	AddSchema    = Namespace + "evidence-add/v1"
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
}

// Line returns what is printed of a record.
func (r Record) Line() RecordLine {
	return RecordLine{
		Index: r.Index, ID: r.ID, Act: r.Act, Kind: r.Kind, StatementType: r.StatementType, PredicateType: r.PredicateType, Signer: r.Signer,
		Recorded: Stamp(r.Recorded), Claimed: Stamp(r.Claimed), Proved: Stamp(r.Proved), Seen: r.Seen, Facts: r.Facts, Illegal: r.Illegal, Erased: r.Erased,
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
	Schema     string    `json:"schema"`
	Result     string    `json:"result"` // "pass" or "fail"
	Records    int       `json:"records"`
	Unverified int       `json:"unverified"`
	Erased     int       `json:"erased"`
	Blobs      int       `json:"blobs"`
	Problems   []Problem `json:"problems"`
	Notes      []string  `json:"notes"` // weakenings that were asked for
}

// Document returns what is printed of a report.
func (r Report) Document(notes []string) VerifyDocument {
	d := VerifyDocument{VerifySchema, "pass", r.Records, r.Unverified, r.Erased, r.Blobs, append([]Problem{}, r.Problems...), append([]string{}, notes...)}
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
