package httpapi

import (
	"context"
	"net/url"
	"strconv"

	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

type question struct {
	OfProject
	Question string   `path:"question" minLength:"1" maxLength:"100" doc:"its name"`
	Changes  []string `query:"change,explode" maxItems:"200" doc:"the change records that a rollout is expected for, of changes-without-rollout"`
}

type olderSize struct {
	From int64 `query:"from" minimum:"0" default:"0" doc:"size of the older checkpoint; 0 for a witness who has seen nothing"`
}

func (a *api) queryRoutes() {
	register(a, route{method: "GET", path: "/queries", id: "listQuestions", summary: "the questions of auditors", scope: access.Read},
		func(context.Context, *nothing) (service.QuestionList, error) { return service.Questions(), nil })
	register(a, route{method: "GET", path: "/queries/{question}", id: "answerQuestion", summary: "answer a question of auditors by a replay of the log", scope: access.Read},
		func(ctx context.Context, in *question) (rollout.Answer, error) {
			return a.of(ctx).Answer(ctx, in.Project, in.Question, in.Changes)
		})
	register(a, route{method: "GET", path: "/log/consistency", id: "proveConsistency", summary: "the proof that the newest checkpoint's tree begins with an older one's (C2SP tlog-witness)", scope: access.Read},
		func(ctx context.Context, in *olderSize) (checkpoint.ProofDocument, error) {
			return a.of(ctx).ProveConsistency(ctx, in.From)
		})
}

func (c *Client) Answer(ctx context.Context, project, question string, changes []string) (rollout.Answer, error) {
	v := url.Values{}
	if project != "" {
		v.Set("project", project)
	}
	if len(changes) > 0 {
		v["change"] = changes
	}
	return get[rollout.Answer](ctx, c, "/queries"+element(question), v)
}

func (c *Client) ProveConsistency(ctx context.Context, from int64) (checkpoint.ProofDocument, error) {
	return get[checkpoint.ProofDocument](ctx, c, "/log/consistency", url.Values{"from": {strconv.FormatInt(from, 10)}})
}
