package service

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
)

// A RolloutList is every rollout of a project, newest first. Whether one is ready is
// not in it: that takes its package.
type RolloutList struct {
	Project  string        `json:"project"`
	At       string        `json:"at"`
	Rollouts []RolloutLine `json:"rollouts"`
	Illegal  []IllegalLine `json:"illegal"` // captures that changed nothing, newest first
}

// A RolloutLine is a rollout in a list.
type RolloutLine struct {
	ID           string          `json:"id"`
	Act          evidence.Digest `json:"act"`
	Index        int64           `json:"index"`
	Recorded     string          `json:"recorded"`
	Version      string          `json:"version"`
	Manifest     evidence.Digest `json:"manifest"`
	Environment  string          `json:"environment"`
	Ring         string          `json:"ring"`
	ChangeRecord string          `json:"changeRecord"`
	Status       rollout.Status  `json:"status"`
	Targets      []string        `json:"targets"`
	Execution    string          `json:"execution"` // the promotion that let it in, "" in the first ring
}

// An IllegalLine is an act that did not count where it stands.
type IllegalLine struct {
	Index         int64           `json:"index"`
	Act           evidence.Digest `json:"act"`
	PredicateType string          `json:"predicateType"`
	Rollout       string          `json:"rollout"`
	Reason        string          `json:"reason"`
}

// A RolloutView is one rollout and everything that the log says of it.
type RolloutView struct {
	RolloutLine
	Rollout    rollout.Rollout         `json:"rollout"` // as its operator signed it
	Operators  []string                `json:"operators"`
	History    []StatusLine            `json:"history"`    // from the capture on
	Population string                  `json:"population"` // the act that coverage counts against, "" for none
	Observed   *ObservationLine        `json:"observed"`   // the newest, null for none
	Readiness  rollout.Readiness       `json:"readiness"`
	Requests   []rollout.RequestStatus `json:"requests"` // about this rollout, newest first
}

// A StatusLine is a status that a rollout had.
type StatusLine struct {
	Status   rollout.Status  `json:"status"`
	Act      evidence.Digest `json:"act"`
	Index    int64           `json:"index"`
	Recorded string          `json:"recorded"`
	Person   string          `json:"person"`
	Reason   string          `json:"reason"`
}

// An ObservationLine is what an observer reported of a rollout.
type ObservationLine struct {
	Act        evidence.Digest    `json:"act"`
	Recorded   string             `json:"recorded"`
	ObservedAt string             `json:"observedAt"` // claimed
	Person     string             `json:"person"`
	Format     string             `json:"format"`
	Tool       string             `json:"tool"`
	Targets    []rollout.Observed `json:"targets"`
}

// of calls f with the present state of a project, which must be one of the store's; ""
// means the only one.
func (l *Local) of(ctx context.Context, project string, f func(*Desk, *rollout.State) error) error {
	list, err := l.Projects(ctx)
	if err != nil {
		return err
	}
	switch {
	case project == "" && len(list) == 1:
		project = list[0]
	case len(list) == 0:
		return missing("the store has no rollouts", "rollproof release verify-rollout DIR records one")
	case project == "":
		return &Failure{Code: CodeUsage, Message: "the store has several projects: " + strings.Join(list, ", "), Hint: "give --project"}
	case !slices.Contains(list, project):
		return missing("the store has no project "+archive.Printable(project), "it has "+strings.Join(list, ", "))
	}
	return l.state(ctx, l.options.Store, project, f)
}

// Rings says what is in each ring of a project.
func (l *Local) Rings(ctx context.Context, project string) (rollout.Rings, error) {
	var doc rollout.Rings
	err := l.of(ctx, project, func(_ *Desk, s *rollout.State) error {
		doc = s.Rings(l.now())
		return nil
	})
	return doc, err
}

// Diff compares what two rings of a project hold.
func (l *Local) Diff(ctx context.Context, project, a, b string) (rollout.Diff, error) {
	var doc rollout.Diff
	err := l.of(ctx, project, func(_ *Desk, s *rollout.State) (err error) {
		doc, err = s.Diff(a, b)
		return err
	})
	return doc, err
}

// History lists what came to a target of a project.
func (l *Local) History(ctx context.Context, project, environment, ring, target string) (rollout.History, error) {
	var doc rollout.History
	err := l.of(ctx, project, func(_ *Desk, s *rollout.State) error {
		doc = s.History(environment, ring, target)
		return nil
	})
	return doc, err
}

// Rollouts lists the rollouts of a project.
func (l *Local) Rollouts(ctx context.Context, project string) (RolloutList, error) {
	doc := RolloutList{At: evidence.Stamp(l.now()), Rollouts: []RolloutLine{}, Illegal: []IllegalLine{}}
	err := l.of(ctx, project, func(_ *Desk, s *rollout.State) error {
		doc.Project = s.Project()
		for _, id := range slices.Backward(s.Rollouts()) {
			if p, ok := s.Progress(id); ok {
				doc.Rollouts = append(doc.Rollouts, rolloutLine(p))
			}
		}
		for _, a := range slices.Backward(s.Illegal()) {
			if a.PredicateType == rollout.RolloutType {
				doc.Illegal = append(doc.Illegal, IllegalLine{a.Index, a.Digest, a.PredicateType, a.Rollout, a.Refusal.Reason})
			}
		}
		return nil
	})
	return doc, err
}

func rolloutLine(p rollout.Progress) RolloutLine {
	r := p.Rollout
	line := RolloutLine{
		ID: r.ID, Act: p.Act, Index: p.Index, Recorded: evidence.Stamp(p.Recorded), Version: r.Release.Version, Manifest: r.Manifest,
		Environment: r.Environment, Ring: r.Ring, ChangeRecord: r.ChangeRecord, Status: p.Status, Targets: []string{}, Execution: r.Execution,
	}
	for _, t := range r.Targets {
		line.Targets = append(line.Targets, t.ID)
	}
	return line
}

// Rollout returns a rollout by its id.
func (l *Local) Rollout(ctx context.Context, id string) (RolloutView, error) {
	project, err := ProjectOf(ctx, l.options.Store, id)
	if err != nil {
		return RolloutView{}, err
	}
	var view RolloutView
	err = l.judged(ctx, project, id, VerdictLife, func(_ *Desk, s *rollout.State, in rollout.Integrity, now time.Time) error {
		p, err := ProgressOf(s, id)
		if err != nil {
			return err
		}
		view = rolloutView(p)
		view.Readiness = s.Readiness(id, in, now)
		for _, r := range s.Requests(now) {
			if r.Rollout == id {
				view.Requests = append(view.Requests, r)
			}
		}
		return nil
	})
	return view, err
}

func rolloutView(p rollout.Progress) RolloutView {
	v := RolloutView{RolloutLine: rolloutLine(p), Rollout: p.Rollout, Operators: append([]string{}, p.Operators...), History: []StatusLine{}, Requests: []rollout.RequestStatus{}}
	for _, e := range p.Events {
		v.History = append(v.History, StatusLine{e.Status, e.Act, e.Index, evidence.Stamp(e.Recorded), e.Person, e.Reason})
	}
	if !p.Population.IsZero() {
		v.Population = p.Population.String()
	}
	if o := p.Observed; o != nil {
		of := o.Observation
		v.Observed = &ObservationLine{o.Act, evidence.Stamp(o.Recorded), evidence.Stamp(of.ObservedAt), o.Person, of.Input.Format, of.Input.Tool, of.Targets}
	}
	return v
}

// judged calls f with the state of a project and with what this machine finds of a
// rollout: a package is verified while others use the states.
func (l *Local) judged(ctx context.Context, project, id string, oldest time.Duration, f func(*Desk, *rollout.State, rollout.Integrity, time.Time) error) error {
	var progress rollout.Progress
	err := l.of(ctx, project, func(_ *Desk, s *rollout.State) (err error) {
		progress, err = ProgressOf(s, id)
		return err
	})
	if err != nil {
		return err
	}
	in, err := l.integrity(ctx, progress, oldest)
	if err != nil {
		return err
	}
	return l.of(ctx, project, func(d *Desk, s *rollout.State) error { return f(d, s, in, l.now()) })
}

// integrity is what this machine finds of a rollout.
func (l *Local) integrity(ctx context.Context, progress rollout.Progress, oldest time.Duration) (rollout.Integrity, error) {
	desk, err := l.desk()
	if err != nil {
		return rollout.Integrity{}, err
	}
	return desk.Integrity(ctx, l.options.Store, progress, l.verifier(desk, oldest))
}

// readiness says whether a rollout may enter the next ring.
func (l *Local) readiness(ctx context.Context, project, id string) (rollout.Readiness, error) {
	var r rollout.Readiness
	err := l.judged(ctx, project, id, VerdictLife, func(_ *Desk, s *rollout.State, in rollout.Integrity, now time.Time) error {
		r = s.Readiness(id, in, now)
		return nil
	})
	return r, err
}

// Requests lists the requests of a project, newest first.
func (l *Local) Requests(ctx context.Context, project string) (rollout.ApprovalList, error) {
	var doc rollout.ApprovalList
	err := l.of(ctx, project, func(_ *Desk, s *rollout.State) error {
		doc = s.ApprovalList(l.now())
		return nil
	})
	return doc, err
}

// Request returns a request and whether its rollout is ready.
func (l *Local) Request(ctx context.Context, name string) (rollout.ApprovalShow, error) {
	project, request, err := l.findRequest(ctx, name)
	if err != nil {
		return rollout.ApprovalShow{}, err
	}
	var show rollout.ApprovalShow
	err = l.judged(ctx, project, request.Rollout, VerdictLife, func(_ *Desk, s *rollout.State, in rollout.Integrity, now time.Time) error {
		status, ok := s.Request(request.Act.String(), now)
		if !ok {
			return noRequest(name)
		}
		show = s.ShowRequest(status, in, now)
		return nil
	})
	return show, err
}

func noRequest(name string) error {
	return &Failure{Code: CodeApproval, Message: archive.Printable(name) + " is no legal request of this log", Hint: "rollproof approval list", Missing: true}
}

// findRequest finds a request by its id, its digest, or digits that it begins with.
func (l *Local) findRequest(ctx context.Context, name string) (string, rollout.RequestStatus, error) {
	list, err := l.Projects(ctx)
	if err != nil {
		return "", rollout.RequestStatus{}, err
	}
	return FindRequest(ctx, l.options.Store, list, name, func(project string, f func(*rollout.State) error) error {
		return l.of(ctx, project, func(_ *Desk, s *rollout.State) error { return f(s) })
	}, l.now())
}

// FindRequest finds a request among projects by its id, its digest, or digits that it
// begins with, with the states that of gives.
func FindRequest(ctx context.Context, r evidence.Reader, projects []string, name string, of func(project string, f func(*rollout.State) error) error, now time.Time) (string, rollout.RequestStatus, error) {
	candidates := []string{name}
	if index, err := r.Find(ctx, strings.TrimPrefix(name, "sha256:")); err == nil {
		record, err := r.Record(ctx, index)
		if err != nil {
			return "", rollout.RequestStatus{}, err
		}
		candidates = append(candidates, record.Act.String())
	}
	for _, project := range projects {
		var status rollout.RequestStatus
		found := false
		err := of(project, func(s *rollout.State) error {
			for _, c := range candidates {
				if !found {
					status, found = s.Request(c, now)
				}
			}
			return nil
		})
		if err != nil || found {
			return project, status, err
		}
	}
	return "", rollout.RequestStatus{}, noRequest(name)
}

// passes says that a machine has checked the whole evidence.
func passes(in rollout.Integrity) bool {
	return in.Package == release.Pass && in.Directory == release.Pass
}
