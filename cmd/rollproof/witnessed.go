package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

// witnessHint is how an execution comes to a witnessed time.
const witnessHint = "rollproof evidence log checkpoint signs the log, consistency makes the request to a witness, witness answers it, and checkpoint --cosignature keeps the answer"

// enactionOf is what an executor brings to a request.
func (a *acting) enactionOf(store *sqlite.Store, s *rollout.State, act evidence.Digest, now time.Time) (rollout.Enaction, error) {
	request, ok := s.Request(act.String(), now)
	if !ok {
		return rollout.Enaction{}, badStore(evidence.ErrNotFound)
	}
	stands := []evidence.Digest{act}
	for _, v := range request.Signatures {
		if v.Counts {
			stands = append(stands, v.Act)
		}
	}
	return a.enaction(store, s, request.TargetRing, stands)
}

// enaction is what an executor brings: where the ring asks for witnessed time, the
// cosignature over the newest checkpoint, which must hold the acts that the execution
// stands on.
func (a *acting) enaction(store *sqlite.Store, s *rollout.State, ring string, acts []evidence.Digest) (rollout.Enaction, error) {
	origin, err := service.Origin(a.ctx.Context, store)
	e := rollout.Enaction{Origin: origin, Incident: a.ctx.String("break-glass")}
	if rules, known := s.Policy().Rules.Ring(ring); err != nil || !known || !rules.WitnessedTime {
		return e, err
	}
	e.Witness, err = a.witness(store, ring, acts)
	return e, err
}

// witness is the newest time that a witness of the trust root gives.
func (a *acting) witness(store *sqlite.Store, ring string, acts []evidence.Digest) (*rollout.Witness, error) {
	wants := "ring " + ring + " asks for witnessed time, and "
	newest, ok, err := checkpoint.Newest(a.ctx.Context, store)
	if errors.Is(err, evidence.ErrNoLog) || err == nil && !ok {
		return nil, failure{exitRule, wants + "the log has no checkpoint", witnessHint}
	}
	if err != nil {
		return nil, badLog(err)
	}
	for _, act := range acts {
		index, err := store.Find(a.ctx.Context, act.Hex())
		if err != nil {
			return nil, badStore(err)
		}
		if index >= newest.Size {
			return nil, failure{exitRule, fmt.Sprintf("%sthe newest checkpoint, of size %d, does not hold record %d, on which the execution stands", wants, newest.Size, index), witnessHint}
		}
	}
	seen := evidence.Checkpoint{Origin: newest.Origin, Size: newest.Size, Root: evidence.Digest(newest.Root)}
	var best *rollout.Witness
	var refused error
	for _, c := range newest.Cosignatures() {
		w, err := rollout.NewWitness(c, seen, a.Authority)
		if err != nil {
			refused = err
			continue
		}
		if best == nil || w.Time.After(best.Time) {
			best = w
		}
	}
	switch {
	case best != nil:
		return best, nil
	case refused != nil:
		return nil, badStore(refused)
	}
	return nil, failure{exitRule, wants + "no witness has cosigned the newest checkpoint", witnessHint}
}
