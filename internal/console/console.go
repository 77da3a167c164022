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
//   - A form counts only from a page of this console. A credential in an address is
//     refused.
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

	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
)

// A Visitor is who asks.
type Visitor struct {
	Name string // as the pages show it, "" for nobody
	Read bool   // may read
	Act  bool   // may submit envelopes
}

// An Access keeps the sessions of a console.
type Access interface {
	// Visitor says who asks, the zero value for nobody.
	Visitor(r *http.Request) Visitor
	// SignIn begins a session for a token. The error says why not, for the page.
	SignIn(w http.ResponseWriter, r *http.Request, token string) error
	// SignOut ends the session of a request.
	SignOut(w http.ResponseWriter, r *http.Request)
	// Elsewhere is the address at which signing in with a company's identity provider
	// begins, "" where none is set up.
	Elsewhere() string
}

// Options are what a console stands on.
type Options struct {
	Service service.Service
	Access  Access
	Now     func() time.Time
	Log     *slog.Logger
	// Server is the address that the commands on a page name with --server, "" for
	// commands that are run where the store lies.
	Server string
}

// A Console serves the pages.
type Console struct {
	Options
	pages   templates
	assets  assets
	handler http.Handler
}

// New returns the console. The error is a mistake in a page.
func New(o Options) (*Console, error) {
	c := &Console{Options: o}
	var err error
	if c.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if c.pages, err = loadTemplates(map[string]any{"asset": c.assets.address}); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, r := range c.routes() {
		mux.Handle(r.pattern, c.admit(r.need, r.serve))
	}
	mux.Handle("GET /assets/", c.assets)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.fault(w, r, fault{Code: http.StatusNotFound, Title: "There is no such page", Text: "The address may be cut short: an id has at least 8 hex digits."})
	})
	c.handler = c.guard(mux)
	return c, nil
}

func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// A need is what a visitor must be allowed to do for a route.
type need int

const (
	open need = iota // for everybody
	read
	act
)

type route struct {
	pattern string
	need    need
	serve   http.HandlerFunc
}

// routes is the one table of pages and of what they need.
func (c *Console) routes() []route {
	return []route{
		{"GET /login", open, c.loginPage},
		{"POST /login", open, c.signIn},
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
		{"GET /record/{id}", read, c.record},
		{"GET /record/{id}/envelope", read, c.envelopeFile},
		{"GET /record/{id}/statement", read, c.statementFile},
		{"GET /record/{id}/file/{digest}", read, c.artifactFile},
		{"GET /record/{id}/bundle", read, c.bundleFile},
		{"GET /record/{id}/proof", read, c.proofFile},
		{"GET /record/{id}/release", read, c.release},
		{"GET /log", read, c.logPage},
		{"GET /log/checkpoint", read, c.checkpointFile},
		{"GET /keys", read, c.keys},
		{"POST /rollout/{id}/request", read, c.draftRequest},
		{"POST /request/{id}/approve", read, c.draftApproval},
		{"POST /request/{id}/deny", read, c.draftDenial},
		{"POST /draft", read, c.draftFile},
		{"POST /submit/{kind}", act, c.submit},
	}
}

// admit lets in who may do what a route needs; who is not signed in may sign in.
func (c *Console) admit(n need, serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := c.Access.Visitor(r)
		switch {
		case n == open, n == read && v.Read, n == act && v.Act:
			serve(w, r)
		case v.Name != "":
			c.fault(w, r, fault{Code: http.StatusForbidden, Title: "You may not do this", Text: v.Name + " is signed in, and the token's scope does not cover it. Nothing was done."})
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			http.Redirect(w, r, "/login?next="+escapeQuery(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			c.fault(w, r, fault{Code: http.StatusUnauthorized, Title: "Nobody is signed in", Text: "The session has ended. Nothing was done. Sign in, and send the form again."})
		}
	})
}

func (c *Console) log(r *http.Request, err error) {
	c.Log.Error("a page could not be made", "path", archive.Printable(r.URL.Path), "error", archive.Printable(err.Error()))
}
