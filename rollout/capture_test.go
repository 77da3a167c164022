package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
)

// Each attack on a capture that its package makes possible.
func TestPackagesThatAreNoneAreNotCaptured(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*release.Verdict, *PackageFiles)
		words  string
	}{
		{"dry run", func(v *release.Verdict, _ *PackageFiles) { v.DryRun = true }, "a dry run is never rolled out"},
		{"unreadable", func(v *release.Verdict, _ *PackageFiles) { v.Release = nil }, "its manifest cannot be read"},
		{"one key", func(v *release.Verdict, _ *PackageFiles) { v.Trust.Mode = "key" }, `trust "key", which knows no roles`},
		{"no trust", func(v *release.Verdict, _ *PackageFiles) { v.Trust.Mode = "" }, "knows no roles"},
		{"failed", func(v *release.Verdict, _ *PackageFiles) { v.Checks[1].Result = release.Fail }, "did not verify: signature release-evidence.json: fail"},
		{"unsigned", func(v *release.Verdict, _ *PackageFiles) { v.Checks[1].Result = release.NotChecked }, "signature release-evidence.json: not-checked"},
		{"no checks", func(v *release.Verdict, _ *PackageFiles) { v.Checks = nil }, "no check passed"},
		{"verdict fails", func(v *release.Verdict, _ *PackageFiles) { v.Result = "" }, `the verdict is ""`},
		{"another manifest", func(_ *release.Verdict, f *PackageFiles) { _, o := packageFiles(t, "v2.0.0"); f.Manifest = o.Manifest }, "the verdict is about"},
		{"rebuilt after the verdict", func(v *release.Verdict, f *PackageFiles) {
			m := must[*release.Manifest](t)(release.DecodeManifest(f.Manifest))
			m.Toolchain = "go1.26.7"
			f.Manifest = must[[]byte](t)(envelope.Encode(m))
		}, "the verdict is about"},
		{"replaced targets", func(_ *release.Verdict, f *PackageFiles) {
			_, o := packageFiles(t, "v2.0.0")
			f.Deployment = o.Deployment
		}, "not the file that release-evidence.json names"},
		{"replaced closing", func(_ *release.Verdict, f *PackageFiles) { _, o := packageFiles(t, "v2.0.0"); f.Closing = o.Closing }, "it closes the package with manifest"},
		{"no object", func(_ *release.Verdict, f *PackageFiles) { f.Manifest = []byte("[]\n") }, "not a JSON object"},
		{"no closing", func(_ *release.Verdict, f *PackageFiles) { f.Closing = nil }, "release-evidence.sigstore.json: not a bundle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, f := packageFiles(t, "v1.0.0")
			c.change(&v, &f)
			_, err := ReadPackage(v, f)
			expectRefusal(t, err, CodeEvidence, c.words)
		})
	}
}

func TestTargetsComeFromTheManifestAlone(t *testing.T) {
	w := newWorld(t)
	c := pilot()
	c.Targets = []string{"linux-runer"}
	_, err := NewRollout(w.head("operator"), packageOf(t, "v1.0.0"), w.s, c)
	expectRefusal(t, err, CodeEvidence, `deployment target "linux-runer" is not known, the nearest known is "linux-runner"`)
	c.Targets = []string{"mac-laptop", "mac-laptop"}
	if got := idsOf(w.newRollout("operator", "v1.0.0", c)); len(got) != 1 || got[0] != "mac-laptop" {
		t.Errorf("targets %v", got)
	}
	c.Targets = nil
	if got := idsOf(w.newRollout("operator", "v1.0.0", c)); len(got) != 2 {
		t.Errorf("targets %v", got)
	}
}

func idsOf(s evidence.Statement[Rollout]) []string { return s.Predicate.targetIDs() }

// A rollout is compared with its package again wherever it is verified.
func TestCompareFindsEveryDifference(t *testing.T) {
	w, p := newWorld(t), packageOf(t, "v1.0.0")
	good := w.newRollout("operator", "v1.0.0", pilot()).Predicate
	for _, c := range p.Compare(good) {
		if c.Result != release.Pass {
			t.Errorf("%+v", c)
		}
	}
	for name, change := range map[string]func(*Rollout){
		"release-evidence.json":          func(r *Rollout) { r.Manifest[0]++ },
		"release-evidence.sigstore.json": func(r *Rollout) { r.Package[0]++ },
		"release":                        func(r *Rollout) { r.Release.Source.GitTree = strings.Repeat("3", 40) },
		"linux-runner":                   func(r *Rollout) { r.Targets[0].SHA256 = strings.Repeat("a", 64) },
		"mac-laptop":                     func(r *Rollout) { r.Targets[1].Platform.Arch = "amd64" },
		"another":                        func(r *Rollout) { r.Targets[1].ID = "another" },
	} {
		r := good
		r.Targets = append([]Target{}, good.Targets...)
		change(&r)
		var failed []string
		for _, c := range p.Compare(r) {
			if c.Result != release.Pass {
				failed = append(failed, c.Subject)
			}
		}
		if len(failed) != 1 || failed[0] != name {
			t.Errorf("%s: %v failed", name, failed)
		}
	}
}

// Captures that are well signed and refused by the state.
func TestCapturesThatRulesRefuse(t *testing.T) {
	window := func(from, to string) *Planned {
		f, _ := time.Parse(time.RFC3339, from)
		u, _ := time.Parse(time.RFC3339, to)
		return &Planned{f.UTC(), u.UTC()}
	}
	for _, c := range []struct {
		name   string
		key    string
		change func(*Capture)
		code   Code
		words  string
	}{
		{"straight into production", "operator", func(c *Capture) { c.Ring = "production" }, CodeRule, "ring production is not the first of the policy, which is pilot"},
		{"second ring", "operator", func(c *Capture) { c.Ring = "staging" }, CodeRule, "names no executed promotion"},
		{"promotion that is none", "operator", func(c *Capture) { c.Ring, c.Execution = "staging", evidence.DigestOf([]byte("x")) }, CodeRule, "is no executed promotion of this log"},
		{"unknown ring", "operator", func(c *Capture) { c.Ring = "pilott" }, CodeRule, `the nearest known is "pilot"`},
		{"another environment", "operator", func(c *Capture) { c.Environment = "lab" }, CodeRule, "ring pilot belongs to environment production, not to lab"},
		{"no change record", "operator", func(c *Capture) { c.ChangeRecord = "" }, CodeRule, "asks for a change record"},
		{"change record of another form", "operator", func(c *Capture) { c.ChangeRecord = "CHANGE-1" }, CodeRule, "change record CHANGE-1 does not match"},
		{"half a match", "operator", func(c *Capture) { c.ChangeRecord = "CHG-1x" }, CodeRule, "does not match the policy's pattern"},
		{"closed window", "operator", func(c *Capture) { c.Window = window("2026-03-07T10:00:00Z", "2026-03-07T11:00:00Z") }, CodeRule, "2026-03-07T10:00:00Z: outside of mon tue wed thu fri"},
		{"window that runs over", "operator", func(c *Capture) { c.Window = window("2026-03-06T15:00:00Z", "2026-03-06T17:00:00Z") }, CodeRule, "2026-03-06T16:00:00Z: outside of"},
		{"frozen", "operator", func(c *Capture) { c.Window = window("2026-03-10T10:00:00Z", "2026-03-10T11:00:00Z") }, CodeRule, "frozen from 2026-03-10 to 2026-03-11: year end"},
		{"without the role", "releaser", nil, CodeEvidence, "is a releaser, not an operator"},
		{"as approver", "approver", nil, CodeEvidence, "is an approver, not an operator"},
		{"by a foreign key", "stranger", nil, CodeEvidence, "which trust version 1 does not list"},
		{"out of scope", "operator-staging", nil, CodeEvidence, "ring staging, not of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			rules := DefaultRules()
			rules.ChangeRecordPattern = "CHG-[0-9]+|INC-[0-9]+"
			rules.Rings[0].Windows.Allow = []Window{{weekdays[:5], []string{}, "09:00", "17:00", "Europe/Berlin"}}
			rules.Rings[0].Windows.Freezes = []Freeze{{"2026-03-10", "2026-03-11", "Europe/Berlin", "year end"}}
			w.signPolicy(rules)
			w.populate("pilot")
			capture := pilot()
			if c.change != nil {
				c.change(&capture)
			}
			h := w.head(c.key)
			if c.key == "stranger" {
				h.Actor.Person = "ada"
			}
			st := must[evidence.Statement[Rollout]](t)(NewRollout(h, packageOf(t, "v1.0.0"), w.s, capture))
			w.deny(act(w, c.key, st), c.code, c.words)
			if len(w.s.Rollouts()) != 0 {
				t.Error("it is a rollout all the same")
			}
		})
	}
}

// A good window, so that the refusals above are about theirs.
func TestCaptureInAnOpenWindow(t *testing.T) {
	w := newWorld(t)
	rules := DefaultRules()
	rules.Rings[0].Windows.Allow = []Window{{weekdays[:5], []string{}, "09:00", "17:00", "Europe/Berlin"}}
	w.signPolicy(rules)
	w.populate("pilot")
	c := pilot()
	c.Window = &Planned{time.Date(2026, 3, 6, 8, 0, 0, 0, time.UTC), time.Date(2026, 3, 6, 16, 0, 0, 0, time.UTC)}
	w.do(act(w, "operator", w.newRollout("operator", "v1.0.0", c)))
}

func TestPopulationComesBeforeTheCapture(t *testing.T) {
	w := newWorld(t)
	w.deny(act(w, "operator", w.newRollout("operator", "v1.0.0", pilot())), CodeRule, "no population of target linux-runner is recorded")
	w.populate("pilot")
	w.capture()
	rules := DefaultRules()
	rules.Rings[0].Coverage = 0
	w = newWorld(t)
	w.signPolicy(rules)
	w.capture()
}

func TestHeldRingsAndTargets(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	ring := must[evidence.Statement[Hold]](t)(w.s.HoldRing(w.head("policy"), w.ring("pilot"), "incident"))
	w.do(act(w, "policy", ring))
	w.deny(act(w, "operator", w.newRollout("operator", "v1.0.0", pilot())), CodeRule, "ring pilot of environment production is held by grace: incident")
	target := must[evidence.Statement[Hold]](t)(w.s.HoldTarget(w.head("policy-2"), "mac-laptop", "recall"))
	w.do(act(w, "policy-2", target))
	holds := w.s.Holds()
	lift := func(o OpenHold) Act {
		return act(w, "policy-2", must[evidence.Statement[Lift]](t)(w.s.Lift(w.head("policy-2"), o, "over")))
	}
	wrong := holds[0]
	wrong.Ring = "staging"
	w.deny(lift(wrong), CodeEvidence, "the lift is of ring staging")
	w.do(lift(holds[0]))
	if r := w.deny(lift(holds[0]), CodeConflict, "is lifted already"); r.Already.IsZero() {
		t.Error("the first lift is not named")
	}
	w.deny(act(w, "operator", w.newRollout("operator", "v1.0.0", pilot())), CodeRule, "target mac-laptop is held by owner: recall")
	c := pilot()
	c.Targets = []string{"linux-runner"}
	w.do(act(w, "operator", w.newRollout("operator", "v1.0.0", c)))
	w.do(lift(holds[1]))
	gone := holds[1]
	gone.Act = evidence.DigestOf([]byte("x"))
	w.deny(lift(gone), CodeEvidence, "which is no hold of this log")
	w.deny(act(w, "operator", must[evidence.Statement[Hold]](t)(w.s.HoldTarget(w.head("operator"), "mac-laptop", "x"))), CodeEvidence, "is an operator, not a policy key")
	w.deny(act(w, "policy", must[evidence.Statement[Hold]](t)(w.s.HoldRing(w.head("policy"), Ring{Name: "prod", Environment: "production"}, "x"))), CodeRule, `ring "prod" is not known`)
}

func TestSameCaptureTwiceIsOneRollout(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	first := w.do(act(w, "operator", w.newRollout("operator", "v1.0.0", pilot())))
	if r := w.try(first); r != nil {
		t.Errorf("the same act: %s", r)
	}
	again := w.newRollout("operator-2", "v1.0.0", pilot())
	if r := w.deny(act(w, "operator-2", again), CodeConflict, "is already captured"); r.Already != first.Digest {
		t.Errorf("already %s, expected %s", r.Already, first.Digest)
	}
	other := pilot()
	other.Status = StatusPlanned
	if r := w.deny(act(w, "operator", w.newRollout("operator", "v1.0.0", other)), CodeConflict, "is recorded with other content"); !r.Already.IsZero() {
		t.Error("another content counts as the same")
	}
	other = pilot()
	other.Window = &Planned{day, day.Add(time.Hour)}
	w.deny(act(w, "operator", w.newRollout("operator", "v1.0.0", other)), CodeConflict, "is recorded with other content")
	if got := w.s.Rollouts(); len(got) != 1 {
		t.Errorf("rollouts %v", got)
	}
}

// rebuilt is v1.0.0 from another commit.
func rebuilt(t testing.TB) *Package {
	v, f := packageFiles(t, "v1.0.0")
	m := must[*release.Manifest](t)(release.DecodeManifest(f.Manifest))
	m.Release.Source.GitCommit = strings.Repeat("9", 40)
	var d release.Deployment
	ok(t, envelope.Decode(f.Deployment, &d))
	d.Release = m.Release
	m.Files = m.Files[:0:0]
	for _, b := range m.Binaries {
		m.Files = append(m.Files, release.Artifact{Path: b.Path, Size: 1, Mode: "0755", SHA256: evidence.SHA256([]byte(b.Path)), Role: release.RoleBinary})
	}
	v, f = sealPackage(t, *m, d)
	return must[*Package](t)(ReadPackage(v, f))
}

func TestVersionBelongsToTheFirstPackage(t *testing.T) {
	other := rebuilt(t)
	capture := func(w *world, p *Package, change string) Act {
		c := pilot()
		c.ChangeRecord = change
		return act(w, "operator", must[evidence.Statement[Rollout]](t)(NewRollout(w.head("operator"), p, w.s, c)))
	}
	closing := func(w *world, key, version string) Act {
		v, f := packageFiles(t, version)
		return act(w, key, closingOf(*v.Release, f.Manifest))
	}
	t.Run("captured", func(t *testing.T) {
		w := newWorld(t)
		w.populate("pilot")
		w.do(capture(w, packageOf(t, "v1.0.0"), "CHG-1"))
		w.deny(capture(w, other, "CHG-2"), CodeConflict, "age v1.0.0 is the release with manifest")
		w.do(capture(w, packageOf(t, "v1.1.0"), "CHG-2"))
	})
	t.Run("recorded as package", func(t *testing.T) {
		w := newWorld(t)
		w.do(closing(w, "releaser", "v1.0.0"))
		w.populate("pilot")
		w.deny(capture(w, other, "CHG-2"), CodeConflict, "age v1.0.0 is the release with manifest")
		w.do(capture(w, packageOf(t, "v1.0.0"), "CHG-1"))
	})
	t.Run("recorded by who may not release", func(t *testing.T) {
		w := newWorld(t)
		w.do(closing(w, "approver", "v1.0.0"))
		w.populate("pilot")
		w.do(capture(w, other, "CHG-1"))
	})
	t.Run("first act of the log", func(t *testing.T) {
		w := newWorld(t)
		w.s.policy.Rules.Rings[0].Coverage = 0 // so that no act stands before the capture
		w.do(closing(w, "releaser", "v1.0.0"))
		w.deny(capture(w, other, "CHG-2"), CodeConflict, "age v1.0.0 is the release with manifest")
	})
}

func TestRollbackIsWhatTheLogKnows(t *testing.T) {
	w := newWorld(t)
	id := w.succeeded()
	if got := w.s.Holding("production", "pilot", "linux-runner"); got.Version != "v1.0.0" || got.Manifest != w.progress(id).Rollout.Manifest.String() {
		t.Fatalf("holds %+v", got)
	}
	c := pilot()
	c.ChangeRecord = "CHG-2"
	next := w.newRollout("operator", "v1.1.0", c)
	if got := next.Predicate.Targets[0].Rollback.Version; got != "v1.0.0" {
		t.Errorf("goes back to %q", got)
	}
	stale := w.newRollout("operator", "v1.1.0", c)
	for i := range stale.Predicate.Targets {
		stale.Predicate.Targets[i].Rollback.Version = "v0.9.0"
	}
	w.deny(act(w, "operator", stale), CodeConflict, "stale plan: target linux-runner goes back to v0.9.0")
	blind := must[evidence.Statement[Rollout]](t)(NewRollout(w.head("operator"), packageOf(t, "v1.1.0"), nil, c))
	w.do(act(w, "operator", blind))
	fresh := newWorld(t)
	fresh.populate("pilot")
	fresh.deny(act(fresh, "operator", next), CodeConflict, "by this log it holds nothing")
}

// A promotion lets its release into a later ring, for its targets and no other.
func TestPromotionLetsIntoALaterRing(t *testing.T) {
	w := newWorld(t)
	w.populate("staging")
	p, promotion := packageOf(t, "v1.0.0"), evidence.DigestOf([]byte("promotion"))
	c := Capture{Environment: "production", Ring: "staging", ChangeRecord: "CHG-1", Status: StatusPlanned, Execution: promotion}
	st := must[evidence.Statement[Rollout]](t)(NewRollout(w.head("operator"), p, w.s, c))
	for words, e := range map[string]execution{
		"put release sha256:0000":            {evidence.Digest{}, "production", "staging", []string{"linux-runner", "mac-laptop"}},
		"into ring production of production": {p.Manifest, "production", "production", []string{"linux-runner", "mac-laptop"}},
		"does not name target mac-laptop":    {p.Manifest, "production", "staging", []string{"linux-runner"}},
	} {
		w.s.executions[promotion] = e
		expectRefusal(t, w.s.Judge(act(w, "operator", st)), CodeRule, words)
	}
	w.s.executions[promotion] = execution{p.Manifest, "production", "staging", []string{"linux-runner", "mac-laptop"}}
	w.do(act(w, "operator", st))
}
