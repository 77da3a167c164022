package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
)

// A pair of routes for one kind of act: a draft to sign, and the signed act.
type pair struct {
	kind        service.Kind
	drafts      string
	submissions string
}

// pairs are all kinds. Where the path names a request or an execution, that is the one
// the act is about.
var pairs = []pair{
	{service.KindRequest, "/promotion-requests/drafts", "/promotion-requests"},
	{service.KindApproval, "/promotion-requests/{id}/approval-draft", "/promotion-requests/{id}/approvals"},
	{service.KindClosing, "/promotion-executions/{id}/closing-draft", "/promotion-executions/{id}/closings"},
	{service.KindDenial, "/promotion-requests/{id}/denial-draft", "/promotion-requests/{id}/denials"},
	{service.KindExecution, "/promotion-requests/{id}/execution-draft", "/promotion-executions"},
	{service.KindRevocation, "/approval-revocations/drafts", "/approval-revocations"},
	{service.KindRollbackRequest, "/rollback-requests/drafts", "/rollback-requests"},
	{service.KindRollbackExecution, "/rollback-executions/drafts", "/rollback-executions"},
	{service.KindHold, "/holds/drafts", "/holds"},
	{service.KindLift, "/lifts/drafts", "/lifts"},
	{service.KindObservation, "/observations/drafts", "/observations"},
}

// Errors of acts.
var actErrors = []int{http.StatusConflict, http.StatusRequestEntityTooLarge}

type askBody struct{ Body service.Ask }

type askAbout struct {
	Named
	Body service.Ask
}

type submissionBody struct{ Body service.Submission }

type submissionAbout struct {
	Named
	Body service.Submission
}

func (a *api) actRoutes() {
	for _, p := range pairs {
		draft := route{method: "POST", path: p.drafts, id: "draft-" + string(p.kind), summary: "compose the exact statement to sign: " + string(p.kind), scope: access.Operate, errors: actErrors}
		submit := route{method: "POST", path: p.submissions, id: "submit-" + string(p.kind), summary: "record a signed act, if it is legal: " + string(p.kind), scope: access.Operate, errors: actErrors}
		if names(p.drafts) {
			register(a, draft, func(ctx context.Context, in *askAbout) (service.Draft, error) {
				if p.kind == service.KindClosing {
					in.Body.Execution = in.ID
				} else {
					in.Body.Request = in.ID
				}
				return a.draft(ctx, p.kind, in.Body)
			})
		} else {
			register(a, draft, func(ctx context.Context, in *askBody) (service.Draft, error) { return a.draft(ctx, p.kind, in.Body) })
		}
		if names(p.submissions) {
			register(a, submit, func(ctx context.Context, in *submissionAbout) (evidence.ActDocument, error) {
				if err := a.about(ctx, p.kind, in.ID, in.Body); err != nil {
					return evidence.ActDocument{}, err
				}
				return a.of(ctx).Submit(ctx, p.kind, in.Body)
			})
			continue
		}
		register(a, submit, func(ctx context.Context, in *submissionBody) (evidence.ActDocument, error) {
			return a.of(ctx).Submit(ctx, p.kind, in.Body)
		})
	}
}

// names reports whether a path names what the act is about.
func names(path string) bool { return strings.Contains(path, "/{id}/") }

// draft composes a draft of the kind that the path says.
func (a *api) draft(ctx context.Context, kind service.Kind, ask service.Ask) (service.Draft, error) {
	if ask.Kind != "" && ask.Kind != kind {
		return service.Draft{}, refusal(http.StatusBadRequest, "the body asks for another kind than the path", "leave out kind")
	}
	ask.Kind = kind
	return a.of(ctx).Draft(ctx, ask)
}

// about refuses an act about something else than the path names: who reads the one must
// not act on the other.
func (a *api) about(ctx context.Context, kind service.Kind, id string, s service.Submission) error {
	act, err := a.named(ctx, kind, id)
	if err != nil {
		return err
	}
	record, err := evidence.Intake{Catalog: a.options.Catalog}.Derive(s.Envelope)
	if err != nil {
		return err
	}
	if !record.Names(act) {
		return refusal(http.StatusBadRequest, "the envelope is about something else than the path", "submit it below what it names")
	}
	return nil
}

// named is the request, or the execution, that a path names.
func (a *api) named(ctx context.Context, kind service.Kind, id string) (evidence.Digest, error) {
	if kind == service.KindClosing {
		e, err := a.of(ctx).Execution(ctx, id)
		return e.Record.Act, err
	}
	show, err := a.of(ctx).Request(ctx, id)
	return show.Request.Act, err
}
