package service

import (
	"context"
	"errors"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/rollout"
)

// An ExecutionList is every execution of a project, newest first, with those that did
// not count.
type ExecutionList struct {
	Project    string          `json:"project"`
	Executions []ExecutionLine `json:"executions"`
}

// An ExecutionLine is an execution in a list.
type ExecutionLine struct {
	Record       evidence.RecordLine `json:"record"`
	Kind         string              `json:"kind" enum:"promotion,rollback"`
	Rollout      string              `json:"rollout"`
	ChangeRecord string              `json:"changeRecord"`
	Version      string              `json:"version"` // of the release that was promoted, or rolled back
	Environment  string              `json:"environment"`
	Ring         string              `json:"ring"`
	Request      string              `json:"request"` // the act of the request
	Incident     string              `json:"incident"`
	BreakGlass   bool                `json:"breakglass"`
	Unattended   bool                `json:"unattended"`
	Undoes       string              `json:"undoes"`   // of a rollback: the promotion
	UndoneBy     string              `json:"undoneBy"` // of a promotion: the legal rollback
}

// An Execution is one execution with everything that it is about.
type Execution struct {
	ExecutionLine
	Plan      []rollout.Step         `json:"plan"`      // "" releases are nothing
	Requested *rollout.RequestStatus `json:"requested"` // null where no legal request is named
	Capture   *evidence.RecordLine   `json:"capture"`   // of the rollout
	Approvals []evidence.RecordLine  `json:"approvals"` // that it names, in their order
	Rollbacks []ExecutionLine        `json:"rollbacks"` // that name it, oldest first
	Emergency *rollout.Emergency     `json:"emergency"` // null where it broke no glass, or a quorum has closed it
}

// An enacted is an execution as its envelope says it.
type enacted struct {
	line      ExecutionLine
	plan      []rollout.Step
	approvals []evidence.Digest
}

// Executions lists the executions of a project.
func (l *Local) Executions(ctx context.Context, project string) (ExecutionList, error) {
	doc := ExecutionList{Executions: []ExecutionLine{}}
	if err := l.of(ctx, project, func(_ *Desk, s *rollout.State) error {
		doc.Project = s.Project()
		return nil
	}); err != nil {
		return doc, err
	}
	all, err := l.enacted(ctx, doc.Project)
	if err != nil {
		return doc, err
	}
	for _, e := range slices.Backward(all) {
		doc.Executions = append(doc.Executions, e.line)
	}
	return doc, nil
}

// enacted lists the executions of a project in the order of the log.
func (l *Local) enacted(ctx context.Context, project string) ([]enacted, error) {
	size, err := l.Len(ctx)
	if err != nil {
		return nil, err
	}
	var indexes []int64
	kinds := []evidence.Kind{evidence.KindPromotionExecution, evidence.KindRollbackExecution}
	for record, err := range l.options.Store.Scan(ctx, evidence.Range{To: size, Projects: []string{project}, Kinds: kinds}) {
		if err != nil {
			return nil, err
		}
		if record.Erased == nil {
			indexes = append(indexes, record.Index)
		}
	}
	var list []enacted
	err = l.deriving(ctx, func(in evidence.Intake) error {
		for _, index := range indexes {
			record, _, err := in.Rederive(ctx, l.options.Store, index)
			if err != nil {
				return err
			}
			b, err := envelope.ParseBundle(record.Envelope)
			if err != nil {
				return &rollout.TamperedError{Index: index, Err: err}
			}
			e, err := readEnacted(record.Line(), b.Payload)
			if err != nil {
				return &rollout.TamperedError{Index: index, Err: err}
			}
			list = append(list, e)
		}
		return nil
	})
	for i, e := range list {
		for _, later := range list[i+1:] {
			if later.line.Undoes == e.line.Record.Act.String() && later.line.Record.Illegal == "" {
				list[i].line.UndoneBy = later.line.Record.Act.String()
			}
		}
	}
	return list, err
}

// ReadExecution reads what the statement of an execution says of itself, for the record
// that holds it.
func ReadExecution(record evidence.RecordLine, payload []byte) (ExecutionLine, error) {
	e, err := readEnacted(record, payload)
	return e.line, err
}

func readEnacted(record evidence.RecordLine, payload []byte) (enacted, error) {
	if record.PredicateType == rollout.RollbackExecutionType {
		s, err := evidence.DecodeStatement[rollout.RollbackExecution](payload, record.PredicateType)
		x := s.Predicate
		e := enacted{ExecutionLine{
			Record: record, Kind: rollout.KindRollback, Rollout: x.Rollout, ChangeRecord: x.ChangeRecord, Version: x.Version, Environment: x.Environment, Ring: x.Ring,
			Request: x.Request.String(), Unattended: x.Unattended, Undoes: x.Execution.String(),
		}, x.Plan, x.Approvals}
		e.line.breakGlass(x.BreakGlass)
		return e, err
	}
	s, err := evidence.DecodeStatement[rollout.PromotionExecution](payload, rollout.PromotionExecutionType)
	x := s.Predicate
	e := enacted{ExecutionLine{
		Record: record, Kind: rollout.KindPromotion, Rollout: x.Rollout, ChangeRecord: x.ChangeRecord, Version: x.Version, Environment: x.Environment, Ring: x.Ring,
		Request: x.Request.String(), Unattended: x.Unattended,
	}, nil, x.Approvals}
	e.line.breakGlass(x.BreakGlass)
	return e, err
}

func (e *ExecutionLine) breakGlass(b *rollout.BreakGlass) {
	if b != nil {
		e.BreakGlass, e.Incident = true, b.Incident
	}
}

// Execution returns an execution by its id.
func (l *Local) Execution(ctx context.Context, id string) (Execution, error) {
	index, err := l.find(ctx, id)
	if err != nil {
		return Execution{}, err
	}
	record, err := l.options.Store.Record(ctx, index)
	if err != nil {
		return Execution{}, err
	}
	if record.Kind != evidence.KindPromotionExecution && record.Kind != evidence.KindRollbackExecution {
		return Execution{}, missing(record.Act.String()+" is no execution", "rollproof evidence show says what it is")
	}
	all, err := l.enacted(ctx, record.Project)
	if err != nil {
		return Execution{}, err
	}
	doc := Execution{Approvals: []evidence.RecordLine{}, Rollbacks: []ExecutionLine{}, Plan: []rollout.Step{}}
	for _, e := range all {
		switch {
		case e.line.Record.Index == index:
			doc.ExecutionLine, doc.Plan = e.line, append(doc.Plan, e.plan...)
			if err := l.link(ctx, e, &doc); err != nil {
				return doc, err
			}
		case e.line.Undoes == record.Act.String():
			doc.Rollbacks = append(doc.Rollbacks, e.line)
		}
	}
	return doc, nil
}

// link adds the request, the capture and the approvals of an execution.
func (l *Local) link(ctx context.Context, e enacted, doc *Execution) error {
	err := l.of(ctx, e.line.Record.Facts.Project, func(_ *Desk, s *rollout.State) error {
		for _, ring := range s.Rings(l.now()).Rings {
			if g := ring.BreakGlass; g != nil && g.Act == e.line.Record.Act {
				doc.Emergency = g
			}
		}
		if status, ok := s.Request(e.line.Request, l.now()); ok {
			doc.Requested = &status
			if e.line.Kind == rollout.KindPromotion {
				doc.Plan = append(doc.Plan, status.Plan...)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, act := range e.approvals {
		line, err := l.line(ctx, act)
		if err != nil {
			return err
		}
		if line != nil {
			doc.Approvals = append(doc.Approvals, *line)
		}
	}
	page, err := l.options.Store.Search(ctx, evidence.Query{Rollouts: []string{e.line.Rollout}, Kinds: []evidence.Kind{evidence.KindRollout}, Order: evidence.OldestFirst, Limit: 1})
	if err != nil || len(page.Records) == 0 {
		return err
	}
	doc.Capture, err = l.line(ctx, page.Records[0].Act)
	return err
}

// line is the record of an act, derived from its envelope; nil where there is none.
func (l *Local) line(ctx context.Context, act evidence.Digest) (*evidence.RecordLine, error) {
	doc, err := l.Record(ctx, act.Hex())
	if errors.Is(err, evidence.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &doc.Record, nil
}
