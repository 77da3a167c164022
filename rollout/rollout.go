package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// Rollout is the predicate by which an operator says which release goes to which
// deployment targets, in a ring of an environment, under a change record.
type Rollout struct {
	Actor        Actor                `json:"actor"`
	Trust        TrustVersion         `json:"trust"`
	Seen         *evidence.Checkpoint `json:"seen"`
	Claimed      time.Time            `json:"claimed"`
	ID           string               `json:"id"`
	Project      string               `json:"project"`
	Release      release.Identity     `json:"release"`
	Manifest     evidence.Digest      `json:"manifest"` // of release-evidence.json
	Package      evidence.Digest      `json:"package"`  // of the closing statement
	Environment  string               `json:"environment"`
	Ring         string               `json:"ring"`
	ChangeRecord string               `json:"changeRecord"` // "" where the policy needs none
	Targets      []Target             `json:"targets"`      // by id
	Verification []release.Check      `json:"verification"` // of the package, as run at capture
	Window       *Planned             `json:"window"`       // when it is planned, null for no plan
	Execution    string               `json:"execution"`    // digest of the promotion that allows it, "" in the first ring
	Status       Status               `json:"status"`       // planned or staged
}

// A Target is a deployment target as the package's endpoint deployment manifest
// names it, and the release to which it would go back.
type Target struct {
	ID          string           `json:"id"`
	Platform    release.Platform `json:"platform"`
	Binary      string           `json:"binary"` // path in the package
	SHA256      string           `json:"sha256"`
	InstallPath string           `json:"installPath"`
	Rollback    Rollback         `json:"rollback"`
}

// A Rollback names the release that a target holds by a log; both are "" where the
// log knows of none, or there was no log.
type Rollback struct {
	Manifest string `json:"manifest"` // digest of its release-evidence.json
	Version  string `json:"version"`
}

// A Planned window is a span of time, UTC, in whole minutes.
type Planned struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // not included
}

// A Status is where a rollout is.
type Status string

// The statuses. The last three are final.
const (
	StatusPlanned    Status = "planned"
	StatusStaged     Status = "staged"
	StatusSucceeded  Status = "succeeded"
	StatusFailed     Status = "failed"
	StatusRolledBack Status = "rolled_back"
)

// A Capture is what the operator decides.
type Capture struct {
	Targets      []string // ids; none for all of the package's
	Environment  string
	Ring         string
	ChangeRecord string
	Status       Status
	Window       *Planned
	Execution    evidence.Digest // zero in the first ring
}

// NewRollout makes the statement of a capture. s says what the targets hold now; it
// may be nil where there is no log. A target that the package does not have is a
// [*Refusal] that names the nearest.
func NewRollout(h Head, pkg *Package, s *State, c Capture) (evidence.Statement[Rollout], error) {
	h = h.normal()
	r := Rollout{
		Actor: h.Actor, Trust: h.Trust, Seen: h.Seen, Claimed: h.Claimed,
		Project: pkg.Release.Project, Release: pkg.Release, Manifest: pkg.Manifest, Package: pkg.Closing,
		Environment: c.Environment, Ring: c.Ring, ChangeRecord: c.ChangeRecord,
		Verification: pkg.Checks, Window: c.Window, Execution: digestText(c.Execution), Status: c.Status,
	}
	targets, err := pkg.choose(c.Targets)
	if err != nil {
		return evidence.Statement[Rollout]{}, err
	}
	for _, t := range targets {
		chosen := Target{t.ID, t.Platform, t.Binary, t.SHA256, t.InstallPath, Rollback{}}
		if s != nil {
			chosen.Rollback, _ = s.goesBack(c.Environment, c.Ring, t.ID, r.Execution)
		}
		r.Targets = append(r.Targets, chosen)
	}
	if r.ID, err = rolloutID(r); err != nil {
		return evidence.Statement[Rollout]{}, err
	}
	return statement[Rollout](RolloutType, r)
}

// rolloutID is <change>-<version>-<ring>-<8 hex digits> of what is put where. A
// rollout without a change record has "unrecorded" in its place.
func rolloutID(r Rollout) (string, error) {
	data, err := envelope.Encode(struct {
		Manifest     evidence.Digest `json:"manifest"`
		Targets      []string        `json:"targets"`
		Environment  string          `json:"environment"`
		Ring         string          `json:"ring"`
		ChangeRecord string          `json:"changeRecord"`
	}{r.Manifest, r.targetIDs(), r.Environment, r.Ring, r.ChangeRecord})
	if err != nil {
		return "", err
	}
	change := r.ChangeRecord
	if change == "" {
		change = "unrecorded"
	}
	return fmt.Sprintf("%s-%s-%s-%s", change, r.Release.Version, r.Ring, evidence.DigestOf(data).Hex()[:8]), nil
}

func (r *Rollout) targetIDs() []string {
	ids := []string{}
	for _, t := range r.Targets {
		ids = append(ids, t.ID)
	}
	return ids
}

func (r *Rollout) head() Head   { return Head{r.Actor, r.Trust, r.Seen, r.Claimed} }
func (r *Rollout) place() place { return place{r.Project, r.Environment, r.Ring} }

// subjects are the manifest, then each binary once.
func (r *Rollout) subjects() []evidence.Subject {
	return append([]evidence.Subject{actSubject(release.ManifestFile, r.Manifest)}, binarySubjects(r.Targets)...)
}

func binarySubjects(targets []Target) []evidence.Subject {
	var list []evidence.Subject
	for _, t := range targets {
		if !slices.ContainsFunc(list, func(s evidence.Subject) bool { return s.Name == t.Binary }) {
			list = append(list, evidence.FileSubject(t.Binary, t.SHA256))
		}
	}
	return list
}

func (r *Rollout) facts() evidence.Facts {
	f := r.head().facts()
	f.Project, f.Version, f.ChangeRecord = r.Project, r.Release.Version, r.ChangeRecord
	f.Environment, f.Ring, f.Rollout, f.RolloutStatus = r.Environment, r.Ring, r.ID, string(r.Status)
	f.DeploymentTargets = r.targetIDs()
	f.Text = []string{r.ID, r.Release.Module, r.Release.Source.GitCommit}
	return f
}

func (r *Rollout) check() error {
	if err := r.checkNames(); err != nil {
		return err
	}
	if err := r.checkTargets(); err != nil {
		return err
	}
	if err := checkVerification(r.Verification); err != nil {
		return err
	}
	if r.Status != StatusPlanned && r.Status != StatusStaged {
		return fmt.Errorf("a rollout begins planned or staged, not %q", archive.Printable(string(r.Status)))
	}
	if err := r.Window.check(); err != nil {
		return err
	}
	if err := checkOptional("execution", r.Execution); err != nil {
		return err
	}
	want, err := rolloutID(*r)
	if err == nil && r.ID != want {
		err = fmt.Errorf("the rollout's id is %q, what it says makes it %q", archive.Printable(r.ID), want)
	}
	return err
}

func (r *Rollout) checkNames() error {
	if err := checkPlace(r.Environment, r.Ring); err != nil {
		return err
	}
	if err := checkChange(r.ChangeRecord); err != nil {
		return err
	}
	if err := release.CheckName("version", r.Release.Version); err != nil {
		return err
	}
	if r.Release.Project != r.Project {
		return fmt.Errorf("project %q, and a release of %q", r.Project, archive.Printable(r.Release.Project))
	}
	return nil
}

func (r *Rollout) checkTargets() error {
	if len(r.Targets) == 0 || !increasing(r.targetIDs()) {
		return errors.New("the targets are none, not sorted by id, or one stands twice")
	}
	binaries := map[string]string{}
	for _, t := range r.Targets {
		if err := t.check(); err != nil {
			return err
		}
		if other, ok := binaries[t.Binary]; ok && other != t.SHA256 {
			return fmt.Errorf("%s: two digests, %s and %s", t.Binary, other, t.SHA256)
		}
		binaries[t.Binary] = t.SHA256
	}
	return nil
}

func (t Target) check() error {
	if err := checkName("deployment target", t.ID, 100); err != nil {
		return err
	}
	if err := archive.CheckPath(t.Binary); err != nil {
		return fmt.Errorf("target %s: %w", t.ID, err)
	}
	if err := checkHex("target "+t.ID+": sha256", t.SHA256); err != nil {
		return err
	}
	if (t.Rollback.Manifest == "") != (t.Rollback.Version == "") {
		return fmt.Errorf("target %s: the rollback names a manifest or a version, expected both or none", t.ID)
	}
	if t.Rollback.Version != "" {
		if err := release.CheckName("version", t.Rollback.Version); err != nil {
			return fmt.Errorf("target %s: %w", t.ID, err)
		}
	}
	return checkOptional("target "+t.ID+": rollback", t.Rollback.Manifest)
}

// checkVerification refuses a package that did not verify: not-checked is no pass.
func checkVerification(checks []release.Check) error {
	var failed []string
	passed := 0
	for _, c := range checks {
		name := strings.TrimSpace(c.ID + " " + archive.Printable(c.Subject))
		switch {
		case c.Result == release.Pass:
			passed++
		case c.Result == release.NotChecked && !c.Required:
		default:
			failed = append(failed, fmt.Sprintf("%s: %s", name, c.Result))
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("the package did not verify: %s", quoted(failed))
	}
	if passed == 0 {
		return errors.New("the package was not verified: no check passed")
	}
	return nil
}

func (p *Planned) check() error {
	if p == nil {
		return nil
	}
	if err := checkTime("window from", p.From); err != nil {
		return err
	}
	if err := checkTime("window to", p.To); err != nil {
		return err
	}
	if p.From.Second() != 0 || p.To.Second() != 0 || !p.From.Before(p.To) || p.To.Sub(p.From) > maxPlanned {
		return fmt.Errorf("window %s to %s: expected whole minutes, at most 7 days", stamp(p.From), stamp(p.To))
	}
	return nil
}
