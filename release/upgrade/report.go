package upgrade

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/schemas"
)

// ReportSchema identifies the document.
const ReportSchema = evidence.Namespace + "upgrade/v1"

// Limits in bytes of a finding's texts, which may come from a hostile package.
const (
	maxValue = 1000
	maxText  = 4000
)

// A Report says how two releases differ. It is the document that is printed.
type Report struct {
	Schema   string        `json:"schema"`
	Result   string        `json:"result"` // "pass" or "fail"
	Old      Side          `json:"old"`
	New      Side          `json:"new"`
	Failed   int           `json:"failed"`
	Warned   int           `json:"warned"`
	Noted    int           `json:"noted"`
	Rules    []ChangedRule `json:"rules"`    // that differ from the defaults
	Sizes    []Size        `json:"sizes"`    // of the binaries that both releases have
	Findings []Finding     `json:"findings"` // fail before warn before info
}

// A Side is one of the two releases.
type Side struct {
	Project        string   `json:"project"`
	Version        string   `json:"version"`
	Module         string   `json:"module"`
	Source         string   `json:"source"` // URI
	Commit         string   `json:"commit"`
	CommitTime     string   `json:"commitTime"` // the committer's claim
	DryRun         bool     `json:"dryRun"`
	Toolchain      string   `json:"toolchain"`
	License        string   `json:"license"`
	ManifestDigest string   `json:"manifestDigest"`
	Signers        []string `json:"signers"`
}

// A Size compares one binary.
type Size struct {
	Binary  string  `json:"binary"` // "age linux/amd64"
	Old     int64   `json:"old"`    // bytes
	New     int64   `json:"new"`    // bytes
	Percent float64 `json:"percent"`
}

// A Finding is one difference.
type Finding struct {
	ID       string   `json:"id"`
	Subject  string   `json:"subject"`
	Severity Severity `json:"severity"`
	Old      string   `json:"old"` // "" where there was nothing
	New      string   `json:"new"`
	Binaries []string `json:"binaries"` // that it holds for; none for all of them, or the release
	Text     string   `json:"text"`     // one sentence
}

func newSide(f Facts) Side {
	s := f.Release.Source
	return Side{
		Project: f.Release.Project, Version: f.Release.Version, Module: f.Release.Module,
		Source: s.URI, Commit: s.GitCommit, CommitTime: s.CommitTime, DryRun: f.DryRun,
		Toolchain: f.Toolchain, License: f.License, ManifestDigest: f.ManifestDigest, Signers: append([]string{}, f.Signers...),
	}
}

// add records a finding unless its rule is off. One that was found for another binary
// already is given this binary as well.
func (c *comparison) add(id, subject, old, now, binary, text string) {
	severity := c.rules.severity(id)
	if severity == Off {
		return
	}
	f := Finding{ID: id, Subject: plain(subject, maxValue), Severity: severity, Old: plain(old, maxValue), New: plain(now, maxValue), Binaries: []string{}, Text: plain(text, maxText)}
	key := strings.Join([]string{id, subject, old, now, text}, "\x00")
	at, known := c.index[key]
	if !known {
		at = len(c.report.Findings)
		c.index[key] = at
		c.report.Findings = append(c.report.Findings, f)
	}
	if binary != "" {
		c.report.Findings[at].Binaries = append(c.report.Findings[at].Binaries, plain(binary, maxValue))
	}
}

// plain makes text of a document printable and bounds it.
func plain(text string, limit int) string {
	text = archive.Printable(text)
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// conclude sorts, counts and draws the result.
func (c *comparison) conclude() {
	order := map[string]int{}
	for i, r := range ruleList {
		order[r.ID] = i
	}
	r := &c.report
	for i := range r.Findings {
		if f := &r.Findings[i]; c.isAll(f.Binaries) {
			f.Binaries = []string{}
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(
			slices.Index(severities, a.Severity)-slices.Index(severities, b.Severity),
			order[a.ID]-order[b.ID], strings.Compare(a.Subject, b.Subject),
			strings.Compare(a.Old, b.Old), strings.Compare(a.New, b.New))
	})
	r.Result = "pass"
	for _, f := range r.Findings {
		switch f.Severity {
		case Fail:
			r.Failed++
			r.Result = "fail"
		case Warn:
			r.Warned++
		default:
			r.Noted++
		}
	}
}

// isAll reports whether binaries are all those that both releases have.
func (c *comparison) isAll(binaries []string) bool {
	return slices.EqualFunc(c.common, binaries, func(p pair, key string) bool { return p.now.Key() == key })
}

// Encode returns the report's exact bytes, and refuses to write what its schema does
// not allow.
func (r *Report) Encode() ([]byte, error) {
	data, err := envelope.Encode(r)
	if err != nil {
		return nil, err
	}
	return data, schemas.Validate(ReportSchema, data)
}
