package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
)

// A drafting is one draft in the making.
type drafting struct {
	*Local
	ask  Ask
	desk *Desk
	s    *rollout.State
	h    rollout.Head
	now  time.Time
	found
}

// compose makes the statements.
var compose = map[Kind]func(*drafting, context.Context) (payload []byte, files []File, err error){
	KindRequest: (*drafting).request, KindApproval: (*drafting).approve, KindClosing: (*drafting).close, KindDenial: (*drafting).deny, KindRevocation: (*drafting).revoke,
	KindExecution: (*drafting).execute, KindRollbackRequest: (*drafting).requestRollback, KindRollbackExecution: (*drafting).rollBack,
	KindHold: (*drafting).hold, KindLift: (*drafting).lift, KindObservation: (*drafting).observe,
}

// Draft composes the statement that the caller shall sign, on the log as it is now.
func (l *Local) Draft(ctx context.Context, ask Ask) (Draft, error) {
	statement, ok := compose[ask.Kind]
	if !ok {
		return Draft{}, unknownKind(ask.Kind)
	}
	f, err := l.lookUp(ctx, ask)
	if err != nil {
		return Draft{}, err
	}
	var draft Draft
	err = l.of(ctx, f.project, func(desk *Desk, s *rollout.State) error {
		if err := desk.Current(); err != nil {
			return err
		}
		now := l.now()
		h, err := desk.Head(ctx, l.options.Store, ask.KeyID, now)
		if err != nil {
			return err
		}
		data, files, err := statement(&drafting{l, ask, desk, s, h, now, f}, ctx)
		if err != nil {
			return badInput(err)
		}
		draft = Draft{ask.Kind, evidence.PayloadType, data, evidence.DigestOf(data), evidence.Stamp(now.Add(DraftLife)), append([]File{}, files...)}
		return nil
	})
	return draft, err
}

func unknownKind(k Kind) error {
	var names []string
	for _, kind := range Kinds {
		names = append(names, string(kind))
	}
	hint := "one of " + strings.Join(names, ", ")
	if near := envelope.Nearest(string(k), names); near != "" {
		hint = "the nearest known is " + near
	}
	return &Failure{Code: CodeUsage, Message: fmt.Sprintf("kind %q is not known", archive.Printable(string(k))), Hint: hint}
}

// badInput is the error of a statement that can't be made from what was given.
func badInput(err error) error {
	if Explain(err) != nil {
		return err
	}
	return &Failure{Code: CodeUsage, Message: err.Error()}
}

// payload encodes a statement that was made.
func payload[P any](s evidence.Statement[P], err error) ([]byte, []File, error) {
	if err != nil {
		return nil, nil, err
	}
	data, err := envelope.Encode(s)
	return data, nil, err
}

// asked is what a requester decides, for the log of this store.
func (d *drafting) asked(ctx context.Context) (rollout.Ask, error) {
	origin, err := Origin(ctx, d.options.Store)
	if d.ask.Expires.IsZero() {
		d.ask.Expires = d.now.AddDate(0, 0, 7)
	}
	return rollout.Ask{TrustRoot: trust.Digest(d.desk.Chain.Files()[trust.FileName(1)]), Origin: origin, Targets: d.ask.Targets, Expires: d.ask.Expires, Reason: d.ask.Reason}, err
}

func (d *drafting) request(ctx context.Context) ([]byte, []File, error) {
	ask, err := d.asked(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := ProgressOf(d.s, d.ask.Rollout); err != nil {
		return nil, nil, err
	}
	ring := d.ask.Ring
	if ring == "" {
		ring = d.s.Readiness(d.ask.Rollout, d.finding.Integrity, d.now).NextRing
	}
	if d.ask.PreApproveRollback {
		ask.Rollback = PreApproved(d.s, d.ask.Rollout, ring, ask)
	}
	return payload(d.s.NewPromotionRequest(d.h, d.ask.Rollout, ring, d.finding.Integrity, ask, d.now))
}

// PreApproved is going back to what the targets of a rollout hold in a ring now; nil
// where they hold nothing.
func PreApproved(s *rollout.State, id, ring string, ask rollout.Ask) *rollout.PreApproved {
	progress, _ := s.Progress(id)
	stage, _ := s.Policy().Rules.Ring(ring)
	back := &rollout.PreApproved{Until: ask.Expires.UTC().Truncate(time.Second), Uses: 1}
	for _, t := range progress.Rollout.Targets {
		if len(ask.Targets) > 0 && !slices.Contains(ask.Targets, t.ID) {
			continue
		}
		if manifest, err := evidence.ParseDigest(s.Holding(stage.Environment, ring, t.ID).Manifest); err == nil {
			back.To = append(back.To, rollout.Return{ID: t.ID, Manifest: manifest})
		}
	}
	if len(back.To) == 0 {
		return nil
	}
	return back
}

func (d *drafting) decision() rollout.Decision {
	return rollout.Decision{Meaning: d.ask.Meaning, Checked: d.ask.Checked, Expires: d.ask.Expires, Reason: d.ask.Reason}
}

func (d *drafting) approve(context.Context) ([]byte, []File, error) {
	return payload(d.s.NewApproval(d.h, d.found.request.Act, d.decision()))
}

func (d *drafting) close(context.Context) ([]byte, []File, error) {
	return payload(d.s.NewClosing(d.h, d.execution.Act, d.decision()))
}

func (d *drafting) deny(context.Context) ([]byte, []File, error) {
	return payload(d.s.NewDenial(d.h, d.found.request.Act, d.decision()))
}

func (d *drafting) revoke(context.Context) ([]byte, []File, error) {
	return payload(d.s.NewApprovalRevocation(d.h, d.approval.Act, d.ask.Reason))
}

func (d *drafting) enaction(ctx context.Context) (rollout.Enaction, error) {
	origin, err := Origin(ctx, d.options.Store)
	return rollout.Enaction{Origin: origin, Incident: d.ask.Incident}, err
}

func (d *drafting) execute(ctx context.Context) ([]byte, []File, error) {
	e, err := d.enaction(ctx)
	if err != nil {
		return nil, nil, err
	}
	return payload(d.s.NewPromotionExecution(d.h, d.found.request.Act, d.finding.Integrity, e, d.now))
}

func (d *drafting) requestRollback(ctx context.Context) ([]byte, []File, error) {
	ask, err := d.asked(ctx)
	if err != nil {
		return nil, nil, err
	}
	return payload(d.s.NewRollbackRequest(d.h, d.execution.Act, d.to, d.finding.Verified, ask, d.now))
}

func (d *drafting) rollBack(ctx context.Context) ([]byte, []File, error) {
	e, err := d.enaction(ctx)
	if err != nil {
		return nil, nil, err
	}
	if d.ask.Request == "" {
		return payload(d.s.NewPreApprovedRollback(d.h, d.execution.Act, d.ask.Reason, d.finding.Verified, e))
	}
	return payload(d.s.NewRollbackExecution(d.h, d.found.request.Act, d.finding.Verified, e, d.now))
}

func (d *drafting) hold(context.Context) ([]byte, []File, error) {
	if d.ask.Target != "" {
		return payload(d.s.HoldTarget(d.h, d.ask.Target, d.ask.Reason))
	}
	ring, err := RingOf(d.s.Policy().Rules, d.ask.Ring)
	if err != nil {
		return nil, nil, err
	}
	return payload(d.s.HoldRing(d.h, ring, d.ask.Reason))
}

// RingOf finds a ring of the rules in force, or names the nearest.
func RingOf(rules rollout.Rules, name string) (rollout.Ring, error) {
	ring, ok := rules.Ring(name)
	if ok {
		return ring, nil
	}
	var names []string
	for _, r := range rules.Rings {
		names = append(names, r.Name)
	}
	hint := "the policy has " + strings.Join(names, ", ")
	if near := envelope.Nearest(name, names); near != "" {
		hint = "the nearest known is " + near
	}
	return ring, &Failure{Code: CodeRule, Message: fmt.Sprintf("ring %q is not in the policy", archive.Printable(name)), Hint: hint}
}

func (d *drafting) lift(context.Context) ([]byte, []File, error) {
	for _, o := range d.s.Holds() {
		if o.Act == d.approval.Act {
			return payload(d.s.Lift(d.h, o, d.ask.Reason))
		}
	}
	return nil, nil, &Failure{Code: CodeRule, Message: d.approval.Act.String() + " is no open hold", Hint: "rollproof release rings shows what is held"}
}

// endpointsFile is the subject of an observation that its draft brings.
const endpointsFile = "endpoints.jsonl"

func (d *drafting) observe(ctx context.Context) ([]byte, []File, error) {
	if d.ask.Inventory == nil {
		return nil, nil, &Failure{Code: CodeUsage, Message: "an observation without an inventory"}
	}
	progress, err := ProgressOf(d.s, d.ask.Rollout)
	if err != nil {
		return nil, nil, err
	}
	i := d.ask.Inventory
	in := rollout.Sighting{Endpoints: i.endpoints(), Input: rollout.Input{SHA256: i.SHA256, Format: i.Format, Tool: i.Tool}, At: d.now}
	if err := Population(ctx, d.options.Store, d.s, progress, &in); err != nil {
		return nil, nil, err
	}
	s, list, err := d.s.NewObservation(d.h, progress, in)
	if err != nil {
		return nil, nil, err
	}
	data, err := envelope.Encode(s)
	return data, []File{{endpointsFile, list}}, err
}

// Population reads the lists of endpoints that a rollout's coverage counts against.
func Population(ctx context.Context, r evidence.Reader, s *rollout.State, progress rollout.Progress, in *rollout.Sighting) error {
	of := progress.Rollout
	population, ok := s.Population(of.Environment, of.Ring)
	if !ok || progress.Population.IsZero() {
		return &Failure{Code: CodeRule, Message: fmt.Sprintf("no population of ring %s was recorded before the capture", of.Ring), Hint: "rollproof release population --ring " + of.Ring + ", then capture"}
	}
	in.Population, in.Lists = population, map[string][]byte{}
	index, err := r.Find(ctx, population.Act.Hex())
	if err != nil {
		return err
	}
	blobs, err := r.Blobs(ctx, index)
	if err != nil {
		return err
	}
	for _, t := range population.Population.Targets {
		for _, b := range blobs {
			if b.Digest.Hex() != t.SHA256 {
				continue
			}
			if in.Lists[t.ID+".ids"], err = ReadBlob(ctx, r, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadBlob reads a small file of the store and compares its digest.
func ReadBlob(ctx context.Context, r evidence.Reader, b evidence.Blob) ([]byte, error) {
	f, err := r.OpenBlob(ctx, b.Digest)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, b.Size+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if evidence.DigestOf(data) != b.Digest {
		return nil, &Failure{Code: CodeEvidence, Message: fmt.Sprintf("blob %s was changed", b.Digest), Hint: "rollproof evidence verify --all names each place"}
	}
	return bytes.Clone(data), nil
}
