package release

import (
	"context"
	"runtime"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/provenance"
)

// VerifyOptions say what a verification trusts. The zero value trusts nothing and
// allows nothing: its verdict fails.
type VerifyOptions struct {
	// Authority is who may sign. It never comes out of the package.
	Authority trust.Authority
	// AllowUnsigned lets a dry run pass without signatures. A package that is no dry
	// run must be signed all the same.
	AllowUnsigned bool
	// Proofs show when signatures existed; they come from beside the package.
	Proofs []trust.Proof
	// Sidecar are keyless bundles that came beside the package, each about one file
	// of it. With Keyless each must verify; without, they are not-checked.
	Sidecar []SidecarBundle
	Keyless BundleVerifier
	// Weakenings are the flags that were given and already work in Authority; the
	// verdict lists them.
	Weakenings []Weakening
	// Parallel is how many files are hashed at once; 0 means one per processor.
	Parallel int
}

// Verify runs every check on a package and returns what it found: a verdict, whether
// it passes or not. The error is for what is no fact about the package: a cancelled
// context or a file that can't be read.
//
// Files are streamed; only documents, each of bounded size, are held in memory.
// Nothing from the package is executed.
func Verify(ctx context.Context, c Container, opts VerifyOptions) (*Verdict, error) {
	if opts.Parallel <= 0 {
		opts.Parallel = runtime.GOMAXPROCS(0)
	}
	v := &verification{container: c, opts: opts}
	v.verdict = Verdict{
		Schema: VerdictSchema, Container: c.Kind(),
		Signers: []string{}, Notes: []string{}, Weakenings: append([]Weakening{}, opts.Weakenings...), Checks: []Check{},
	}
	v.checkContainer()
	if err := v.hash(ctx); err != nil {
		return nil, err
	}
	v.loadManifest()
	v.checkTrust()
	v.checkClosing()
	v.checkClosedSet()
	v.checkChecksums()
	v.checkSignatures()
	v.checkRawSignature()
	v.loadProvenance()
	if err := v.checkBinaries(); err != nil {
		return nil, err
	}
	v.checkLink()
	v.checkSBOM()
	v.checkManifests()
	v.checkSidecar()
	v.checkIdentity()
	v.checkDryRun()
	v.verdict.conclude()
	return &v.verdict, nil
}

// A verification is one run of Verify.
type verification struct {
	container Container
	opts      VerifyOptions
	verdict   Verdict

	files map[string]hashed // every entry that could be read
	order []string          // their paths, sorted

	manifest    *Manifest             // nil when it can't be read
	imported    bool                  // the manifest says that something else built the binaries
	closing     [32]byte              // sha256 of the closing statement
	closingFile [32]byte              // sha256 of its bundle
	provenance  *provenance.Statement // nil when it can't be read
	builds      map[string]buildInfo  // of each binary that could be read
	identities  []sourcedIdentity     // as the package's documents say it
}

// A hashed is a file of the container after its one pass.
type hashed struct {
	sha256 string
	size   int64
	mode   string // "0644", "0755", or "" where the platform keeps none
}

// A sourcedIdentity is a release identity and the file that says it.
type sourcedIdentity struct {
	file string
	id   Identity
}

func (v *verification) pass(id, subject string) {
	v.add(Check{ID: id, Subject: subject, Result: Pass})
}

func (v *verification) fail(id, subject, expected, actual, hint string) {
	v.add(Check{ID: id, Subject: subject, Result: Fail, Expected: expected, Actual: actual, Hint: hint})
}

func (v *verification) notChecked(id, subject, why string) {
	v.add(Check{ID: id, Subject: subject, Result: NotChecked, Actual: why})
}

func (v *verification) add(c Check) {
	c.Required = !optional[c.ID] && (!v.imported || !buildChecks[c.ID])
	v.verdict.Checks = append(v.verdict.Checks, c)
}

// outcome adds a pass, or a fail for each problem.
func (v *verification) outcome(id, subject string, problems []problem) {
	if len(problems) == 0 {
		v.pass(id, subject)
	}
	for _, p := range problems {
		at := p.subject
		if at == "" {
			at = subject
		}
		result := Fail
		if p.unproved {
			result = NotChecked
		}
		v.add(Check{ID: id, Subject: at, Result: result, Expected: p.expected, Actual: p.actual, Hint: p.hint})
	}
}

// A problem is one reason for a check to fail, or for one that can't be made.
type problem struct {
	subject, expected, actual, hint string
	unproved                        bool
}

// wrong is a reason to fail.
func wrong(subject, expected, actual, hint string) problem {
	return problem{subject: subject, expected: expected, actual: actual, hint: hint}
}

// optional are the checks whose not-checked does not fail a verdict, because nobody
// could make them.
var optional = map[string]bool{checkLdflags: true, checkSidecarID: true, checkAttestation: true}

// The identifiers of the checks, in the order in which they run.
const (
	checkContainer           = "container"
	checkManifest            = "manifest"
	checkTrust               = "trust"
	checkClosingSignature    = "closing-signature"
	checkClosingSubjects     = "closing-subjects"
	checkClosedSet           = "closed-set"
	checkChecksums           = "checksums"
	checkSignature           = "signature"
	checkRawSignature        = "raw-signature"
	checkProvenanceSignature = "provenance-signature"
	checkProvenanceSubjects  = "provenance-subjects"
	checkProvenance          = "provenance"
	checkLdflags             = "ldflags"
	checkRelease             = "release-statement"
	checkAttestation         = "attestation"
	checkBuildInfo           = "build-info"
	checkLink                = "link"
	checkSBOM                = "sbom"
	checkInstallers          = "installers"
	checkDeployment          = "endpoint-deployment"
	checkSidecarID           = "sidecar"
	checkIdentity            = "identity"
	checkDryRun              = "dry-run"
)

// unsignedChecks are what AllowUnsigned excuses in a dry run.
var unsignedChecks = []string{
	checkTrust, checkClosingSignature, checkClosingSubjects, checkSignature, checkRawSignature, checkProvenanceSignature, checkLink, checkRelease,
}

const noManifest = "release-evidence.json can't be read"

// unsigned reports whether the package is a dry run that may pass unsigned.
func (v *verification) unsigned() bool {
	return v.opts.AllowUnsigned && v.manifest != nil && v.manifest.DryRun
}

// use is what every signature of this package is asked to be.
func (v *verification) use(keyid, predicateType string) trust.Use {
	u := trust.Use{
		KeyID: keyid, Role: trust.Releaser, PredicateType: predicateType,
		Statement: v.closing, Envelope: v.closingFile, SignatureProofs: v.opts.Proofs,
	}
	if v.manifest != nil {
		u.Project = v.manifest.Release.Project
	}
	return u
}

// note adds what the verdict must say although a check passes, once.
func (v *verification) note(notes ...string) {
	for _, n := range notes {
		if !slices.Contains(v.verdict.Notes, n) {
			v.verdict.Notes = append(v.verdict.Notes, n)
		}
	}
}

// checkContainer names what makes the container no well-formed one.
func (v *verification) checkContainer() {
	var problems []problem
	for _, p := range v.container.Problems() {
		problems = append(problems, problem{
			expected: "a " + v.container.Kind() + " as rollproof writes it", actual: p,
			hint: "get the package again from where it was made",
		})
	}
	v.outcome(checkContainer, "", problems)
}

// checkIdentity compares the release identity that each document states.
func (v *verification) checkIdentity() {
	if v.manifest == nil {
		v.notChecked(checkIdentity, "", noManifest)
		return
	}
	want := v.manifest.Release
	var problems []problem
	for _, s := range v.identities {
		if s.id != want {
			problems = append(problems, wrong(s.file, describe(want), describe(s.id), "the file belongs to another release"))
		}
	}
	if top := v.container.Top(); top != "" && top != want.Name(v.manifest.DryRun) {
		problems = append(problems, wrong("", "a zip of "+want.Name(v.manifest.DryRun)+"/", "a zip of "+top+"/", "get the package again from where it was made"))
	}
	v.outcome(checkIdentity, "", problems)
}

func describe(id Identity) string {
	return id.Project + " " + id.Version + ", module " + id.Module + ", commit " + id.Source.GitCommit + ", tree " + id.Source.GitTree + ", source " + id.Source.URI
}

// checkDryRun refuses a dry run, and a package that AllowUnsigned was meant for but
// that is none.
func (v *verification) checkDryRun() {
	switch {
	case v.manifest == nil:
		v.notChecked(checkDryRun, "", noManifest)
	case v.manifest.DryRun && !v.opts.AllowUnsigned:
		v.fail(checkDryRun, "", "a signed release", "a dry run, which nobody signed", "look at it with --allow-unsigned; a release is made without --dry-run")
	case v.manifest.DryRun:
		v.verdict.Weakenings = append(v.verdict.Weakenings, Weakening{"--allow-unsigned", unsignedChecks})
		v.pass(checkDryRun, "")
	default:
		v.pass(checkDryRun, "")
	}
}

// subjectsOf lists statement subjects as path → sha256, with a problem for each that
// is duplicated or has another set of digests.
func subjectsOf(subjects []evidence.Subject) (map[string]string, []problem) {
	sums := map[string]string{}
	var problems []problem
	for _, s := range subjects {
		if _, twice := sums[s.Name]; twice {
			problems = append(problems, wrong(s.Name, "one subject of this name", "two", ""))
		}
		if len(s.Digest) != 1 || s.Digest["sha256"] == "" {
			problems = append(problems, wrong(s.Name, "a sha256 digest and no other", "another set of digests", ""))
		}
		sums[s.Name] = s.Digest["sha256"]
	}
	return sums, problems
}
