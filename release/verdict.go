package release

import (
	"github.com/rollproof/rollproof/evidence"
)

// VerdictSchema identifies the verdict document.
const VerdictSchema = evidence.Namespace + "verdict/v1"

// A Result is the outcome of one check. The zero value is none of the three and
// never counts.
type Result string

// The three results. NotChecked is never counted as Pass.
const (
	Pass       Result = "pass"
	Fail       Result = "fail"
	NotChecked Result = "not-checked"
)

// A Check is one named test of a verdict.
type Check struct {
	ID       string `json:"id"`                // a word of docs/formats/verdict.md, such as "checksums"
	Subject  string `json:"subject,omitempty"` // the file that it is about
	Result   Result `json:"result"`
	Required bool   `json:"required"` // a verdict passes only if each required check does
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
	Hint     string `json:"hint,omitempty"` // the next step
}

// A Weakening is an --allow flag that was given, and the checks that it excused.
type Weakening struct {
	Flag   string   `json:"flag"`
	Checks []string `json:"checks"`
}

// A TrustUsed says what a verdict trusted. It can't say that nothing newer exists.
type TrustUsed struct {
	Mode    string `json:"mode"`              // "none", "key" or "root"
	KeyID   string `json:"keyid,omitempty"`   // mode key
	Pin     string `json:"pin,omitempty"`     // mode root: digest of the pinned version
	Version int    `json:"version,omitempty"` // mode root: the version used
	Digest  string `json:"digest,omitempty"`  // of the version used
	Issued  string `json:"issued,omitempty"`  // claimed by its signers, RFC 3339
	Expires string `json:"expires,omitempty"`
	AgeDays int    `json:"ageDays,omitempty"` // since issued
}

// A Verdict is what [Verify] found. Text, JSON and HTML show this one value.
type Verdict struct {
	Schema         string      `json:"schema"`
	Container      string      `json:"container"` // "directory" or "zip"
	Result         Result      `json:"result"`    // pass or fail
	Release        *Identity   `json:"release"`   // null when the manifest can't be read
	DryRun         bool        `json:"dryRun"`
	ManifestDigest string      `json:"manifestDigest,omitempty"` // sha256:<hex> of release-evidence.json
	Files          int         `json:"files"`
	Bytes          int64       `json:"bytes"`
	Trust          TrustUsed   `json:"trust"`
	Signers        []string    `json:"signers"` // who signed, as the trust root names them
	Notes          []string    `json:"notes"`   // what must be known although checks pass
	Passed         int         `json:"passed"`
	Failed         int         `json:"failed"`
	NotChecked     int         `json:"notChecked"`
	Weakenings     []Weakening `json:"weakenings"`
	Checks         []Check     `json:"checks"`
}

// conclude counts the checks and draws the result: every required check must have
// passed, or have been excused by a weakening.
func (v *Verdict) conclude() {
	v.Passed, v.Failed, v.NotChecked = 0, 0, 0
	excused := map[string]bool{}
	for _, w := range v.Weakenings {
		for _, id := range w.Checks {
			excused[id] = true
		}
	}
	v.Result = Pass
	for _, c := range v.Checks {
		switch c.Result {
		case Pass:
			v.Passed++
		case NotChecked:
			v.NotChecked++
			if c.Required && !excused[c.ID] {
				v.Result = Fail
			}
		default:
			v.Failed++
			v.Result = Fail
		}
	}
	if v.Passed == 0 {
		v.Result = Fail
	}
}
