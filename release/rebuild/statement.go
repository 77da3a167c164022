package rebuild

import (
	"fmt"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
)

// PredicateType is that of the statement about a rebuild.
const PredicateType = evidence.Namespace + "rebuild/v1"

// A Statement says what a rebuilder found. Its subjects are all binaries of the
// package, as they are there, whatever the outcome: who wants a match must read
// Result.
type Statement = evidence.Statement[Predicate]

// A Predicate is what was found, by whom, and in which package.
type Predicate struct {
	Release    release.Identity `json:"release"`
	Manifest   string           `json:"manifest"`  // hex sha256 of release-evidence.json
	Result     Result           `json:"result"`    // match, differs or incomplete
	Toolchain  string           `json:"toolchain"` // of the rebuilder
	BuildCache string           `json:"buildCache"`
	Targets    []Outcome        `json:"targets"`
	Actor      Actor            `json:"actor"`
	RebuiltAt  string           `json:"rebuiltAt"` // the rebuilder's claim, RFC 3339 in UTC, whole seconds
}

// An Outcome is one binary.
type Outcome struct {
	Binary   string           `json:"binary"`
	Platform release.Platform `json:"platform"`
	Result   Result           `json:"result"`
	Rebuilt  string           `json:"rebuilt"` // sha256 of the rebuilt binary, "" without one
	Cause    Cause            `json:"cause"`   // of one that differs, else ""
	Reason   string           `json:"reason"`  // of one that was not checked, else ""
}

// An Actor is who rebuilt: the key that signs, and its person in the trust root.
type Actor struct {
	KeyID  string `json:"keyid"`
	Person string `json:"person"`
}

// NewStatement returns the statement about a report. A dry run is nothing to make
// statements about, and is an error.
func NewStatement(r *Report, actor Actor, now time.Time) (Statement, error) {
	if r.DryRun {
		return Statement{}, fmt.Errorf("%s: a dry run is no release, nothing is stated about it", r.Release.Name(true))
	}
	p := Predicate{
		Release: r.Release, Manifest: r.ManifestDigest[len("sha256:"):], Result: r.Result,
		Toolchain: r.Toolchain.Local, BuildCache: r.BuildCache, Targets: []Outcome{},
		Actor: actor, RebuiltAt: now.UTC().Truncate(time.Second).Format(time.RFC3339),
	}
	var subjects []evidence.Subject
	for _, t := range r.Targets {
		o := Outcome{Binary: t.Binary, Platform: t.Platform, Result: t.Result, Rebuilt: t.Rebuilt, Reason: t.Reason}
		if t.Difference != nil {
			o.Cause = t.Difference.Cause
		}
		p.Targets = append(p.Targets, o)
		subjects = append(subjects, evidence.FileSubject(t.Binary, t.SHA256))
	}
	return evidence.NewStatement(PredicateType, subjects, p), nil
}

// CatalogEntries says what a rebuild is to an evidence store.
func CatalogEntries() []evidence.Entry {
	return []evidence.Entry{{
		PredicateType: PredicateType, Schema: PredicateType, Roles: []trust.Role{trust.Verifier},
		Kind: evidence.KindAttestation, Facts: facts,
	}}
}

// facts refuses a statement that contradicts itself: a match that is none.
func facts(statement []byte) (evidence.Facts, error) {
	s, err := evidence.DecodeStatement[Predicate](statement, PredicateType)
	if err != nil {
		return evidence.Facts{}, err
	}
	p := s.Predicate
	for what, name := range map[string]string{"project": p.Release.Project, "version": p.Release.Version} {
		if err := release.CheckName(what, name); err != nil {
			return evidence.Facts{}, err
		}
	}
	if err := p.check(s.Subject); err != nil {
		return evidence.Facts{}, err
	}
	at, err := time.Parse(time.RFC3339, p.RebuiltAt)
	if err != nil || at.UTC().Format(time.RFC3339) != p.RebuiltAt {
		return evidence.Facts{}, fmt.Errorf("rebuiltAt is %q, expected a time in UTC", p.RebuiltAt)
	}
	return evidence.Facts{
		Project: p.Release.Project, Version: p.Release.Version, Claimed: at,
		NamedKeyID: p.Actor.KeyID, NamedPerson: p.Actor.Person,
		Text: []string{p.Release.Module, p.Release.Source.GitCommit, string(p.Result)},
	}, nil
}

// check compares the outcomes with the subjects, and the result with the outcomes.
func (p Predicate) check(subjects []evidence.Subject) error {
	if len(subjects) != len(p.Targets) {
		return fmt.Errorf("%d subjects for %d targets", len(subjects), len(p.Targets))
	}
	report := Report{}
	for i, t := range p.Targets {
		s := subjects[i]
		if s.Name != t.Binary || len(s.Digest) != 1 || s.Digest["sha256"] == "" {
			return fmt.Errorf("subject %d is %s, expected %s by its sha256", i, s.Name, t.Binary)
		}
		if (t.Result == Match) != (t.Rebuilt == s.Digest["sha256"]) {
			return fmt.Errorf("%s: result %s does not fit the digests", t.Binary, t.Result)
		}
		report.Targets = append(report.Targets, Target{Result: t.Result})
	}
	if report.conclude(); report.Result != p.Result {
		return fmt.Errorf("result is %s, the targets say %s", p.Result, report.Result)
	}
	return nil
}
