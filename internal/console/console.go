// Package console is rollproof's pages: HTML over HTTP, for people who do not live in a
// terminal. It presents what package service answers, the same facts that the commands
// print, and decides nothing itself.
//
// # Pages
//
//	/rings/PROJECT              the board: what each ring holds, and what is on its way
//	/rollouts/PROJECT           all rollouts; /rollout/ID one of them
//	/requests/PROJECT           all requests; /request/ACT one of them, to approve or deny
//	/executions/PROJECT         all executions; /execution/ACT one of them
//	/evidence?FILTER=…          records, by the filters of "rollproof evidence search"
//	/question/NAME              an auditor's question, answered by a replay of the log
//	/record/ID                  one record; /record/ID/release its package
//	/log                        the checkpoint, and what has to be compared with it
//	/keys                       the signing keys of this browser
//
// # Invariants
//
//   - A page is made whole before its first byte is sent. What the store can't answer
//     is an error page, never an older answer and never an example.
//   - Every value that a page prints is escaped by html/template, and control,
//     bidirectional and zero-width characters are shown as \u{…}. The parse trees of the
//     templates are completed for that when they are loaded, so that none can forget it.
//   - Pages work without script. Script is a file of its own, never inline, and the
//     content security policy lets nothing else run, not even from text that a script
//     would write into the page.
//   - No private key enters or leaves a page. A key is made by the browser as one that it
//     does not give out, signs there, and only envelopes are sent.
//   - A form counts only from a page of this console, which the server that mounts it
//     sees to. A credential in an address is refused.
//
// # Signing
//
// A page that asks for a signature has an element like this one, from which the script
// sign.js works:
//
//	<form data-sign="approval" data-subject="sha256:5d5a…" action="/request/5d5a…/approve">
//
// The script asks the form's address for a draft (Accept: application/json), compares
// predicate type, subject and signer of the statement with what stands on the page and
// with its own key, shows the exact bytes, and on a second press signs their DSSE
// pre-authentication encoding and sends the envelope to /submit/KIND. Without script the
// same form answers with a page: the draft as a file, the command that makes the
// signature, and a field for the envelope.
package console

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
)

// Options are what a console stands on.
type Options struct {
	Service service.Service
	Catalog evidence.Catalog
	Gate    *access.Gate // says who asks, and begins and ends sessions
	// Door lets in the user of a console on his own machine, in place of signing in; nil
	// for a console that people sign in to.
	Door *access.Door
	// OIDC is the issuer with whose accounts people sign in too, nil without one.
	OIDC *access.OIDC
	Now  func() time.Time
	Log  *slog.Logger
	// Server is the address that the commands on a page name with --server, "" for
	// commands that are run where the store lies.
	Server string
}

// A Console serves the pages.
type Console struct {
	Options
	pages  templates
	assets assets
}

// New returns the console. The error is a mistake in a page.
func New(o Options) (*Console, error) {
	c := &Console{Options: o}
	var err error
	if c.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	c.pages, err = loadTemplates(map[string]any{"asset": c.assets.address})
	return c, err
}

// Mount adds the pages to a mux, and what each of them demands to the table by which
// its gate decides. Whoever calls the mux has asked the gate, refused what another
// origin sends, and put the caller into the request's context.
func (c *Console) Mount(mux *http.ServeMux, table access.Table) {
	for _, r := range c.routes() {
		mux.Handle(r.pattern, c.guard(r.serve))
		table[r.pattern] = r.rule
	}
}

type route struct {
	pattern string
	rule    access.Rule
	serve   http.HandlerFunc
}

// routes is the one table of pages and of what they need.
func (c *Console) routes() []route {
	open, read, operate := access.Rule{Open: true}, access.Rule{Scope: access.Read}, access.Rule{Scope: access.Operate}
	return append(c.entrance(), []route{
		{"GET /assets/{digest}/{file}", open, c.asset},
		{"POST /logout", open, c.signOut},
		{"POST /theme", open, c.setTheme},
		{"GET /{$}", read, c.home},
		{"GET /project", read, c.home},
		{"GET /rings/{project}", read, c.rings},
		{"GET /target/{project}/{ring}/{target}", read, c.target},
		{"GET /rollouts/{project}", read, c.rollouts},
		{"GET /rollout/{id}", read, c.rollout},
		{"GET /requests/{project}", read, c.requests},
		{"GET /request/{id}", read, c.request},
		{"GET /executions/{project}", read, c.executions},
		{"GET /execution/{id}", read, c.execution},
		{"GET /evidence", read, c.evidence},
		{"GET /evidence.csv", read, c.evidenceCSV},
		{"GET /evidence.json", read, c.evidenceJSON},
		{"GET /question/{name}", read, c.question},
		{"GET /question/{name}/csv", read, c.questionCSV},
		{"GET /question/{name}/json", read, c.questionJSON},
		{"GET /record/{id}", read, c.record},
		{"GET /record/{id}/envelope", read, c.envelopeFile},
		{"GET /record/{id}/statement", read, c.statementFile},
		{"GET /record/{id}/file/{digest}", read, c.artifactFile},
		{"GET /record/{id}/bundle", read, c.bundleFile},
		{"GET /record/{id}/proof", read, c.proofFile},
		{"GET /record/{id}/release", read, c.release},
		{"GET /log", read, c.logPage},
		{"GET /log/checkpoint", read, c.checkpointFile},
		{"GET /log/consistency", read, c.consistencyFile},
		{"GET /keys", read, c.keys},
		{"POST /rollout/{id}/request", operate, c.draftRequest},
		{"POST /request/{id}/approve", operate, c.draftApproval},
		{"POST /request/{id}/deny", operate, c.draftDenial},
		{"POST /execution/{id}/close", operate, c.draftClosing},
		{"POST /draft", read, c.draftFile},
		{"POST /submit/{kind}", operate, c.submit},
	}...)
}

// Denied answers whom the gate did not let through; who is not signed in may sign in.
func (c *Console) Denied(w http.ResponseWriter, r *http.Request, d *access.Denial) {
	setHeaders(w)
	switch d.Status {
	case http.StatusUnauthorized:
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && wantsPage(r) {
			http.Redirect(w, r, "/login?next="+escapeQuery(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="rollproof"`)
		c.fault(w, r, fault{Code: d.Status, Number: service.CodeUsage, Title: "Nobody is signed in", Text: "Nothing was done. A session ends after a while: sign in, and send it again."})
	case http.StatusForbidden:
		c.fault(w, r, fault{Code: d.Status, Number: service.CodeRule, Title: "You may not do this", Text: d.Caller.Owner + " is signed in, and this token's scopes do not cover it. Nothing was done."})
	case http.StatusServiceUnavailable:
		c.unable(w, r, d.Err)
	case http.StatusBadRequest:
		c.refuseToken(w, r)
	default:
		c.fault(w, r, fault{Code: d.Status, Title: "This was refused", Text: d.Err.Error()})
	}
}

// of is the service as far as who asks may see it.
func (c *Console) of(r *http.Request) service.Service {
	return service.Limit(c.Service, c.Catalog, c.caller(r).Projects)
}

// caller is who asks, also on pages that let in everybody.
func (c *Console) caller(r *http.Request) access.Caller {
	if known := access.CallerOf(r.Context()); known.Via != "" {
		return known
	}
	caller, err := c.Gate.Caller(r)
	if err != nil {
		return access.Caller{}
	}
	return caller
}

func (c *Console) log(r *http.Request, err error) {
	c.Log.Error("a page could not be made", "path", archive.Printable(r.URL.Path), "error", archive.Printable(err.Error()))
}
