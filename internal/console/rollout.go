package console

import (
	"net/http"
	"slices"

	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

type rolloutsBody struct {
	Rollouts     []service.RolloutLine
	Illegal      []service.IllegalLine
	Newer, Older string
	Command      string
}

func (c *Console) rollouts(w http.ResponseWriter, r *http.Request) {
	project := r.PathValue("project")
	list, err := c.of(r).Rollouts(r.Context(), project)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	lines := newestFirst(list.Rollouts)
	part, newer, older, err := slice(r, len(lines), func(i int) int64 { return lines[i].Index })
	if err != nil {
		c.unable(w, r, err)
		return
	}
	b := rolloutsBody{Rollouts: lines[part.from:part.to], Newer: newer, Older: older, Command: searchCommand(map[string][]string{"metadata-kind": {"managed-endpoint-rollout"}, "project": {project}}, c.Server)}
	if newer == "" {
		b.Illegal = list.Illegal
	}
	v := c.view(r, "Rollouts of "+project, "Rollouts")
	v.Body = b
	c.page(w, r, "rollouts", project, v)
}

type rolloutBody struct {
	service.RolloutView
	Charts   []targetChart
	Open     *rollout.RequestStatus // the request that waits
	Next     string                 // the ring that may be asked for, "" for none
	Subject  string                 // of a request
	Commands []string
	AskLine  string
	CanAsk   bool
}

// A targetChart is what was seen of one target.
type targetChart struct {
	rollout.Observed
	Chart *coverage
}

func (c *Console) rollout(w http.ResponseWriter, r *http.Request) {
	view, err := c.of(r).Rollout(r.Context(), r.PathValue("id"))
	if err != nil {
		c.unable(w, r, err)
		return
	}
	b := rolloutBody{RolloutView: view, Next: view.Readiness.NextRing, Subject: view.Act.String()}
	if o := view.Observed; o != nil {
		for _, t := range o.Targets {
			b.Charts = append(b.Charts, targetChart{t, observed(t)})
		}
	}
	if i := slices.IndexFunc(view.Requests, func(q rollout.RequestStatus) bool { return isOpen(q.State) }); i >= 0 {
		b.Open = &view.Requests[i]
	}
	b.CanAsk = b.Next != "" && view.Readiness.Grade == rollout.Ready && b.Open == nil && !promoted(view.ID, view.Requests)
	b.Commands = []string{"rollproof release rollout-status " + quote(view.ID)}
	b.AskLine = "rollproof release request-rollout-promotion " + quote(view.ID) + " --target-ring " + quote(b.Next) + " --reason 'WHY' --key KEY"
	v := c.view(r, view.ID, "Rollouts")
	v.Crumbs = []link{{Name: "Rollouts", Address: "/rollouts/" + pathWord(view.Rollout.Project)}}
	v.Scripts, v.Body = []string{"keys.js", "sign.js"}, b
	c.page(w, r, "rollout", view.Rollout.Project, v)
}
