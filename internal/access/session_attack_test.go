package access_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/internal/access"
)

// signIn begins a session and returns its cookie.
func (d *desk) signIn(s *access.Sessions, token string, options ...func(*http.Request)) *http.Cookie {
	d.t.Helper()
	r, w := httptest.NewRequest("POST", "/login", nil), httptest.NewRecorder()
	for _, f := range options {
		f(r)
	}
	caller := must[access.Caller](d.t)(d.gate.Tokens.Check(r.Context(), token))
	ok(d.t, s.Begin(w, r, caller, time.Time{}))
	cookies := w.Result().Cookies()
	return cookies[len(cookies)-1]
}

func TestSessionLivesWithItsToken(t *testing.T) {
	d := newDesk(t)
	s := d.token(d.all(access.Read, access.Operate))
	c := d.signIn(d.sessions, s.Text())
	if c.Name != "rollproof" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
	w := d.call("GET", "/log", carrying(c))
	d.want(200, w)
	if w.Body.String() != "ada" {
		t.Errorf("signed in as %q", w.Body)
	}
	d.want(200, d.call("POST", "/executions", carrying(c)))
	d.revoke(s, "policy", "grace")
	d.want(401, d.call("GET", "/log", carrying(c)))
	d.want(200, d.call("GET", "/login", carrying(c))) // he can sign in again
}

func TestSessionEnds(t *testing.T) {
	d := newDesk(t)
	long := d.all()
	long.Expires = d.now.Add(1000 * time.Hour)
	s := d.token(long)
	idle := d.signIn(d.sessions, s.Text())
	d.now = d.now.Add(access.SessionIdle - time.Second)
	d.want(200, d.call("GET", "/log", carrying(idle)))
	d.now = d.now.Add(access.SessionIdle)
	d.want(401, d.call("GET", "/log", carrying(idle)))

	busy := d.signIn(d.sessions, s.Text())
	for begun := d.now; d.now.Sub(begun) < access.SessionLife; d.now = d.now.Add(20 * time.Minute) {
		d.want(200, d.call("GET", "/log", carrying(busy)))
	}
	d.want(401, d.call("GET", "/log", carrying(busy)))

	left := d.signIn(d.sessions, s.Text())
	r, w := httptest.NewRequest("POST", "/logout", nil), httptest.NewRecorder()
	r.AddCookie(left)
	d.sessions.End(w, r)
	d.want(401, d.call("GET", "/log", carrying(left)))
	if c := w.Result().Cookies()[0]; c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("the cookie stays: %v", c)
	}
}

func TestSessionIsNewAtEachSignIn(t *testing.T) {
	d := newDesk(t)
	s := d.token(d.all())
	planted := &http.Cookie{Name: "rollproof", Value: strings.Repeat("a", 64)}
	first := d.signIn(d.sessions, s.Text(), carrying(planted))
	if first.Value == planted.Value {
		t.Error("a session has the id that its caller brought")
	}
	second := d.signIn(d.sessions, s.Text(), carrying(first))
	d.want(401, d.call("GET", "/log", carrying(first)))
	d.want(200, d.call("GET", "/log", carrying(second)))
	d.want(401, d.call("GET", "/log", carrying(second), carrying(planted))) // two of them: whose?
}

func TestCookieUnderTLS(t *testing.T) {
	d := newDesk(t)
	secure := access.NewSessions(d.tokens(), d.clock, rand.Reader, true)
	s := d.token(d.all())
	c := d.signIn(secure, s.Text())
	if c.Name != "__Host-rollproof" || !c.Secure || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: "rollproof", Value: c.Value}) // planted by a neighbour without TLS
	d.gate.Sessions = secure
	if who := must[access.Caller](t)(d.gate.Caller(r)); !who.Anonymous() {
		t.Error("a cookie without __Host- counts under TLS")
	}
}

// A form of one session's page does not count in another's.
func TestSessionsHaveFormsOfTheirOwn(t *testing.T) {
	d := newDesk(t)
	var seen []string
	for range 3 {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(d.signIn(d.sessions, d.token(d.all()).Text()))
		who := must[access.Caller](t)(d.gate.Caller(r))
		if who.Via != access.ViaSession || len(who.Session.CSRF) != 64 || slices.Contains(seen, who.Session.CSRF) {
			t.Errorf("caller %+v", who)
		}
		seen = append(seen, who.Session.CSRF)
	}
}
