package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/schemas"
)

var verified = Integrity{Package: release.Pass, Directory: release.Pass}

// soaked is a rollout that is ready.
func soaked(t testing.TB) (*world, string) {
	w := newWorld(t)
	id := w.succeeded()
	w.after(24 * time.Hour)
	w.do(w.observation("observer", id, w.inventory(id)))
	return w, id
}

func reasonIDs(r Readiness) string {
	var ids []string
	for _, x := range r.Reasons {
		ids = append(ids, x.ID)
	}
	return strings.Join(ids, " ")
}

// situations are what keeps a rollout from being ready, each alone.
var situations = []struct {
	name   string
	change func(w *world, id string, in *Integrity)
	grade  Grade
	ids    string
	words  string
}{
	{"ready", nil, Ready, "", ""},
	{"nothing was checked", func(_ *world, _ string, in *Integrity) { *in = Integrity{} }, Incomplete, "integrity-package integrity-directory", "was not verified"},
	{"package replaced after capture", func(_ *world, _ string, in *Integrity) {
		in.Package, in.Failures = release.Fail, []string{"rollout-package\u202e"}
	}, Blocked, "integrity-package", `did not verify: rollout-package\u{202e}`},
	{"directory edited", func(_ *world, _ string, in *Integrity) { in.Directory = release.Fail }, Blocked, "integrity-directory", "the rollout's directory did not verify"},
	{"revoked key", func(_ *world, _ string, in *Integrity) {
		in.Revoked = []RevokedKey{{keyid("operator"), evidence.Digest{}, "compromised"}}
	}, Blocked, "revoked-key", "counts no longer: compromised"},
	{"held ring", func(w *world, _ string, _ *Integrity) {
		w.do(act(w, "policy", must[evidence.Statement[Hold]](w.t)(w.s.HoldRing(w.head("policy"), w.ring("pilot"), "incident"))))
	}, Blocked, "hold", "is held by grace since"},
	{"held target", func(w *world, _ string, _ *Integrity) {
		w.do(act(w, "policy", must[evidence.Statement[Hold]](w.t)(w.s.HoldTarget(w.head("policy"), "mac-laptop", "recall"))))
	}, Blocked, "hold", "target mac-laptop is held by grace"},
	{"held elsewhere", func(w *world, _ string, _ *Integrity) {
		w.do(act(w, "policy", must[evidence.Statement[Hold]](w.t)(w.s.HoldRing(w.head("policy"), w.ring("staging"), "x"))))
	}, Ready, "", ""},
	{"host lost", func(w *world, id string, _ *Integrity) { w.do(w.observation("observer", id, w.inventory(id)[1:])) }, Incomplete, "coverage", "target linux-runner has 3 of 4"},
	{"cover again after a break", func(w *world, id string, _ *Integrity) {
		w.do(w.observation("observer", id, w.inventory(id)[1:]))
		w.do(w.observation("observer", id, w.inventory(id)))
	}, Incomplete, "soak", "ring pilot soaks 24h"},
	{"host outside", func(w *world, id string, _ *Integrity) {
		list := append(w.inventory(id), Endpoint{"host-9", "linux-runner", strings.Repeat("b", 64), w.now})
		w.do(w.observation("observer", id, list))
	}, Review, "different", "1 outside of the population"},
	{"old word", func(w *world, _ string, _ *Integrity) { w.after(25 * time.Hour) }, Incomplete, "staleness", "lets it be 24h old"},
	{"same release failed later", func(w *world, _ string, _ *Integrity) {
		c := pilot()
		c.ChangeRecord = "CHG-2"
		r := w.newRollout("operator", "v1.0.0", c)
		w.do(act(w, "operator", r))
		w.do(w.status("operator", r.Predicate.ID, StatusFailed))
	}, Blocked, "failed-later", "that rollout is failed"},
	{"another release failed later", func(w *world, _ string, _ *Integrity) {
		c := pilot()
		c.ChangeRecord = "CHG-2"
		r := w.newRollout("operator", "v1.1.0", c)
		w.do(act(w, "operator", r))
		w.do(w.status("operator", r.Predicate.ID, StatusFailed))
	}, Ready, "", ""},
	{"superseded", func(w *world, _ string, _ *Integrity) {
		c := pilot()
		c.ChangeRecord, c.Targets = "CHG-2", []string{"linux-runner"}
		r := w.newRollout("operator", "v1.1.0", c)
		w.do(act(w, "operator", r))
		w.do(w.observation("observer", r.Predicate.ID, w.inventory(r.Predicate.ID)))
		w.do(w.status("operator", r.Predicate.ID, StatusSucceeded))
	}, Review, "superseded", "target linux-runner holds v1.1.0"},
	{"clock set back", func(w *world, _ string, _ *Integrity) { w.after(-2 * time.Second) }, Blocked, "clock", "the clock says"},
	{"ring gone from the policy", func(w *world, _ string, _ *Integrity) {
		rules := DefaultRules()
		rules.Rings = rules.Rings[1:]
		w.signPolicy(rules)
	}, Blocked, "ring", `ring "pilot" is not known`},
	{"rebuild wanted", func(w *world, _ string, in *Integrity) {
		rules := DefaultRules()
		rules.Rings[0].Rebuilds = 1
		w.signPolicy(rules)
		in.Releasers, in.Rebuilds = []string{"ada"}, []Rebuild{{"ada", evidence.Digest{}}}
	}, Incomplete, "rebuilds", "0 persons beside the releaser have rebuilt the release, ring pilot asks for 1"},
	{"rebuilt twice by one", func(w *world, _ string, in *Integrity) {
		rules := DefaultRules()
		rules.Rings[0].Rebuilds = 2
		w.signPolicy(rules)
		in.Releasers, in.Rebuilds = []string{"ada"}, []Rebuild{{"grace", evidence.Digest{}}, {"grace", evidence.Digest{}}}
	}, Incomplete, "rebuilds", "1 persons"},
	{"rebuilt", func(w *world, _ string, in *Integrity) {
		rules := DefaultRules()
		rules.Rings[0].Rebuilds = 1
		w.signPolicy(rules)
		in.Releasers, in.Rebuilds = []string{"ada"}, []Rebuild{{"grace", evidence.Digest{}}}
	}, Ready, "", ""},
}

func TestReadinessListsEveryReason(t *testing.T) {
	for _, c := range situations {
		t.Run(c.name, func(t *testing.T) {
			w, id := soaked(t)
			in := verified
			if c.change != nil {
				c.change(w, id, &in)
			}
			r := w.s.Readiness(id, in, w.now)
			checkReadiness(t, r)
			if r.Grade != c.grade || reasonIDs(r) != c.ids {
				t.Fatalf("%s for %q, expected %s for %q: %+v", r.Grade, reasonIDs(r), c.grade, c.ids, r.Reasons)
			}
			if len(r.Reasons) > 0 && !strings.Contains(r.Reasons[0].Text, c.words) {
				t.Errorf("%q", r.Reasons[0].Text)
			}
		})
	}
}

// checkReadiness holds a document to its schema, and reasons to saying what clears
// them.
func checkReadiness(t *testing.T, r Readiness) {
	t.Helper()
	data := must[[]byte](t)(envelope.Encode(r))
	ok(t, schemas.Validate(ReadinessSchema, data))
	for _, x := range r.Reasons {
		if x.Clears == "" && x.ID != "ring" {
			t.Errorf("%s does not say what would clear it", x.ID)
		}
	}
}

func TestReadinessOnTheWay(t *testing.T) {
	w := newWorld(t)
	step := func(grade Grade, ids string) {
		t.Helper()
		r := w.s.Readiness("CHG-1-v1.0.0-pilot-"+suffix(w), verified, w.now)
		checkReadiness(t, r)
		if r.Grade != grade || reasonIDs(r) != ids {
			t.Errorf("%s for %q, expected %s for %q", r.Grade, reasonIDs(r), grade, ids)
		}
	}
	step(Blocked, "rollout")
	w.populate("pilot")
	id := w.capture()
	step(Incomplete, "status coverage")
	w.deny(w.status("operator", id, StatusSucceeded), CodeRule, "no observation")
	r := w.s.Readiness(id, verified, w.now)
	if len(r.Notes) != 4 || !strings.Contains(r.Notes[0], "built-in default") || !strings.Contains(r.Notes[1], "was illegal and changed nothing") {
		t.Errorf("notes %q", r.Notes)
	}
	w.after(time.Minute)
	w.do(w.observation("observer", id, w.inventory(id)))
	step(Incomplete, "status")
	w.do(w.status("operator", id, StatusSucceeded))
	step(Incomplete, "soak")
}

func suffix(w *world) string {
	id := w.newRollout("operator", "v1.0.0", pilot()).Predicate.ID
	return id[len(id)-8:]
}

// Soak is counted from what the store recorded, whatever anybody claims.
func TestSoakIgnoresClaimedTimes(t *testing.T) {
	w := newWorld(t)
	id := w.captured()
	w.do(w.observation("observer", id, w.inventory(id)))
	h := w.head("operator")
	h.Claimed = day.AddDate(0, -1, 0)
	w.do(act(w, "operator", must[evidence.Statement[StatusChange]](t)(NewStatusChange(h, w.progress(id), StatusSucceeded, ""))))
	if r := w.s.Readiness(id, verified, w.now); reasonIDs(r) != "soak" {
		t.Errorf("%s for %q", r.Grade, reasonIDs(r))
	}
	over := w.progress(id).Succeeded.Add(24 * time.Hour)
	if r := w.s.Readiness(id, verified, over.Add(-time.Millisecond)); !strings.Contains(reasonIDs(r), "soak") {
		t.Errorf("a millisecond before: %q", reasonIDs(r))
	}
	if r := w.s.Readiness(id, verified, over); strings.Contains(reasonIDs(r), "soak") {
		t.Errorf("when it is over: %q", reasonIDs(r))
	}
}

func TestUnattendedIsSaid(t *testing.T) {
	w := newWorld(t)
	rules := DefaultRules()
	rules.Rings[1].Quorum = 0
	w.signPolicy(rules)
	id := w.succeeded()
	r := w.s.Readiness(id, verified, w.now)
	if !strings.Contains(strings.Join(r.Notes, "\n"), "unattended: nobody has to approve a promotion into ring staging") || r.DefaultPolicy {
		t.Errorf("notes %q", r.Notes)
	}
}
