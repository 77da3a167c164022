package access_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
)

func TestTokens(t *testing.T) {
	w := newWorld(t)
	s := w.secret()
	w.refused("before it is recorded", s.Text())
	st := w.token("grace", s, func(g *access.Grant) {
		g.Scopes = []access.Scope{access.Operate, access.Read}
		g.Projects = []string{"b", "a", "b"}
	})
	w.add(bundle(t, "grace", st))
	c, err := w.Check(t.Context(), s.Text())
	if err != nil || c.Owner != "ada" || c.Credential != s.ID || !slices.Equal(c.Scopes, []access.Scope{access.Read, access.Operate}) || !slices.Equal(c.Projects, []string{"a", "b"}) {
		t.Errorf("%+v, %v", c, err)
	}
	other := w.secret()
	w.refused("the id of one and the secret of another", s.Text()[:15]+other.Text()[15:])
	w.now = w.now.Add(-time.Second)
	w.refused("early", s.Text())
	w.now = w.now.Add(24*time.Hour + time.Second)
	w.refused("expired", s.Text())
	if strings.Contains(fmt.Sprintf("%v %+v %#v %s", s, s, s, s), s.Text()[15:]) {
		t.Error("a secret prints itself")
	}
}

// Rows that are not signed by the policy role are no tokens, whatever their columns say.
func TestSmuggledRows(t *testing.T) {
	w := newWorld(t)
	operator, unknown, liar, twice := w.secret(), w.secret(), w.secret(), w.secret()
	w.smuggle(bundle(t, "ada", w.token("ada", operator, nil)))
	w.refused("by an operator", operator.Text())
	w.smuggle(bundle(t, "mallory", w.token("mallory", unknown, nil)))
	w.refused("by a key that nobody knows", unknown.Text())
	w.smuggle(bundle(t, "ada", w.token("grace", liar, nil)))
	w.refused("by an operator in the policy's name", liar.Text())

	other := w.secret()
	w.smuggle(bundle(t, "grace", w.token("ada", other, nil)))
	w.refused("by the policy role in another's name", other.Text())

	// An invalid one takes no id away from a later one.
	w.smuggle(bundle(t, "ada", w.token("ada", twice, nil)))
	w.add(bundle(t, "grace", w.token("grace", twice, nil)))
	if _, err := w.Check(t.Context(), twice.Text()); err != nil {
		t.Error(err)
	}
	// And nobody but the policy role ends a token.
	known, ok, err := w.Find(t.Context(), twice.ID)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	revocation, err := access.NewRevocation(w.head("ada"), known, "mine")
	if err != nil {
		t.Fatal(err)
	}
	w.smuggle(bundle(t, "ada", revocation))
	if _, err := w.Check(t.Context(), twice.Text()); err != nil {
		t.Errorf("an operator revoked a token: %v", err)
	}
}

// A revocation that is hidden in the database, by calling its record something else,
// lets nobody in: the log no longer leads to its tree.
func TestAHiddenRevocation(t *testing.T) {
	w := newWorld(t)
	s := w.secret()
	w.add(bundle(t, "grace", w.token("grace", s, nil)))
	known, _, err := w.Find(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	revocation, err := access.NewRevocation(w.head("grace"), known, "lost")
	if err != nil {
		t.Fatal(err)
	}
	w.add(bundle(t, "grace", revocation))
	w.refused("revoked", s.Text())
	w.store.Close()
	w.administer("UPDATE record SET predicate_type = 'https://example.com/other'  WHERE idx = 1")
	w.open()
	if c, err := w.Check(t.Context(), s.Text()); err == nil {
		t.Errorf("the revoked token counts again: %+v", c)
	}
}

// A token dies with the right of its signer.
func TestARevokedSigner(t *testing.T) {
	w := newWorld(t)
	s := w.secret()
	w.add(bundle(t, "grace", w.token("grace", s, nil)))
	if _, err := w.Check(t.Context(), s.Text()); err != nil {
		t.Fatal(err)
	}
	w.chain = w.chainWith(func(e *trust.Edit) {
		if err := e.Revoke(storetest.NewSigner("grace").Public().KeyID(), trust.Revocation{At: w.now, Reason: trust.Compromised}); err != nil {
			t.Fatal(err)
		}
	})
	w.refused("by a key that was stolen", s.Text())
}

func TestSecrets(t *testing.T) {
	s := newWorld(t).secret()
	again, err := access.ParseSecret(s.Text())
	if err != nil || again != s {
		t.Errorf("%v, %v", again, err)
	}
	for _, bad := range []string{"", "rpt_", s.Text() + " ", " " + s.Text(), strings.ToUpper(s.Text()), s.Text()[:len(s.Text())-1] + "b", strings.Replace(s.Text(), "rpt_", "rpt-", 1), s.Text() + "\n"} {
		if got, err := access.ParseSecret(bad); !errors.Is(err, access.ErrToken) && got != s && strings.TrimSpace(bad) != bad {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

// A session ends with its token, after its time, and when somebody logs out; its cookie
// is no other server's.
func TestSessions(t *testing.T) {
	w := newWorld(t)
	s := w.secret()
	w.add(bundle(t, "grace", w.token("grace", s, nil)))
	caller, err := w.Check(t.Context(), s.Text())
	if err != nil {
		t.Fatal(err)
	}
	sessions := access.NewSessions(w.Tokens, func() time.Time { return w.now }, rand.Reader, true)
	gate := &access.Gate{Table: access.Table{"GET /": {Scope: access.Read}, "GET /open": {Open: true}}, Tokens: w.Tokens, Sessions: sessions}
	begin := func() *http.Cookie {
		t.Helper()
		answer := httptest.NewRecorder()
		if err := sessions.Begin(answer, httptest.NewRequest("POST", "/login", nil), caller, time.Time{}); err != nil {
			t.Fatal(err)
		}
		return answer.Result().Cookies()[0]
	}
	ask := func(c *http.Cookie) error {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(c)
		_, err := gate.Decide(r, "GET /")
		return err
	}
	cookie := begin()
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" || !strings.HasPrefix(cookie.Name, "__Host-") {
		t.Errorf("%+v", cookie)
	}
	if err := ask(cookie); err != nil {
		t.Error(err)
	}
	if err := ask(&http.Cookie{Name: cookie.Name, Value: strings.Repeat("0", 64)}); err == nil {
		t.Error("a made-up session counts")
	}
	idle := begin()
	w.now = w.now.Add(access.SessionIdle)
	if ask(idle) == nil {
		t.Error("an idle session counts")
	}
	out := begin()
	r := httptest.NewRequest("POST", "/logout", nil)
	r.AddCookie(out)
	sessions.End(httptest.NewRecorder(), r)
	if ask(out) == nil {
		t.Error("a session that was ended counts")
	}
	last := begin()
	known, _, err := w.Find(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	revocation, err := access.NewRevocation(w.head("grace"), known, "lost")
	if err != nil {
		t.Fatal(err)
	}
	w.add(bundle(t, "grace", revocation))
	if ask(last) == nil {
		t.Error("the session of a revoked token counts")
	}
}

// What stands in no row is refused, and what a row asks for is asked.
func TestGate(t *testing.T) {
	w := newWorld(t)
	s := w.secret()
	w.add(bundle(t, "grace", w.token("grace", s, nil)))
	gate := &access.Gate{
		Table:  access.Table{"read": {Scope: access.Read}, "operate": {Scope: access.Operate}, "open": {Open: true}, "empty": {}},
		Tokens: w.Tokens, Sessions: access.NewSessions(w.Tokens, func() time.Time { return w.now }, rand.Reader, false),
	}
	for _, c := range []struct {
		pattern, header string
		status          int
	}{
		{"read", "Bearer " + s.Text(), 0}, {"read", "bearer " + s.Text(), 0}, {"operate", "Bearer " + s.Text(), 403}, {"empty", "Bearer " + s.Text(), 403}, {"none", "Bearer " + s.Text(), 404},
		{"read", "", 401}, {"open", "", 0}, {"read", "Basic " + s.Text(), 401}, {"read", s.Text(), 401}, {"open", "Bearer x", 401}, {"none", "", 404},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		_, err := gate.Decide(r, c.pattern)
		var denial *access.Denial
		if got := 0; errors.As(err, &denial) {
			got = denial.Status
			if got != c.status {
				t.Errorf("%s with %q: %d, expected %d", c.pattern, c.header, got, c.status)
			}
		} else if c.status != 0 {
			t.Errorf("%s with %q gets through", c.pattern, c.header)
		}
	}
	w.store.Close()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+s.Text())
	var denial *access.Denial
	if _, err := gate.Decide(r, "read"); !errors.As(err, &denial) || denial.Status != http.StatusServiceUnavailable {
		t.Errorf("with a store that cannot be read: %v", err)
	}
}
