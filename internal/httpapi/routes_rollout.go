package httpapi

import (
	"context"

	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

// OfProject is the project that is asked about.
type OfProject struct {
	Project string `query:"project" maxLength:"100" doc:"default: the store's only one"`
}

type ringPair struct {
	OfProject
	A string `query:"a" required:"true" maxLength:"100"`
	B string `query:"b" required:"true" maxLength:"100"`
}

type target struct {
	OfProject
	Target      string `path:"target" maxLength:"100" doc:"deployment target"`
	Environment string `query:"environment" maxLength:"100"`
	Ring        string `query:"ring" maxLength:"100"`
}

// Projects of a store.
type projects struct {
	Projects []string `json:"projects"`
}

func (a *api) rolloutRoutes() {
	register(a, route{method: "GET", path: "/projects", id: "listProjects", summary: "the projects of the store", scope: access.Read},
		func(ctx context.Context, _ *nothing) (projects, error) {
			list, err := a.of(ctx).Projects(ctx)
			return projects{list}, err
		})
	register(a, route{method: "GET", path: "/rings", id: "showRings", summary: "what is in each ring", scope: access.Read},
		func(ctx context.Context, in *OfProject) (rollout.Rings, error) {
			return a.of(ctx).Rings(ctx, in.Project)
		})
	register(a, route{method: "GET", path: "/rings/difference", id: "diffRings", summary: "compare what two rings hold", scope: access.Read},
		func(ctx context.Context, in *ringPair) (rollout.Diff, error) {
			return a.of(ctx).Diff(ctx, in.Project, in.A, in.B)
		})
	register(a, route{method: "GET", path: "/targets/{target}/history", id: "showHistory", summary: "every release that came to a deployment target", scope: access.Read},
		func(ctx context.Context, in *target) (rollout.History, error) {
			return a.of(ctx).History(ctx, in.Project, in.Environment, in.Ring, in.Target)
		})
	register(a, route{method: "GET", path: "/rollouts", id: "listRollouts", summary: "the rollouts of a project", scope: access.Read},
		func(ctx context.Context, in *OfProject) (service.RolloutList, error) {
			return a.of(ctx).Rollouts(ctx, in.Project)
		})
	register(a, route{method: "GET", path: "/rollouts/{id}", id: "showRollout", summary: "a rollout: readiness with every reason, coverage, history", scope: access.Read},
		func(ctx context.Context, in *Named) (service.RolloutView, error) {
			return a.of(ctx).Rollout(ctx, in.ID)
		})
	register(a, route{method: "GET", path: "/promotion-requests", id: "listRequests", summary: "the requests of a project", scope: access.Read},
		func(ctx context.Context, in *OfProject) (rollout.ApprovalList, error) {
			return a.of(ctx).Requests(ctx, in.Project)
		})
	register(a, route{method: "GET", path: "/promotion-requests/{id}", id: "showRequest", summary: "a request, who has signed, and whether its rollout is ready", scope: access.Read},
		func(ctx context.Context, in *Named) (rollout.ApprovalShow, error) {
			return a.of(ctx).Request(ctx, in.ID)
		})
	register(a, route{method: "GET", path: "/promotion-executions", id: "listExecutions", summary: "the executions of a project", scope: access.Read},
		func(ctx context.Context, in *OfProject) (service.ExecutionList, error) {
			return a.of(ctx).Executions(ctx, in.Project)
		})
	register(a, route{method: "GET", path: "/promotion-executions/{id}", id: "showExecution", summary: "an execution with approvals, request, rollout, change and rollback", scope: access.Read},
		func(ctx context.Context, in *Named) (service.Execution, error) {
			return a.of(ctx).Execution(ctx, in.ID)
		})
}
