package access_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rollproof/rollproof/internal/access"
)

// A desk is a gate with one route of each need.
type desk struct {
	*house
	sessions *access.Sessions
	gate     *access.Gate
	mux      *http.ServeMux
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	h := newHouse(t)
	tokens := h.tokens()
	d := &desk{house: h, sessions: access.NewSessions(tokens, h.clock, rand.Reader, false), mux: http.NewServeMux()}
	d.gate = &access.Gate{Tokens: tokens, Sessions: d.sessions, Table: access.Table{
		"GET /login": {Open: true}, "GET /log": {Scope: access.Read}, "POST /evidence": {Scope: access.Ingest}, "POST /executions": {Scope: access.Operate}, "GET /nobody": {},
	}}
	for pattern := range d.gate.Table {
		d.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, access.CallerOf(r.Context()).Owner) })
	}
	d.mux.HandleFunc("GET /forgotten", func(http.ResponseWriter, *http.Request) {})
	return d
}

// call sends a request through the gate; options change it first.
func (d *desk) call(method, target string, options ...func(*http.Request)) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, target, nil), httptest.NewRecorder()
	for _, f := range options {
		f(r)
	}
	_, pattern := d.mux.Handler(r)
	caller, err := d.gate.Decide(r, pattern)
	var denial *access.Denial
	if errors.As(err, &denial) {
		w.WriteHeader(denial.Status)
		fmt.Fprint(w, denial.Err)
		return w
	}
	ok(d.t, err)
	d.mux.ServeHTTP(w, r.WithContext(access.WithCaller(r.Context(), caller)))
	return w
}

func bearing(text string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+text) }
}

func carrying(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }

func (d *desk) want(status int, w *httptest.ResponseRecorder) {
	d.t.Helper()
	if w.Code != status {
		d.t.Errorf("status %d, expected %d: %s", w.Code, status, w.Body)
	}
}

func TestEveryRouteByEveryScope(t *testing.T) {
	d := newDesk(t)
	for _, route := range []struct {
		method, target string
		need           access.Scope
		stranger       int
	}{
		{"GET", "/login", "", 200}, {"GET", "/log", access.Read, 401}, {"HEAD", "/log", access.Read, 401}, {"POST", "/evidence", access.Ingest, 401},
		{"POST", "/executions", access.Operate, 401}, {"GET", "/nobody", "nobody", 401}, {"GET", "/forgotten", "nobody", 404},
	} {
		d.want(route.stranger, d.call(route.method, route.target))
		for _, s := range access.Scopes {
			status := map[bool]int{true: 200, false: 403}[route.need == "" || s == route.need]
			if route.stranger == 404 {
				status = 404
			}
			if w := d.call(route.method, route.target, bearing(d.token(d.all(s)).Text())); w.Code != status {
				t.Errorf("%s %s with scope %s: %d, expected %d", route.method, route.target, s, w.Code, status)
			}
		}
	}
}

func TestReadPublicOpensReadingAlone(t *testing.T) {
	d := newDesk(t)
	d.gate.ReadPublic = true
	d.want(200, d.call("GET", "/log"))
	d.want(401, d.call("POST", "/evidence"))
	d.want(401, d.call("POST", "/executions"))
	d.want(403, d.call("POST", "/executions", bearing(d.token(d.all(access.Ingest)).Text())))
}

func TestBearerForms(t *testing.T) {
	d := newDesk(t)
	text := d.token(d.all()).Text()
	header := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	d.want(200, d.call("GET", "/log", header("bearer "+text)))
	for _, values := range [][]string{
		{text}, {"Basic " + text}, {"Bearer"}, {"Bearer "}, {"Bearer " + text, "Bearer " + text}, {"Bearer " + text + ", Bearer x"}, {"Bearer eyJhbGciOiJub25lIn0.e30."},
	} {
		d.want(401, d.call("GET", "/log", header(values...)))
		d.want(401, d.call("GET", "/login", header(values...))) // a bad credential is no anonymous call
	}
}
