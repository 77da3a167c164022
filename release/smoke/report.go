package smoke

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/schemas"
)

// ReportSchema identifies the document that tells of a smoke test.
const ReportSchema = evidence.Namespace + "smoke-report/v1"

// A Result is the outcome for one binary, or for all of them. The zero value is none.
type Result string

// The results. NotChecked is for one binary alone, Incomplete for all of them: none
// failed, and not every one was run.
const (
	Pass       Result = "pass"
	Fail       Result = "fail"
	NotChecked Result = "not-checked"
	Incomplete Result = "incomplete"
)

// The values of Report.Network.
const (
	NetworkNone        = "none"         // nothing could be reached
	NetworkNotIsolated = "not isolated" // the program could reach what its user can
	NetworkUnused      = "nothing was run"
)

// A Report says what was run and what came of it.
type Report struct {
	Schema         string           `json:"schema"`
	Release        release.Identity `json:"release"`
	DryRun         bool             `json:"dryRun"`
	ManifestDigest string           `json:"manifestDigest"` // sha256:<hex> of release-evidence.json
	Host           release.Platform `json:"host"`
	Command        Command          `json:"command"`
	Network        string           `json:"network"`
	Result         Result           `json:"result"` // pass, fail or incomplete
	Passed         int              `json:"passed"`
	Failed         int              `json:"failed"`
	NotChecked     int              `json:"notChecked"`
	OtherPlatforms int              `json:"otherPlatforms"` // of those not checked
	Tests          []Test           `json:"tests"`          // every binary of the package, sorted by path
}

// A Test is one binary of the package.
type Test struct {
	Binary   string           `json:"binary"` // path in the package
	Platform release.Platform `json:"platform"`
	SHA256   string           `json:"sha256"`
	Result   Result           `json:"result"`
	ExitCode *int             `json:"exitCode,omitempty"` // of one that ended by itself
	Output   string           `json:"output,omitempty"`   // stdout and stderr, made printable
	Reason   string           `json:"reason,omitempty"`   // why it failed or was not checked
}

// conclude counts and draws the result.
func (r *Report) conclude() {
	r.Passed, r.Failed, r.NotChecked, r.OtherPlatforms = 0, 0, 0, 0
	for _, t := range r.Tests {
		switch t.Result {
		case Pass:
			r.Passed++
		case NotChecked:
			r.NotChecked++
			if t.Platform != r.Host {
				r.OtherPlatforms++
			}
		default:
			r.Failed++
		}
	}
	switch {
	case r.Failed > 0:
		r.Result = Fail
	case r.NotChecked > 0 || r.Passed == 0:
		r.Result = Incomplete
	default:
		r.Result = Pass
	}
}

// HostPassed reports whether this machine has done its part: every binary that is for
// it passed, and there is one.
func (r *Report) HostPassed() bool {
	return r.Passed > 0 && r.Failed == 0 && r.NotChecked == r.OtherPlatforms
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

// PredicateType is that of the statement
// (https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md).
const PredicateType = "https://in-toto.io/attestation/test-result/v0.1"

// A TestResult is the predicate. Tests are named by the binary's path.
type TestResult struct {
	Result        string          `json:"result"` // PASSED, WARNED or FAILED
	Configuration []Configuration `json:"configuration"`
	PassedTests   []string        `json:"passedTests"`
	WarnedTests   []string        `json:"warnedTests"` // passed, and the network was there
	FailedTests   []string        `json:"failedTests"`
}

// A Configuration is in-toto's ResourceDescriptor, as far as it is used.
type Configuration struct {
	Name    string             `json:"name"`
	Digest  evidence.DigestSet `json:"digest"`
	Content []byte             `json:"content,omitempty"`
}

// A Statement says what a smoke test found.
type Statement = evidence.Statement[TestResult]

// ErrNothingToState says that no binary was run.
var ErrNothingToState = errors.New("no binary of the package was run on this machine, nothing is stated")

// NewStatement returns the statement about a report. A dry run is an error, and a report
// in which nothing was run is [ErrNothingToState].
func NewStatement(r *Report) (Statement, error) {
	if r.DryRun {
		return Statement{}, fmt.Errorf("%s: a dry run is no release, nothing is stated about it", r.Release.Name(true))
	}
	command, err := envelope.Encode(r.Command)
	if err != nil {
		return Statement{}, err
	}
	p := TestResult{Result: "PASSED", PassedTests: []string{}, WarnedTests: []string{}, FailedTests: []string{}, Configuration: []Configuration{
		{"smoke-command.json", evidence.DigestSet{"sha256": hexSum(command)}, command},
		{release.ManifestFile, evidence.DigestSet{"sha256": r.ManifestDigest[len("sha256:"):]}, nil},
	}}
	var subjects []evidence.Subject
	for _, t := range r.Tests {
		switch {
		case t.Result == NotChecked:
			continue
		case t.Result != Pass:
			p.FailedTests = append(p.FailedTests, t.Binary)
		case r.Network != NetworkNone:
			p.WarnedTests = append(p.WarnedTests, t.Binary)
		default:
			p.PassedTests = append(p.PassedTests, t.Binary)
		}
		subjects = append(subjects, evidence.FileSubject(t.Binary, t.SHA256))
	}
	switch {
	case len(subjects) == 0:
		return Statement{}, ErrNothingToState
	case len(p.FailedTests) > 0:
		p.Result = "FAILED"
	case len(p.WarnedTests) > 0:
		p.Result = "WARNED"
	}
	return evidence.NewStatement(PredicateType, subjects, p), nil
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
