package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/rollout"
)

// found is what was looked up before the state is used.
type found struct {
	project   string
	request   rollout.RequestStatus
	execution evidence.Record
	approval  evidence.Record // or denial, or hold
	to        evidence.Digest
	finding   rollout.Finding
}

// lookUp finds what an ask names, and verifies packages.
func (l *Local) lookUp(ctx context.Context, ask Ask) (found, error) {
	f := found{project: ask.Project}
	for _, step := range []func(context.Context, Ask, *found) error{l.lookUpRollout, l.lookUpRequest, l.lookUpActs, l.lookUpFinding} {
		if err := step(ctx, ask, &f); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (l *Local) lookUpRollout(ctx context.Context, ask Ask, f *found) (err error) {
	if ask.Rollout != "" {
		f.project, err = ProjectOf(ctx, l.options.Store, ask.Rollout)
	}
	return err
}

func (l *Local) lookUpRequest(ctx context.Context, ask Ask, f *found) (err error) {
	if ask.Request != "" {
		f.project, f.request, err = l.findRequest(ctx, ask.Request)
	}
	return err
}

func (l *Local) lookUpActs(ctx context.Context, ask Ask, f *found) error {
	for _, named := range []struct {
		name string
		into *evidence.Record
	}{{ask.Execution, &f.execution}, {ask.Approval, &f.approval}, {ask.Hold, &f.approval}} {
		if named.name == "" {
			continue
		}
		record, err := l.stored(ctx, named.name)
		if err != nil {
			return err
		}
		*named.into, f.project = record, record.Project
	}
	if ask.To == "" {
		return nil
	}
	to, err := evidence.ParseDigest(ask.To)
	f.to = to
	return err
}

// lookUpFinding verifies what stands behind a request or an execution.
func (l *Local) lookUpFinding(ctx context.Context, ask Ask, f *found) error {
	id := ask.Rollout
	switch ask.Kind {
	case KindExecution:
		id = f.request.Rollout
	case KindRequest:
	case KindRollbackRequest, KindRollbackExecution:
		return l.lookUpReturns(ctx, f)
	default:
		return nil
	}
	in, err := l.integrityOf(ctx, f.project, id, VerdictLife)
	f.finding.Integrity = in
	return err
}

// integrityOf is what this machine finds of a rollout, by its id, with a verdict about
// its package that is younger than oldest.
func (l *Local) integrityOf(ctx context.Context, project, id string, oldest time.Duration) (rollout.Integrity, error) {
	var progress rollout.Progress
	err := l.of(ctx, project, func(_ *Desk, s *rollout.State) (err error) {
		progress, err = ProgressOf(s, id)
		return err
	})
	if err != nil {
		return rollout.Integrity{}, err
	}
	return l.integrity(ctx, progress, oldest)
}

// lookUpReturns verifies the packages to which targets could go back.
func (l *Local) lookUpReturns(ctx context.Context, f *found) error {
	var manifests []evidence.Digest
	err := l.of(ctx, f.project, func(_ *Desk, s *rollout.State) error {
		manifests = Returns(s, []evidence.Digest{f.execution.Act, f.request.Act}, f.to, l.now())
		return nil
	})
	if err != nil {
		return err
	}
	f.finding.Verified, err = l.verified(ctx, manifests, VerdictLife)
	return err
}

// Returns lists the manifests of the releases to which targets of the named acts, that
// are requests or executions, could go back; to is one more, unless it is zero.
func Returns(s *rollout.State, acts []evidence.Digest, to evidence.Digest, now time.Time) []evidence.Digest {
	var manifests []evidence.Digest
	if !to.IsZero() {
		manifests = append(manifests, to)
	}
	names := func(d evidence.Digest) bool { return !d.IsZero() && slices.Contains(acts, d) }
	for _, r := range s.Requests(now) {
		executed, _ := evidence.ParseDigest(r.ExecutedBy) // zero where it is not
		if !names(executed) && !names(r.About) && !names(r.Act) {
			continue
		}
		for _, step := range r.Plan {
			for _, side := range []rollout.Rollback{step.Outgoing, step.Incoming} {
				if d, err := evidence.ParseDigest(side.Manifest); err == nil {
					manifests = append(manifests, d)
				}
			}
		}
		if r.Rollback != nil {
			for _, back := range r.Rollback.To {
				manifests = append(manifests, back.Manifest)
			}
		}
	}
	return manifests
}

// verified returns those manifests whose packages are in the store and verify.
func (l *Local) verified(ctx context.Context, manifests []evidence.Digest, oldest time.Duration) ([]evidence.Digest, error) {
	desk, err := l.desk()
	if err != nil {
		return nil, err
	}
	var list []evidence.Digest
	for _, manifest := range manifests {
		if slices.Contains(list, manifest) {
			continue
		}
		verdict, _, err := l.verdict(ctx, desk, manifest, oldest)
		var failure *Failure
		if errors.As(err, &failure) && failure.Missing {
			continue // the state says which one is missing
		}
		if err != nil {
			return nil, err
		}
		if verdict.Result == release.Pass {
			list = append(list, manifest)
		}
	}
	return list, nil
}
