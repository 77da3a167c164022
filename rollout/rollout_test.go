package rollout

import "testing"

// From population to ready, by four persons.
func TestFromCaptureToReady(t *testing.T) {
	w := newWorld(t)
	id := w.succeeded()
	verified := Integrity{Package: "pass", Directory: "pass"}
	if r := w.s.Readiness(id, verified, w.now); r.Grade != Incomplete || len(r.Reasons) != 1 || r.Reasons[0].ID != "soak" {
		t.Fatalf("before the soak: %+v", r)
	}
	if r := w.s.Readiness(id, verified, w.now.AddDate(0, 0, 1)); r.Grade != Incomplete || len(r.Reasons) != 1 || r.Reasons[0].ID != "staleness" {
		t.Fatalf("after a day without a word: %+v", r)
	}
	w.after(w.ring("pilot").Soak.Length())
	w.do(w.observation("observer", id, w.inventory(id)))
	if r := w.s.Readiness(id, verified, w.now); r.Grade != Ready || r.NextRing != "staging" {
		t.Fatalf("after soak: %+v", r)
	}
	if n := len(w.s.Illegal()); n > 0 {
		t.Fatalf("%d illegal acts", n)
	}
}
