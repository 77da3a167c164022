package rollout

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
)

// A Witness is a cosignature over the checkpoint that the execution has seen. It
// travels with the execution, so that whoever replays it verifies it again.
type Witness struct {
	Time        time.Time `json:"time"`        // that the cosignature says
	By          string    `json:"by"`          // keyid of the witness
	Cosignature string    `json:"cosignature"` // signature line (C2SP tlog-cosignature, Ed25519), without its line end
}

func (w *Witness) parse() (translog.Cosignature, error) {
	c, err := translog.ParseCosignature([]byte(w.Cosignature + "\n"))
	if err != nil {
		return c, fmt.Errorf("the witness's cosignature: %w", err)
	}
	return c, nil
}

// timeWord is what the time of an execution stands on.
func (w *Witness) timeWord() string {
	if w == nil {
		return TimeStore
	}
	return TimeWitnessed
}

// NewWitness verifies a cosignature over a checkpoint as one by a witness of a trust
// version who keeps no log. The error says why it is none.
func NewWitness(c translog.Cosignature, seen evidence.Checkpoint, authority trust.Authority) (*Witness, error) {
	line, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	var refusal *Refusal
	for _, keyid := range trust.KeysOf(authority, trust.Witness) {
		w := &Witness{By: keyid, Cosignature: string(line[:len(line)-1])}
		if w.Time, refusal = w.verify(authority, seen); refusal != nil {
			continue
		}
		if refusal = w.judgeKeeper(authority); refusal == nil {
			return w, nil
		}
		return nil, refusal
	}
	return nil, refuse(CodeEvidence, "", "the cosignature by %s over the checkpoint of size %d verifies under the key of no witness", archive.Printable(c.Name()), seen.Size)
}

// verify returns the time of the cosignature.
func (w *Witness) verify(authority trust.Authority, seen evidence.Checkpoint) (time.Time, *Refusal) {
	c, err := w.parse()
	if err != nil {
		return time.Time{}, refuse(CodeEvidence, "", "%v", err)
	}
	public, _ := authority.Key(w.By)
	key, ok := public.Crypto().(ed25519.PublicKey)
	if !ok {
		return time.Time{}, refuse(CodeEvidence, "", "the witness's key %s is not of Ed25519", archive.Printable(w.By))
	}
	at, err := c.Verify(translog.Checkpoint{Origin: seen.Origin, Tree: translog.Tree{Size: seen.Size, Root: translog.Hash(seen.Root)}}, c.Name(), key)
	if err != nil {
		return at, refuse(CodeEvidence, "", "the cosignature is not by %s over the checkpoint of size %d that the execution has seen: %v", archive.Printable(w.By), seen.Size, err)
	}
	return at, nil
}

// judge wants a cosignature that says this time over the checkpoint that was seen, by
// a witness who keeps no log.
func (w *Witness) judge(by signed, seen *evidence.Checkpoint) *Refusal {
	ruling := by.authority.Rule(trust.Use{KeyID: w.By, Role: trust.Witness})
	if !slices.Contains(trust.KeysOf(by.authority, trust.Witness), w.By) {
		return refuse(CodeEvidence, "", "%s is no witness by trust version %d", archive.Printable(w.By), by.trust.Version)
	}
	if ruling.Outcome != trust.Granted {
		return refuse(CodeEvidence, ruling.Hint, "witness %s: %s", w.By, ruling.Reason)
	}
	if refusal := w.judgeKeeper(by.authority); refusal != nil {
		return refusal
	}
	at, refusal := w.verify(by.authority, *seen)
	if refusal != nil {
		return refusal
	}
	if !at.Equal(w.Time) {
		return refuse(CodeEvidence, "", "the execution names %s as the witness's time, and the cosignature says %s", stamp(w.Time), stamp(at))
	}
	return nil
}

// judgeKeeper refuses a witness who keeps a log.
func (w *Witness) judgeKeeper(authority trust.Authority) *Refusal {
	person := personOf(authority, w.By)
	for _, keyid := range trust.KeysOf(authority, trust.Log) {
		if personOf(authority, keyid) == person {
			return refuse(CodeEvidence, "", "witness %s belongs to %s, who keeps a log", w.By, person)
		}
	}
	return nil
}
