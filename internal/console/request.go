package console

import (
	"net/http"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

type requestsBody struct {
	Requests     []rollout.RequestStatus
	Newer, Older string
	Command      string
}

func (c *Console) requests(w http.ResponseWriter, r *http.Request) {
	project := r.PathValue("project")
	list, err := c.of(r).Requests(r.Context(), project)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	// Requests have no index here; they are newest first, and their place from the end
	// does not move.
	n := len(list.Requests)
	part, newer, older, err := slice(r, n, func(i int) int64 { return int64(n - 1 - i) })
	if err != nil {
		c.unable(w, r, err)
		return
	}
	v := c.view(r, "Requests of "+project, "Requests")
	v.Body = requestsBody{list.Requests[part.from:part.to], newer, older, c.command("approval", "list")}
	c.page(w, r, "requests", project, v)
}

type requestBody struct {
	rollout.RequestStatus
	Readiness *rollout.Readiness
	Notes     []string
	Have      []bool // one a person that is needed
	Open      bool
	Age       string
	Commands  []string
	Closed    closedLines
}

// closedLines are the commands of an approver who reaches no log: files are carriers.
type closedLines struct{ Approve, Deny string }

func (c *Console) request(w http.ResponseWriter, r *http.Request) {
	show, err := c.of(r).Request(r.Context(), r.PathValue("id"))
	if err != nil {
		c.unable(w, r, err)
		return
	}
	q := show.Request
	b := requestBody{RequestStatus: q, Readiness: show.Readiness, Notes: show.Notes, Open: isOpen(q.State), Age: age(q.Recorded, c.Now())}
	for i := range q.Quorum.Need {
		b.Have = append(b.Have, i < q.Quorum.Have)
	}
	b.Commands = []string{c.command("approval", "show", q.Act.Hex()[:16])}
	b.Closed = closedFor(q.Act)
	v := c.view(r, "Request "+q.ID, "Requests")
	v.Crumbs = []link{{Name: "Requests", Address: "/requests/" + pathWord(q.Project)}}
	v.Scripts, v.Body = []string{"keys.js", "sign.js"}, b
	c.page(w, r, "request", q.Project, v)
}

func closedFor(act evidence.Digest) closedLines {
	file := act.Hex()[:16] + ".sigstore.json"
	line := func(verb string) string {
		return strings.Join([]string{"rollproof", "approval", verb, file, "--reason", "'WHY'", "--key", "KEY", "--out", verb + ".sigstore.json"}, " ")
	}
	return closedLines{line("approve"), line("deny")}
}

type executionsBody struct {
	Executions   []service.ExecutionLine
	Newer, Older string
	Command      string
}

func (c *Console) executions(w http.ResponseWriter, r *http.Request) {
	project := r.PathValue("project")
	list, err := c.of(r).Executions(r.Context(), project)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	lines := list.Executions
	part, newer, older, err := slice(r, len(lines), func(i int) int64 { return lines[i].Record.Index })
	if err != nil {
		c.unable(w, r, err)
		return
	}
	v := c.view(r, "Executions of "+project, "Executions")
	v.Body = executionsBody{lines[part.from:part.to], newer, older,
		searchCommand(map[string][]string{"metadata-kind": {"rollout-promotion-execution", "rollout-rollback-execution"}, "project": {project}}, c.Server)}
	c.page(w, r, "executions", project, v)
}

type executionBody struct {
	service.Execution
	At       string
	Commands []string
	Closed   closedLines
}

func (c *Console) execution(w http.ResponseWriter, r *http.Request) {
	e, err := c.of(r).Execution(r.Context(), r.PathValue("id"))
	if err != nil {
		c.unable(w, r, err)
		return
	}
	line := e.Record
	b := executionBody{Execution: e, At: line.Recorded, Commands: []string{c.command("evidence", "show", line.Act.Hex()[:16], "--tree")}, Closed: closedFor(line.Act)}
	v := c.view(r, "Execution: "+e.Version+" "+e.Ring, "Executions")
	v.Crumbs = []link{{Name: "Executions", Address: "/executions/" + pathWord(line.Facts.Project)}}
	v.Scripts, v.Body = []string{"keys.js", "sign.js"}, b
	c.page(w, r, "execution", line.Facts.Project, v)
}
