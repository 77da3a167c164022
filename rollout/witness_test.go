package rollout

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
)

const witnessName = "witness.example.com/grace"

// cosigned is a cosignature by the key of a name over the checkpoint that was seen.
func (s *stage) cosigned(name string, at time.Time) *Witness {
	s.t.Helper()
	k := keyOf(name)
	over := translog.Checkpoint{Origin: s.seen.Origin, Tree: translog.Tree{Size: s.seen.Size, Root: translog.Hash(s.seen.Root)}}
	c := must[translog.Cosignature](s.t)(translog.Cosign(over, witnessName, k.private.Public().(ed25519.PublicKey), k, at))
	line := must[[]byte](s.t)(c.Marshal())
	return &Witness{second(at), keyid(name), strings.TrimSuffix(string(line), "\n")}
}

// witnessing is a stage whose ring staging asks for witnessed time.
func witnessing(t testing.TB, edits ...func(*trust.Edit)) *stage {
	s := newStage(t, edits...).ruled(func(r *Rules) { r.Rings[1].WitnessedTime = true })
	s.seen = &evidence.Checkpoint{Origin: s.origin, Size: 9, Root: evidence.DigestOf([]byte("tree"))}
	return s
}

func (s *stage) enactionAt(w *Witness) Enaction { return Enaction{Origin: s.origin, Witness: w} }

func TestWitnessedTime(t *testing.T) {
	s := witnessing(t)
	r := s.approved("v1.0.0", "CHG-1")
	s.deny(s.execution(r.Digest), CodeRule, "ring staging asks for witnessed time")
	for _, c := range []struct {
		by    string
		at    time.Time
		code  Code
		words string
	}{
		{"observer", s.now, CodeEvidence, "is no witness"},
		{"witness-log", s.now, CodeEvidence, "belongs to keeper, who keeps a log"},
		{"witness", s.now.Add(-time.Hour), CodeRule, "clock behind the evidence: the witness says"},
		{"witness", s.now.Add(time.Hour), CodeRule, "the witness says"},
	} {
		s.deny(s.executionAs("executor", r.Digest, s.enactionAt(s.cosigned(c.by, c.at))), c.code, c.words)
	}
	x := s.do(s.executionAs("executor", r.Digest, s.enactionAt(s.cosigned("witness", s.now))))
	st := must[evidence.Statement[PromotionExecution]](t)(evidence.DecodeStatement[PromotionExecution](x.Statement, PromotionExecutionType))
	if st.Predicate.Time != TimeWitnessed {
		t.Errorf("the time is %q", st.Predicate.Time)
	}
}

// An executor can't say a time that no witness has said.
func TestForgedWitness(t *testing.T) {
	s := witnessing(t)
	r := s.approved("v1.0.0", "CHG-1")
	forged := func(edit func(*Witness)) Act {
		w := s.cosigned("witness", s.now)
		edit(w)
		return s.executionAs("executor", r.Digest, s.enactionAt(w))
	}
	s.deny(forged(func(w *Witness) { w.Time = w.Time.Add(-time.Second) }), CodeEvidence, "and the cosignature says")
	s.deny(forged(func(w *Witness) { w.Cosignature = s.cosigned("executor", s.now).Cosignature }), CodeEvidence, "the cosignature is not by")
	old := s.cosigned("witness", s.now)
	s.seen = &evidence.Checkpoint{Origin: s.origin, Size: 10, Root: evidence.DigestOf([]byte("a later tree"))}
	s.deny(forged(func(w *Witness) { w.Cosignature = old.Cosignature }), CodeEvidence, "over the checkpoint of size 10")
	s.do(forged(func(*Witness) {}))
}

func TestWitnessesThatAreNone(t *testing.T) {
	s := witnessing(t)
	r := s.approved("v1.0.0", "CHG-1")
	w := s.cosigned("witness", s.now)
	s.seen = nil
	_, err := s.s.NewPromotionExecution(s.by("executor"), r.Digest, verified, s.enactionAt(w), s.now)
	wantError(t, err, "has seen no checkpoint")
	s.seen = &evidence.Checkpoint{Origin: s.origin, Size: 9, Root: evidence.DigestOf([]byte("tree"))}
	for _, line := range []string{"", "x", w.Cosignature + "\n", strings.TrimPrefix(w.Cosignature, "—")} {
		_, err := s.s.NewPromotionExecution(s.by("executor"), r.Digest, verified, s.enactionAt(&Witness{w.Time, w.By, line}), s.now)
		wantError(t, err, "the witness's cosignature: ")
	}
}

// A witness whose key was stolen gives no time.
func TestRevokedWitness(t *testing.T) {
	s := witnessing(t, func(e *trust.Edit) {
		ok(t, e.Revoke(keyid("witness"), trust.Revocation{At: day}))
	})
	r := s.approved("v1.0.0", "CHG-1")
	w := s.cosigned("witness", s.now)
	s.trusting(2)
	s.deny(s.executionAs("executor", r.Digest, s.enactionAt(w)), CodeEvidence, "revoked as compromised")
}

func TestNewWitness(t *testing.T) {
	s := witnessing(t)
	authority := must[trust.Authority](t)(s.s.options.Authorities.AtVersion(1, s.trust.Digest, s.now))
	for _, name := range []string{"witness", "witness-log", "observer"} {
		want := s.cosigned(name, s.now)
		c := must[translog.Cosignature](t)(want.parse())
		got, err := NewWitness(c, *s.seen, authority)
		switch name {
		case "witness":
			if ok(t, err); *got != *want {
				t.Errorf("got %v, expected %v", got, want)
			}
		case "witness-log":
			wantError(t, err, "who keeps a log")
		default:
			wantError(t, err, "the key of no witness")
		}
		other := *s.seen
		other.Size++
		if _, err := NewWitness(c, other, authority); err == nil {
			t.Error("a cosignature over another checkpoint was taken")
		}
	}
}

// A store's clock that was set forward soaks nothing where the time is witnessed.
func TestClockSetForward(t *testing.T) {
	s := witnessing(t)
	id := s.soaked("v1.0.0", "CHG-1")
	r := s.request(id)
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.yes("yes-2", r.Digest))
	s.s.rollouts[id].observed.covering = s.now.Add(-24*time.Hour + 2*time.Minute)
	w := s.cosigned("witness", s.now)
	s.after(3 * time.Minute)
	s.deny(s.executionAs("executor", r.Digest, s.enactionAt(w)), CodeRule, "ring pilot soaks 24h")
}

// A store's clock that was set into a window opens none that was closed by the
// witness's, also for a rollback.
func TestClockSetIntoAWindow(t *testing.T) {
	s := witnessing(t)
	before := s.approved("v1.0.0", "CHG-1")
	s.do(s.executionAs("executor", before.Digest, s.enactionAt(s.cosigned("witness", s.now))))
	id := s.soaked("v1.1.0", "CHG-2") // until a bit after 12:00
	s.ruled(func(r *Rules) {
		w := Window{Days: []string{}, Dates: []string{}, From: "12:30", To: "13:00", TimeZone: "UTC"}
		r.Rings[1].Windows.Allow = []Window{w}
	})
	r := s.request(id)
	s.approve(r)
	closed := s.cosigned("witness", s.now)
	s.after(30 * time.Minute)
	s.deny(s.executionAs("executor", r.Digest, s.enactionAt(closed)), CodeRule, "ring staging is closed at "+stamp(closed.Time))
	s.do(s.executionAs("executor", r.Digest, s.enactionAt(s.cosigned("witness", s.now))))

	s.after(23*time.Hour + 40*time.Minute)
	back := s.rollbackRequest()
	s.approve(back)
	closed = s.cosigned("witness", s.now)
	s.after(20 * time.Minute)
	s.deny(s.rollbackAs("executor", back.Digest, s.enactionAt(closed)), CodeRule, "ring staging is closed at "+stamp(closed.Time))
	s.deny(s.rollbackAs("executor", back.Digest, s.enaction()), CodeRule, "asks for witnessed time")
	s.do(s.rollbackAs("executor", back.Digest, s.enactionAt(s.cosigned("witness", s.now))))
}

func (s *stage) approve(r Act) {
	s.t.Helper()
	s.do(s.yes("yes-1", r.Digest))
	s.do(s.yes("yes-2", r.Digest))
}

func wantError(t testing.TB, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, expected %q", err, words)
	}
}
