package rebuild

import (
	"errors"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/gobuild"
	"github.com/rollproof/rollproof/schemas"
)

// ReportSchema identifies the document that tells of a rebuild.
const ReportSchema = evidence.Namespace + "reproduction/v1"

// A Result is the outcome for one binary, or for all of them. The zero value is none.
type Result string

// The results. Incomplete is for all of them alone: none differs, and not every one
// could be compared. NotChecked is for one alone.
const (
	Match      Result = "match"
	Differs    Result = "differs"
	NotChecked Result = "not-checked"
	Incomplete Result = "incomplete"
)

// A Report says what was rebuilt and how it compares.
type Report struct {
	Schema         string           `json:"schema"`
	Release        release.Identity `json:"release"`
	DryRun         bool             `json:"dryRun"`
	ManifestDigest string           `json:"manifestDigest"` // sha256:<hex> of release-evidence.json
	Result         Result           `json:"result"`         // match, differs or incomplete
	Toolchain      Toolchain        `json:"toolchain"`
	Source         string           `json:"source"`     // "repository" or "package"
	Modules        string           `json:"modules"`    // "package" or "module-cache"
	BuildCache     string           `json:"buildCache"` // "empty" or "user"
	Matched        int              `json:"matched"`
	Differed       int              `json:"differed"`
	NotChecked     int              `json:"notChecked"`
	Targets        []Target         `json:"targets"` // every binary of the package, sorted by path
}

// A Toolchain is what a package was built with, and what is here.
type Toolchain struct {
	Recorded string `json:"recorded"` // "go1.26.8"
	Local    string `json:"local"`
}

// A Target is one binary of the package.
type Target struct {
	Binary     string           `json:"binary"` // path in the package
	Platform   release.Platform `json:"platform"`
	Result     Result           `json:"result"`
	SHA256     string           `json:"sha256"`               // of the package's binary
	Rebuilt    string           `json:"rebuilt,omitempty"`    // sha256 of the rebuilt one
	Reason     string           `json:"reason,omitempty"`     // why it was not checked
	Hint       string           `json:"hint,omitempty"`       // the next step
	Difference *Difference      `json:"difference,omitempty"` // of one that differs
}

// newReport lists the binaries, none of them checked.
func (in *inputs) newReport(opts Options) *Report {
	r := &Report{
		Schema: ReportSchema, Release: in.manifest.Release, DryRun: in.manifest.DryRun, ManifestDigest: "sha256:" + in.digest,
		Toolchain: Toolchain{Recorded: in.manifest.Toolchain},
		Source:    "repository", Modules: "module-cache", BuildCache: "empty", Targets: []Target{},
	}
	if opts.Source == "" {
		r.Source = "package"
	}
	if in.modulesPath() != "" {
		r.Modules = "package"
	}
	if opts.UserCache {
		r.BuildCache = "user"
	}
	for _, b := range in.binaries {
		t := Target{Binary: b.Path, Platform: b.Platform, Result: NotChecked}
		if file, err := in.artifact(b.Path); err == nil {
			t.SHA256 = file.SHA256
		}
		r.Targets = append(r.Targets, t)
	}
	return r
}

// skip says why a binary could not be built again.
func (t *Target) skip(err error) {
	t.Result, t.Reason = NotChecked, limit(archive.Printable(err.Error()), 1000)
	var known *gobuild.Error
	if errors.As(err, &known) {
		t.Hint = known.Hint
	}
}

func (r *Report) skipAll(reason, hint string) {
	for i := range r.Targets {
		r.Targets[i].Reason, r.Targets[i].Hint = reason, hint
	}
}

// conclude counts, and draws the result: some of all is never a match.
func (r *Report) conclude() {
	r.Matched, r.Differed, r.NotChecked = 0, 0, 0
	for _, t := range r.Targets {
		switch t.Result {
		case Match:
			r.Matched++
		case Differs:
			r.Differed++
		default:
			r.NotChecked++
		}
	}
	switch {
	case r.Differed > 0:
		r.Result = Differs
	case r.Matched == len(r.Targets) && r.Matched > 0:
		r.Result = Match
	default:
		r.Result = Incomplete
	}
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

// limit cuts text from a hostile file to a length that documents hold.
func limit(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "") + "…"
}
