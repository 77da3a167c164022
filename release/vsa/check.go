package vsa

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

var (
	// uriPattern is a URI of RFC 3986: a scheme, then its characters.
	uriPattern  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$`)
	hexPattern  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	toolPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9(][A-Za-z0-9._+()-]{0,99}$`) })
	// levelPattern is a word of a level; slsaPattern are those that begin with SLSA_.
	levelPattern = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	slsaPattern  = regexp.MustCompile(`^SLSA_BUILD_LEVEL_[0-3]$`)
	slsaPrefix   = regexp.MustCompile(`^SLSA(_|$)`)
)

// Limits of one summary.
const (
	maxURI    = 2000 // bytes
	maxLevel  = 100  // bytes
	maxLevels = 50
)

// check reports the first fact that a summary can't say.
func (f Facts) check() error {
	for _, step := range []func() error{f.checkSubjects, f.checkNames, f.checkInputs, f.checkLevels, f.checkDependencies} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// checkSubjects wants names that are paths, each once, and sha256 digests alone: more
// digests of one subject would leave open which of them was verified.
func (f Facts) checkSubjects() error {
	if len(f.Subjects) == 0 {
		return errors.New("a summary without subjects")
	}
	for i, s := range f.Subjects {
		if err := archive.CheckPath(s.Name); err != nil {
			return fmt.Errorf("subject: %w", err)
		}
		if i > 0 && f.Subjects[i-1].Name == s.Name {
			return fmt.Errorf("subject %s: named twice", s.Name)
		}
		if len(s.Digest) != 1 || !hexPattern.MatchString(s.Digest["sha256"]) {
			return fmt.Errorf("subject %s: expected one digest, a sha256 of 64 lower-case hex digits", s.Name)
		}
	}
	return nil
}

func (f Facts) checkNames() error {
	for _, u := range []struct{ field, uri string }{
		{"verifier.id", f.VerifierID}, {"resourceUri", f.ResourceURI}, {"policy.uri", f.Policy.URI},
	} {
		if err := checkURI(u.field, u.uri); err != nil {
			return err
		}
	}
	switch year := f.TimeVerified.Year(); {
	case !toolPattern().MatchString(f.Tool):
		return fmt.Errorf("verifier.version.%s is %.80q, expected a version", tool, f.Tool)
	case year < 2000 || year > 9999:
		return fmt.Errorf("timeVerified is in the year %d, expected a time of a clock", year)
	case !hexPattern.MatchString(f.Policy.SHA256):
		return fmt.Errorf("policy.digest is %.80q, expected a sha256 of 64 lower-case hex digits", f.Policy.SHA256)
	}
	return nil
}

func checkURI(field, uri string) error {
	if len(uri) > maxURI || !uriPattern.MatchString(uri) {
		return fmt.Errorf("%s is %.80q, expected a URI with a scheme, of at most %d bytes", field, uri, maxURI)
	}
	return nil
}

func (f Facts) checkInputs() error {
	for i, r := range f.Inputs {
		if i > 0 && f.Inputs[i-1] == r {
			return fmt.Errorf("inputAttestations: sha256 %s stands twice", r.SHA256)
		}
		if !hexPattern.MatchString(r.SHA256) {
			return fmt.Errorf("inputAttestations: %.80q is no sha256 of 64 lower-case hex digits", r.SHA256)
		}
		if r.URI == "" {
			continue
		}
		if err := checkURI("inputAttestations.uri", r.URI); err != nil {
			return err
		}
	}
	return nil
}

// checkLevels wants each level once, one of the build track at most, and levels of a
// summary that passed alone.
func (f Facts) checkLevels() error {
	switch {
	case !f.Passed && len(f.Levels) > 0:
		return fmt.Errorf("verifiedLevels of a summary that failed: %d levels, expected none", len(f.Levels))
	case f.Passed && len(f.Levels) == 0:
		return errors.New("verifiedLevels of a summary that passed: none, expected at least SLSA_BUILD_LEVEL_0")
	case len(f.Levels) > maxLevels:
		return fmt.Errorf("verifiedLevels: %d levels, the limit is %d", len(f.Levels), maxLevels)
	}
	builds := 0
	for i, l := range f.Levels {
		if err := checkLevel("verifiedLevels", l); err != nil {
			return err
		}
		if i > 0 && f.Levels[i-1] == l {
			return fmt.Errorf("verifiedLevels: %s stands twice", l)
		}
		if slsaPattern.MatchString(l) {
			builds++
		}
	}
	if builds > 1 {
		return fmt.Errorf("verifiedLevels: %d levels of the SLSA build track, expected the highest alone", builds)
	}
	return nil
}

func checkLevel(field, level string) error {
	switch {
	case len(level) > maxLevel || !levelPattern.MatchString(level):
		return fmt.Errorf("%s: %.120q is no level, expected words of capitals and digits joined by _", field, level)
	case level == levelFailed:
		return fmt.Errorf("%s: %s is the level of a summary that failed", field, level)
	case slsaPrefix.MatchString(level) && !slsaPattern.MatchString(level):
		return fmt.Errorf("%s: %s is no level of SLSA %s, and no other level begins with SLSA_", field, level, slsaVersion)
	}
	return nil
}

func (f Facts) checkDependencies() error {
	if len(f.Dependencies) > maxLevels {
		return fmt.Errorf("dependencyLevels: %d levels, the limit is %d", len(f.Dependencies), maxLevels)
	}
	for _, level := range slices.Sorted(maps.Keys(f.Dependencies)) {
		if err := checkLevel("dependencyLevels", level); err != nil {
			return err
		}
		if n := f.Dependencies[level]; n < 1 {
			return fmt.Errorf("dependencyLevels: %d at %s, a level without dependencies is left out", n, level)
		}
	}
	return nil
}

// facts turns the encoding into facts, without checking what Statement checks again.
func (p predicate) facts(subjects []evidence.Subject) (Facts, error) {
	f := Facts{
		Subjects: subjects, VerifierID: p.Verifier.ID, Tool: p.Verifier.Version[tool],
		ResourceURI: p.ResourceURI, Policy: Resource{p.Policy.URI, p.Policy.Digest["sha256"]},
		Passed: p.VerificationResult == "PASSED", Dependencies: p.DependencyLevels,
	}
	var err error
	if f.TimeVerified, err = time.Parse(time.RFC3339, p.TimeVerified); err != nil {
		return f, fmt.Errorf("timeVerified is %.40q, expected a time of RFC 3339", p.TimeVerified)
	}
	for _, r := range p.InputAttestations {
		f.Inputs = append(f.Inputs, Resource{r.URI, r.Digest["sha256"]})
	}
	switch {
	case f.Passed:
		f.Levels = p.VerifiedLevels
	case p.VerificationResult != "FAILED" || !slices.Equal(p.VerifiedLevels, []string{levelFailed}):
		return f, fmt.Errorf("verificationResult is %.40q with levels %.200q, expected PASSED, or FAILED with the one level FAILED", p.VerificationResult, p.VerifiedLevels)
	}
	return f, nil
}

// same refuses a statement that says its facts in another way than Statement does.
func same(exact, statement []byte) error {
	if bytes.Equal(exact, statement) {
		return nil
	}
	i := 0
	for i < min(len(exact), len(statement)) && exact[i] == statement[i] {
		i++
	}
	around := func(b []byte) []byte { return b[i:min(i+40, len(b))] }
	return fmt.Errorf("not as rollproof writes a summary, from byte %d on: expected %q, found %q", i, around(exact), around(statement))
}
