package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"reflect"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/console"
	"github.com/rollproof/rollproof/internal/httpapi"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

// shared are the flags of a server that others reach, which a local console is not.
var shared = []string{"host", "tls-cert", "tls-key", "client-ca", "allow-plain-http", "read-public"}

// serveRemote presents the store of another machine to the user of this one: the pages
// and their script come from this program, and the store's answers from there.
func (p *program) serveRemote(ctx *cli.Context, remote service.Service) error {
	for _, name := range shared {
		if ctx.IsSet(name) {
			return usagef("leave it out: the console of --server is for this machine's user", "--server and --%s do not go together", name)
		}
	}
	if !isLoopback(ctx.String("listen")) {
		return usagef("leave --listen out, or give a loopback address", "--server listens on loopback, %s is no such address", ctx.String("listen"))
	}
	a, err := p.acts(ctx)
	if err != nil {
		return err
	}
	logs, err := p.accessLog(ctx, "console-access")
	if err != nil {
		return err
	}
	defer logs.Close()
	listener, err := net.Listen("tcp", ctx.String("listen"))
	if err != nil {
		return failure{exitFailed, err.Error(), "give another --listen ADDRESS"}
	}
	server, err := p.localConsole(ctx, a, remote, logs, "http://"+listener.Addr().String())
	if err != nil {
		listener.Close()
		return err
	}
	return server.Serve(ctx.Context, listener, grace)
}

// localConsole is the console of one user, who comes in by a key that his terminal shows.
func (p *program) localConsole(ctx *cli.Context, a *acting, remote service.Service, logs *httpapi.Log, base string) (*httpapi.Server, error) {
	checked := &checkedRequests{remote, a}
	gate := &access.Gate{Sessions: access.NewSessions(nil, p.clock, rand.Reader, false)}
	user := access.Caller{Credential: "user", Owner: "this machine's user", Scopes: []access.Scope{access.Read, access.Operate}}
	door, err := access.NewDoor(gate.Sessions, user, rand.Reader, func(key string) {
		fmt.Fprintf(p.stderr, "open %s%s%s in a browser (once; the next address follows)\n", base, console.DoorPath, key)
	})
	if err != nil {
		return nil, err
	}
	pages, err := console.New(console.Options{
		Service: checked, Catalog: a.Catalog, Gate: gate, Door: door, Now: p.clock, Log: slog.New(slog.NewTextHandler(p.stderr, nil)), Server: ctx.String("server"),
	})
	if err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Options{
		Service: checked, Catalog: a.Catalog, Gate: gate, Hosts: hostNames(ctx), Rate: ctx.Float64("rate"), Log: logs, Now: p.clock, Version: version(),
		Mount: pages.Mount, Denied: pages.Denied, Refused: pages.Refused, PagesOnly: true,
	})
}

// checkedRequests is the service of another machine, of which requests, and executions
// that broke glass, are verified here before a page shows them: that is what people sign
// on.
type checkedRequests struct {
	service.Service
	a *acting
}

// Request returns a request whose envelope is signed by who may request under the trust
// root of this machine, and which says what the server shows of it.
func (c *checkedRequests) Request(ctx context.Context, name string) (rollout.ApprovalShow, error) {
	show, err := c.Service.Request(ctx, name)
	if err != nil {
		return show, err
	}
	_, payload, err := c.a.verifiedRemote(c.Service, show.Request.Act)
	if err != nil {
		f := translate(ctx, err)
		return rollout.ApprovalShow{}, &service.Failure{Code: f.Code, Message: f.Message, Hint: f.Hint}
	}
	if !saysWhat(payload, show.Request) {
		return rollout.ApprovalShow{}, &service.Failure{Code: exitEvidence, Message: "the server shows something else than the request " + show.Request.Act.String() + " says", Hint: "ask who runs the server"}
	}
	return show, nil
}

// Execution returns an execution; one that broke glass and waits for a quorum is
// verified here, and says what the server shows of it.
func (c *checkedRequests) Execution(ctx context.Context, id string) (service.Execution, error) {
	e, err := c.Service.Execution(ctx, id)
	if err != nil || e.Emergency == nil {
		return e, err
	}
	wrong := &service.Failure{Code: exitEvidence, Message: "the server shows something else than the execution " + e.Record.Act.String() + " says", Hint: "ask who runs the server"}
	if e.Emergency.Act != e.Record.Act {
		return service.Execution{}, wrong
	}
	_, payload, err := c.a.verifiedRemote(c.Service, e.Record.Act)
	if err != nil {
		f := translate(ctx, err)
		return service.Execution{}, &service.Failure{Code: f.Code, Message: f.Message, Hint: f.Hint}
	}
	says, err := service.ReadExecution(e.Record, payload)
	if err != nil || !sameEmergency(says, e) {
		return service.Execution{}, wrong
	}
	return e, nil
}

// sameEmergency compares the facts on which people decide.
func sameEmergency(says service.ExecutionLine, shown service.Execution) bool {
	l := shown.ExecutionLine
	return says.BreakGlass && l.BreakGlass && says.Kind == l.Kind && says.Rollout == l.Rollout && says.ChangeRecord == l.ChangeRecord && says.Version == l.Version && says.Environment == l.Environment &&
		says.Ring == l.Ring && says.Request == l.Request && says.Incident == l.Incident && says.Incident == shown.Emergency.Incident && says.Undoes == l.Undoes
}

// requestSays are the facts of a request on which people decide.
type requestSays struct {
	ID, Project, Version, Rollout, ChangeRecord, Environment, Ring, Requester, Reason string
	Plan                                                                              []rollout.Step
}

func saysWhat(payload []byte, shown rollout.RequestStatus) bool {
	want := requestSays{shown.ID, shown.Project, shown.Version, shown.Rollout, shown.ChangeRecord, shown.Environment, shown.TargetRing, shown.Requester, shown.Reason, shown.Plan}
	if s, err := evidence.DecodeStatement[rollout.PromotionRequest](payload, rollout.PromotionRequestType); err == nil {
		q := s.Predicate
		return reflect.DeepEqual(want, requestSays{q.ID, q.Project, q.Version, q.Rollout, q.ChangeRecord, q.Environment, q.TargetRing, q.Actor.Person, q.Reason, q.Plan})
	}
	s, err := evidence.DecodeStatement[rollout.RollbackRequest](payload, rollout.RollbackRequestType)
	q := s.Predicate
	return err == nil && reflect.DeepEqual(want, requestSays{q.ID, q.Project, q.Version, q.Rollout, q.ChangeRecord, q.Environment, q.Ring, q.Actor.Person, q.Reason, q.Plan})
}
