package rollout

import (
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// Every step between two statuses, legal or not.
func TestStepsOfAStatus(t *testing.T) {
	all := []Status{StatusPlanned, StatusStaged, StatusSucceeded, StatusFailed, StatusRolledBack}
	legal := map[[2]Status]bool{
		{StatusPlanned, StatusStaged}: true, {StatusStaged, StatusSucceeded}: true, {StatusStaged, StatusFailed}: true, {StatusStaged, StatusRolledBack}: true,
	}
	named := map[Status]string{
		StatusPlanned: "from planned a rollout goes to staged, not to ", StatusStaged: "from staged a rollout goes to succeeded, failed or rolled_back, not to ",
		StatusSucceeded: "goes to nothing", StatusFailed: "goes to nothing", StatusRolledBack: "goes to nothing",
	}
	for _, from := range all {
		for _, to := range all {
			w := newWorld(t)
			w.populate("pilot")
			c := pilot()
			c.Status = StatusPlanned
			st := w.newRollout("operator", "v1.0.0", c)
			w.do(act(w, "operator", st))
			id := st.Predicate.ID
			if from != StatusPlanned {
				w.do(w.status("operator", id, StatusStaged))
			}
			w.after(time.Minute)
			w.do(w.observation("observer", id, w.inventory(id)))
			if from != StatusPlanned && from != StatusStaged {
				w.do(w.status("operator", id, from))
			}
			a := w.status("operator", id, to)
			if legal[[2]Status{from, to}] {
				w.do(a)
				continue
			}
			w.deny(a, CodeRule, named[from])
			if got := w.progress(id).Status; got != from {
				t.Errorf("%s to %s: it is %s", from, to, got)
			}
		}
	}
}

func TestStatusesThatDoNotCount(t *testing.T) {
	for _, c := range []struct {
		name   string
		key    string
		change func(*StatusChange)
		code   Code
		words  string
	}{
		{"foreign key", "stranger", nil, CodeEvidence, "which trust version 1 does not list"},
		{"without the role", "observer", nil, CodeEvidence, "is an observer, not an operator"},
		{"out of scope", "operator-staging", nil, CodeEvidence, "ring staging, not of"},
		{"stale", "operator", func(s *StatusChange) { s.Before = s.Capture }, CodeConflict, "stale status: it follows"},
		{"wrong status before", "operator", func(s *StatusChange) { s.From = StatusPlanned }, CodeEvidence, "the status names planned as the one before"},
		{"other target", "operator", func(s *StatusChange) { s.Targets = s.Targets[:1] }, CodeEvidence, "does not say of rollout"},
		{"other version", "operator", func(s *StatusChange) { s.Version = "v9.0.0" }, CodeEvidence, "does not say of rollout"},
		{"other ring", "operator", func(s *StatusChange) { s.Ring = "staging" }, CodeEvidence, "does not say of rollout"},
		{"other capture", "operator", func(s *StatusChange) { s.Capture[0]++ }, CodeEvidence, "as the capture of rollout"},
		{"no such rollout", "operator", func(s *StatusChange) { s.Rollout = "CHG-1" }, CodeEvidence, "is not recorded in this log"},
		{"no such status", "operator", func(s *StatusChange) { s.Status = "promoted" }, CodeEvidence, "does not fit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.populate("pilot")
			capture := pilot()
			capture.Status = StatusPlanned
			r := w.newRollout("operator", "v1.0.0", capture)
			w.do(act(w, "operator", r))
			w.do(w.status("operator", r.Predicate.ID, StatusStaged))
			h := w.head(c.key)
			if c.key == "stranger" {
				h.Actor.Person = "ada"
			}
			st := must[evidence.Statement[StatusChange]](t)(NewStatusChange(h, w.progress(r.Predicate.ID), StatusFailed, "broken"))
			if c.change != nil {
				c.change(&st.Predicate)
				st.Subject = st.Predicate.subjects()
			}
			w.deny(act(w, c.key, st), c.code, c.words)
			if got := w.progress(r.Predicate.ID).Status; got != StatusStaged {
				t.Errorf("it is %s", got)
			}
		})
	}
}

// A status that was legal once says nothing a second time.
func TestReplayedStatusChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	c := pilot()
	c.Status = StatusPlanned
	r := w.newRollout("operator", "v1.0.0", c)
	w.do(act(w, "operator", r))
	staged := w.do(w.status("operator", r.Predicate.ID, StatusStaged))
	w.do(w.status("operator", r.Predicate.ID, StatusFailed))
	w.do(staged)
	if p := w.progress(r.Predicate.ID); p.Status != StatusFailed || len(p.Events) != 3 {
		t.Errorf("%s after %d events", p.Status, len(p.Events))
	}
}

// A hand-made, well-signed "succeeded" is listed, and nothing changes.
func TestHandMadeSucceeded(t *testing.T) {
	w := newWorld(t)
	id := w.captured()
	w.deny(w.status("operator", id, StatusSucceeded), CodeRule, "needs a coverage of 100 % in ring pilot, and no observation of it is recorded")
	if p := w.progress(id); p.Status != StatusStaged || w.s.Holding("production", "pilot", "linux-runner") != (Rollback{}) {
		t.Errorf("it is %s", p.Status)
	}
	illegal := w.s.Illegal()
	if len(illegal) != 1 || illegal[0].Rollout != id || illegal[0].Refusal.Code != CodeRule {
		t.Errorf("illegal: %+v", illegal)
	}
	w.do(w.observation("observer", id, w.inventory(id)))
	again := w.acts[len(w.acts)-2]
	again.Index = int64(len(w.acts))
	if r := w.s.Apply(again); r == nil || len(w.s.Illegal()) != 1 {
		t.Errorf("an illegal act became legal by a later one, or is listed twice: %v", r)
	}
	if got := w.progress(id).Status; got != StatusStaged {
		t.Errorf("it is %s", got)
	}
}
