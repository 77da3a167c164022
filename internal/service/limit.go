package service

import (
	"context"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
)

// Limit returns a service that shows only what belongs to the named projects; all of it
// where none is named. Log and proofs stay: they show digests alone.
func Limit(s Service, catalog evidence.Catalog, projects []string) Service {
	if len(projects) == 0 {
		return s
	}
	return &limited{s, catalog, projects}
}

type limited struct {
	Service
	catalog  evidence.Catalog
	projects []string
}

func (l *limited) refuse(project string) error {
	if slices.Contains(l.projects, project) {
		return nil
	}
	return &Failure{Code: CodeRule, Message: "the credential does not reach project " + archive.Printable(project), Hint: "ask who gives out tokens"}
}

// reach refuses a record of another project, or of none.
func (l *limited) reach(ctx context.Context, id string) error {
	doc, err := l.Service.Record(ctx, id)
	if err != nil {
		return err
	}
	return l.refuse(doc.Record.Facts.Project)
}

// named is a project that a caller names; the only one that he reaches where he names
// none.
func (l *limited) named(project string) (string, error) {
	if project == "" && len(l.projects) == 1 {
		return l.projects[0], nil
	}
	return project, l.refuse(project)
}

func (l *limited) Search(ctx context.Context, q evidence.Query) (evidence.SearchDocument, error) {
	for _, p := range q.Projects {
		if err := l.refuse(p); err != nil {
			return evidence.SearchDocument{}, err
		}
	}
	if len(q.Projects) == 0 {
		q.Projects = l.projects
	}
	return l.Service.Search(ctx, q)
}

func (l *limited) Record(ctx context.Context, id string) (evidence.RecordDocument, error) {
	doc, err := l.Service.Record(ctx, id)
	if err == nil {
		err = l.refuse(doc.Record.Facts.Project)
	}
	if err != nil {
		return evidence.RecordDocument{}, err
	}
	return doc, nil
}

// reached asks a question about a record that the projects reach.
func reached[T any](ctx context.Context, l *limited, id string, ask func(context.Context, string) (T, error)) (T, error) {
	if err := l.reach(ctx, id); err != nil {
		var none T
		return none, err
	}
	return ask(ctx, id)
}

func (l *limited) Envelope(ctx context.Context, id string) ([]byte, error) {
	return reached(ctx, l, id, l.Service.Envelope)
}

func (l *limited) Lineage(ctx context.Context, id string) (evidence.Lineage, error) {
	doc, err := reached(ctx, l, id, l.Service.Lineage)
	doc.StandsOn, doc.Below = l.relatives(doc.StandsOn), l.relatives(doc.Below)
	return doc, err
}

// relatives leaves out the records of other projects.
func (l *limited) relatives(list []evidence.Relative) []evidence.Relative {
	kept := []evidence.Relative{}
	for _, r := range list {
		if l.refuse(r.Record.Facts.Project) == nil {
			r.Behind = l.relatives(r.Behind)
			kept = append(kept, r)
		}
	}
	return kept
}

func (l *limited) Verify(ctx context.Context, id string) (evidence.VerifyDocument, error) {
	return reached(ctx, l, id, l.Service.Verify)
}

func (l *limited) Artifacts(ctx context.Context, id string) (Artifacts, error) {
	return reached(ctx, l, id, l.Service.Artifacts)
}

func (l *limited) OpenArtifact(ctx context.Context, id, name string) (*Content, error) {
	return reached(ctx, l, id, func(ctx context.Context, id string) (*Content, error) { return l.Service.OpenArtifact(ctx, id, name) })
}

func (l *limited) OpenBundle(ctx context.Context, id string) (*Content, error) {
	return reached(ctx, l, id, l.Service.OpenBundle)
}

func (l *limited) Release(ctx context.Context, id string) (Release, error) {
	return reached(ctx, l, id, l.Service.Release)
}

func (l *limited) Prove(ctx context.Context, id string) (checkpoint.ProofDocument, error) {
	return reached(ctx, l, id, l.Service.Prove)
}

func (l *limited) Projects(ctx context.Context) ([]string, error) {
	list, err := l.Service.Projects(ctx)
	return slices.DeleteFunc(list, func(p string) bool { return l.refuse(p) != nil }), err
}

func (l *limited) Rings(ctx context.Context, project string) (rollout.Rings, error) {
	project, err := l.named(project)
	if err != nil {
		return rollout.Rings{}, err
	}
	return l.Service.Rings(ctx, project)
}

func (l *limited) Diff(ctx context.Context, project, a, b string) (rollout.Diff, error) {
	project, err := l.named(project)
	if err != nil {
		return rollout.Diff{}, err
	}
	return l.Service.Diff(ctx, project, a, b)
}

func (l *limited) History(ctx context.Context, project, environment, ring, target string) (rollout.History, error) {
	project, err := l.named(project)
	if err != nil {
		return rollout.History{}, err
	}
	return l.Service.History(ctx, project, environment, ring, target)
}

func (l *limited) Rollouts(ctx context.Context, project string) (RolloutList, error) {
	project, err := l.named(project)
	if err != nil {
		return RolloutList{}, err
	}
	return l.Service.Rollouts(ctx, project)
}

func (l *limited) Rollout(ctx context.Context, id string) (RolloutView, error) {
	view, err := l.Service.Rollout(ctx, id)
	if err == nil {
		err = l.refuse(view.Rollout.Project)
	}
	if err != nil {
		return RolloutView{}, err
	}
	return view, nil
}

func (l *limited) Requests(ctx context.Context, project string) (rollout.ApprovalList, error) {
	project, err := l.named(project)
	if err != nil {
		return rollout.ApprovalList{}, err
	}
	return l.Service.Requests(ctx, project)
}

func (l *limited) Request(ctx context.Context, name string) (rollout.ApprovalShow, error) {
	show, err := l.Service.Request(ctx, name)
	if err == nil {
		err = l.refuse(show.Request.Project)
	}
	if err != nil {
		return rollout.ApprovalShow{}, err
	}
	return show, nil
}

func (l *limited) Executions(ctx context.Context, project string) (ExecutionList, error) {
	project, err := l.named(project)
	if err != nil {
		return ExecutionList{}, err
	}
	return l.Service.Executions(ctx, project)
}

func (l *limited) Answer(ctx context.Context, project, question string, changes []string) (rollout.Answer, error) {
	project, err := l.named(project)
	if err != nil {
		return rollout.Answer{}, err
	}
	return l.Service.Answer(ctx, project, question, changes)
}

func (l *limited) Execution(ctx context.Context, id string) (Execution, error) {
	return reached(ctx, l, id, l.Service.Execution)
}

// Draft looks at what the draft says, which names its project.
func (l *limited) Draft(ctx context.Context, ask Ask) (Draft, error) {
	draft, err := l.Service.Draft(ctx, ask)
	if err == nil {
		err = l.statement(ask.Kind.PredicateType(), draft.Payload)
	}
	if err != nil {
		return Draft{}, err
	}
	return draft, nil
}

func (l *limited) statement(predicateType string, payload []byte) error {
	facts, err := l.catalog.Facts(predicateType, payload)
	if err != nil {
		return err
	}
	return l.refuse(facts.Project)
}

func (l *limited) Submit(ctx context.Context, kind Kind, s Submission) (evidence.ActDocument, error) {
	if err := l.envelope(s.Envelope); err != nil {
		return evidence.ActDocument{}, err
	}
	return l.Service.Submit(ctx, kind, s)
}

func (l *limited) AddEvidence(ctx context.Context, data []byte) (evidence.AddDocument, error) {
	if err := l.envelope(data); err != nil {
		return evidence.AddDocument{}, err
	}
	return l.Service.AddEvidence(ctx, data)
}

// envelope refuses an envelope about another project; what it says is verified later.
func (l *limited) envelope(data []byte) error {
	record, err := evidence.Intake{Catalog: l.catalog}.Derive(data)
	if err != nil {
		return err
	}
	return l.refuse(record.Project)
}
