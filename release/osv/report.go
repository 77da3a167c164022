package osv

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/schemas"
)

// ReportSchema identifies the document.
const ReportSchema = evidence.Namespace + "scan-report/v1"

// A Report says what a scan found. It is the document that is printed. It holds no
// time: the same package and database give the same report.
type Report struct {
	Schema         string           `json:"schema"`
	Release        release.Identity `json:"release"`
	ManifestDigest string           `json:"manifestDigest"`
	Result         string           `json:"result"` // "pass", "fail" or "incomplete"
	FailAt         string           `json:"failAt"` // the lowest level that fails, or "any"
	Database       Source           `json:"database"`
	Codes          int              `json:"codes"` // modules, standard libraries and toolchains that were looked up
	Failed         int              `json:"failed"`
	Allowed        int              `json:"allowed"` // findings below the threshold
	Binaries       []Scanned        `json:"binaries"`
	Findings       []Finding        `json:"findings"` // the gravest first
	NotChecked     []Undecided      `json:"notChecked"`
}

// A Scanned is a binary that was looked at.
type Scanned struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// A Finding is a vulnerability of a piece of code.
type Finding struct {
	ID         string     `json:"id"`
	Aliases    []string   `json:"aliases"`
	Kind       string     `json:"kind"`
	Module     string     `json:"module"`
	Version    string     `json:"version"`
	Replaces   string     `json:"replaces,omitempty"`
	Summary    string     `json:"summary"`
	Level      Level      `json:"level"`
	Severities []Severity `json:"severities"`
	FixedIn    []string   `json:"fixedIn"`  // versions that entries call fixed
	Packages   []string   `json:"packages"` // that entries name; whether they are reached is not looked at
	Binaries   []string   `json:"binaries"`
}

// A Severity is a vector of one method, with its base score where it is computed.
type Severity struct {
	Method string `json:"method"` // "CVSS_V3", "CVSS_V4", …
	Vector string `json:"vector"`
	Score  string `json:"score,omitempty"` // "7.5"
}

// An Undecided is an entry about a piece of code for which it can't be said whether
// its version is affected.
type Undecided struct {
	ID       string   `json:"id"`
	Aliases  []string `json:"aliases"`
	Kind     string   `json:"kind"`
	Module   string   `json:"module"`
	Version  string   `json:"version"`
	Reason   string   `json:"reason"`
	Binaries []string `json:"binaries"`
}

func (r *Report) undecided(c *code, e *entry, reason string) {
	r.NotChecked = append(r.NotChecked, Undecided{
		ID: e.ID, Aliases: append([]string{}, e.Aliases...), Kind: c.kind, Module: c.module, Version: plain(c.version), Reason: plain(reason), Binaries: c.binaries,
	})
}

// reaches reports whether a level is at or above a threshold. What nobody has rated is.
func reaches(l, threshold Level) bool { return l == Unknown || l >= threshold }

// conclude sorts, counts and draws the result.
func (r *Report) conclude(failAt Level) {
	if r.FailAt = failAt.String(); failAt == Unknown {
		r.FailAt = "any"
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(gravity(b.Level)-gravity(a.Level), strings.Compare(a.Module, b.Module), compareIDs(a.ID, b.ID), strings.Compare(a.Version, b.Version))
	})
	slices.SortStableFunc(r.NotChecked, func(a, b Undecided) int {
		return cmp.Or(strings.Compare(a.Module, b.Module), compareIDs(a.ID, b.ID), strings.Compare(a.Version, b.Version))
	})
	for _, f := range r.Findings {
		if reaches(f.Level, failAt) {
			r.Failed++
		} else {
			r.Allowed++
		}
	}
	switch {
	case r.Failed > 0:
		r.Result = "fail"
	case len(r.NotChecked) > 0:
		r.Result = "incomplete"
	default:
		r.Result = "pass"
	}
}

// gravity puts what nobody has rated before what is high.
func gravity(l Level) int {
	if l == Unknown {
		return 2*int(High) - 1
	}
	return 2 * int(l)
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
