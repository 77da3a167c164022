package export

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
)

// A Result is the outcome of a check. The zero value is none of the three and never
// counts.
type Result string

// The three results. NotChecked is never counted as Pass.
const (
	Pass       Result = "pass"
	Fail       Result = "fail"
	NotChecked Result = "not-checked"
)

// A Check is one named test of a report.
type Check struct {
	ID       string `json:"id"`
	Subject  string `json:"subject,omitempty"` // the file or record that it is about
	Result   Result `json:"result"`
	Required bool   `json:"required"` // a report passes only if each required check does
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
	Hint     string `json:"hint,omitempty"` // the next step
}

// The checks, in the order of a report.
const (
	checkContainer    = "container"        // the zip is in its one exact encoding
	checkIndex        = "index"            // index.json is exact, and what the statement says
	checkClosedSet    = "closed-set"       // the files are those of the index, byte for byte
	checkTrust        = "trust"            // a trust root from outside, which the export's agrees with
	checkCurrent      = "trust-current"    // the trust root is current
	checkSignature    = "signature"        // of an auditor, over the index
	checkCheckpoint   = "checkpoint"       // by the log's key, and the one of the index
	checkHeld         = "held-checkpoint"  // the tree is the recipient's, or grew from it
	checkEntries      = "entries"          // every entry of the log is there and makes the tree
	checkRecords      = "records"          // lines in exact encoding and in order
	checkInclusion    = "inclusion"        // each record stands in the tree at its index
	checkRecordSigned = "record-signature" // each record's signature and right
	checkFilter       = "filter"           // each record that is shown fits the query
	checkCompleteness = "completeness"     // every record of the tree is there
	checkBlobs        = "blobs"            // files of the records
	unreached         = "an earlier check failed"
)

var checkOrder = []string{
	checkContainer, checkIndex, checkClosedSet, checkTrust, checkCurrent, checkSignature, checkCheckpoint, checkHeld,
	checkEntries, checkRecords, checkInclusion, checkRecordSigned, checkFilter, checkCompleteness, checkBlobs,
}

// Limits of a report. What lies behind them is counted, and checked like the rest.
const (
	maxSameCheck = 200    // checks of one id that did not pass
	maxShown     = 10_000 // records
	maxTypes     = 1000   // predicate types
)

// A TrustUsed says what a report trusted. It can't say that nothing newer exists.
type TrustUsed struct {
	Mode    string `json:"mode"` // "none", "key" or "root"
	Pin     string `json:"pin,omitempty"`
	Version int    `json:"version,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Issued  string `json:"issued,omitempty"` // claimed by its signers, RFC 3339
	Expires string `json:"expires,omitempty"`
	AgeDays int    `json:"ageDays,omitempty"` // since issued
}

// A RecordResult is a record that the export shows: one that fits the query, that is
// erased, or that a check failed on.
type RecordResult struct {
	Index         int64             `json:"index"`
	Result        Result            `json:"result"`
	Reason        string            `json:"reason,omitempty"` // why it is not pass
	ID            evidence.Digest   `json:"id"`               // of the envelope
	Act           evidence.Digest   `json:"act"`              // of the statement
	PredicateType string            `json:"predicateType"`
	Kind          evidence.Kind     `json:"kind,omitempty"`
	Signer        evidence.SignedBy `json:"signer"`   // as the recipient's trust root says
	Recorded      string            `json:"recorded"` // as the store says
	Claimed       string            `json:"claimed,omitempty"`
	Facts         evidence.Facts    `json:"facts"`
}

// A TypeCount says how many acts of a predicate type the tree has, and how many of
// them are in the export.
type TypeCount struct {
	PredicateType string `json:"predicateType"` // "" for all that are not listed
	Tree          int64  `json:"tree"`
	Export        int64  `json:"export"`
}

// Tally counts the records of an export.
type Tally struct {
	Records    int64 `json:"records"`    // lines
	Verified   int64 `json:"verified"`   // in the tree, with a signature that counts
	Unverified int64 `json:"unverified"` // recorded without one
	Erased     int64 `json:"erased"`     // without their bytes
	Matching   int64 `json:"matching"`   // verified or unverified ones that fit the query
	Blobs      int64 `json:"blobs"`
}

// A Report is what [Verify] found. Text, JSON and [Report.HTML] show this one value.
type Report struct {
	Schema       string               `json:"schema"`
	Result       Result               `json:"result"`   // pass or fail
	Verified     string               `json:"verified"` // when, by the recipient's clock, RFC 3339
	Tree         *evidence.Checkpoint `json:"tree"`     // null where it is not known
	Query        *evidence.Query      `json:"query"`
	Completeness Completeness         `json:"completeness"` // "" where it is not known
	Exporter     string               `json:"exporter"`     // who signed, as the trust root names him
	Trust        TrustUsed            `json:"trust"`
	Tally        Tally                `json:"tally"`
	Types        []TypeCount          `json:"types"`   // empty without entries
	Records      []RecordResult       `json:"records"` // at most 10,000
	Unlisted     int64                `json:"unlisted"`
	Notes        []string             `json:"notes"` // what must be known although checks pass
	Passed       int                  `json:"passed"`
	Failed       int                  `json:"failed"`
	NotChecked   int                  `json:"notChecked"`
	Checks       []Check              `json:"checks"`
}

func newReport(now time.Time) Report {
	return Report{Schema: ReportSchema, Verified: now.UTC().Format(time.RFC3339), Trust: TrustUsed{Mode: "none"},
		Types: []TypeCount{}, Records: []RecordResult{}, Notes: []string{}, Checks: []Check{}}
}

func (v *verification) pass(id, actual string) {
	v.add(Check{ID: id, Result: Pass, Required: true, Actual: actual})
}

func (v *verification) fail(id, subject, expected, actual, hint string) {
	v.add(Check{ID: id, Subject: subject, Result: Fail, Required: true, Expected: expected, Actual: actual, Hint: hint})
}

// unchecked is a check that could not be made, and fails the report.
func (v *verification) unchecked(id, subject, expected, actual, hint string) {
	v.add(Check{ID: id, Subject: subject, Result: NotChecked, Required: true, Expected: expected, Actual: actual, Hint: hint})
}

// skipped is a check that could not be made, which the recipient must know.
func (v *verification) skipped(id, subject, actual string) {
	v.add(Check{ID: id, Subject: subject, Result: NotChecked, Actual: actual})
}

// add counts a check and keeps it, as long as there are not too many of its sort.
func (v *verification) add(c Check) {
	sort := &v.counts[c.ID].minor
	switch {
	case c.Result == Pass:
		v.report.Passed++
	case c.Result == NotChecked:
		v.report.NotChecked++
	default:
		v.report.Failed++
	}
	if c.Required && c.Result != Pass {
		sort = &v.counts[c.ID].bad
	}
	if *sort++; *sort <= maxSameCheck {
		v.report.Checks = append(v.report.Checks, c)
	}
}

// A count is that of the checks of one id: those that fail the report, and others.
type count struct{ bad, minor int }

// sound reports whether no check of an id fails the report.
func (v *verification) sound(id string) bool { return v.counts[id].bad == 0 }

// conclude completes the list of checks and draws the result.
func (v *verification) conclude() {
	r := &v.report
	r.Result = Pass
	for _, id := range checkOrder {
		n := v.counts[id]
		if *n == (count{}) {
			v.unchecked(id, "", "", unreached, "")
		}
		if n.bad > 0 {
			r.Result = Fail
		}
		if more := max(0, n.bad-maxSameCheck) + max(0, n.minor-maxSameCheck); more > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%d more checks %s are not listed", more, id))
		}
	}
	if r.Passed == 0 {
		r.Result = Fail
	}
	slices.SortStableFunc(r.Checks, func(a, b Check) int {
		return slices.Index(checkOrder, a.ID) - slices.Index(checkOrder, b.ID)
	})
}

func trustUsed(f trust.Facts) TrustUsed {
	t := TrustUsed{Mode: f.Mode, Pin: f.Pin, Version: f.Version, Digest: f.Digest}
	if f.Mode == "root" {
		t.Issued, t.Expires, t.AgeDays = f.Issued.Format(time.RFC3339), f.Expires.Format(time.RFC3339), int(f.Age.Hours()/24)
	}
	return t
}
