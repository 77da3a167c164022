package access_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
)

// A lobby is a desk with an OpenID Connect issuer.
type lobby struct {
	*desk
	issuer   *idp
	provider *access.OIDC
}

func newLobby(t *testing.T) *lobby {
	t.Helper()
	l := &lobby{desk: newDesk(t)}
	l.issuer = newIDP(t, l.clock)
	l.provider = must[*access.OIDC](t)(access.NewOIDC(access.OIDCSettings{
		Issuer: l.issuer.server.URL, ClientID: "rollproof", Redirect: "http://localhost:8080/login/oidc/done",
		Scopes: map[string][]access.Scope{"owners": {access.Operate, access.Read}, "auditors": {access.Read}},
	}, "", l.trust, l.clock, rand.Reader, false, http.DefaultTransport))
	l.gate.OIDC = l.provider
	l.identify("248289761001", "grace")
	return l
}

// identify gives a person of the trust root an identity of the issuer.
func (l *lobby) identify(subject, person string) {
	l.next(func(e *trust.Edit) {
		ok(l.t, e.Identity(trust.IdentityEntry{Issuer: l.issuer.server.URL, Subject: subject, Person: person}))
	})
}

func TestBearerOfAnIssuer(t *testing.T) {
	l := newLobby(t)
	for name, sign := range map[string]func(map[string]any) string{"RS256": l.issuer.rs256, "ES256": l.issuer.es256} {
		w := l.call("GET", "/log", bearing(sign(l.issuer.good())))
		l.want(200, w)
		if w.Body.String() != "grace" { // and not ada, whose e-mail stands in the token
			t.Errorf("%s: %q", name, w.Body)
		}
	}
	l.want(200, l.call("POST", "/executions", bearing(l.issuer.rs256(l.issuer.good()))))
	l.want(403, l.call("POST", "/evidence", bearing(l.issuer.rs256(l.issuer.good()))))
	if l.issuer.keys != 1 {
		t.Errorf("the keys were fetched %d times", l.issuer.keys)
	}
}

func changed(claims map[string]any, name string, value any) map[string]any {
	out := maps.Clone(claims)
	if out[name] = value; value == nil {
		delete(out, name)
	}
	return out
}

func TestBearersThatDoNotCount(t *testing.T) {
	l := newLobby(t)
	good := l.issuer.good()
	other := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	rs := l.issuer.rs256
	tampered := strings.Split(rs(good), ".")
	tampered[1] = encoded([]byte(`{"iss":"` + l.issuer.server.URL + `","aud":"rollproof","sub":"1","groups":["owners"],"exp":9999999999}`))
	for name, text := range map[string]string{
		"alg none":                    l.issuer.none(good),
		"HS256 with the public key":   l.issuer.hs256(good),
		"another key":                 l.issuer.rs256By(other, good),
		"other claims":                strings.Join(tampered, "."),
		"no signature":                strings.Join(append(tampered[:2:2], ""), "."),
		"other audience":              rs(changed(good, "aud", "someone-else")),
		"no audience":                 rs(changed(good, "aud", nil)),
		"empty audience":              rs(changed(good, "aud", "")),
		"other issuer":                rs(changed(good, "iss", "https://login.example.com")),
		"issuer with a slash":         rs(changed(good, "iss", l.issuer.server.URL+"/")),
		"expired":                     rs(changed(good, "exp", l.now.Add(-time.Second).Unix())),
		"never expires":               rs(changed(good, "exp", nil)),
		"not yet":                     rs(changed(good, "nbf", l.now.Add(time.Hour).Unix())),
		"no subject":                  rs(changed(good, "sub", nil)),
		"the id of a person":          rs(changed(good, "sub", "ada")),
		"the e-mail of a person":      rs(changed(good, "sub", "ada@example.com")),
		"key in its own header (jwk)": l.issuer.compact(map[string]any{"alg": "RS256", "jwk": map[string]string{"kty": "RSA"}}, good, func(string) []byte { return []byte("x") }),
	} {
		if w := l.call("GET", "/log", bearing(text)); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for name, groups := range map[string]any{"no groups": nil, "other groups": []string{"guests"}, "a number": 7, "group in another case": []string{"Owners"}} {
		if w := l.call("GET", "/log", bearing(rs(changed(good, "groups", groups)))); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	w := l.call("POST", "/executions", bearing(rs(changed(good, "groups", "auditors"))))
	l.want(403, w)
}

// away begins to sign in, goes to the issuer and returns the address of the way back,
// with the cookie that the browser holds.
func (l *lobby) away() (*url.URL, *http.Cookie) {
	l.t.Helper()
	w := httptest.NewRecorder()
	ok(l.t, l.provider.Begin(w, httptest.NewRequest("GET", access.BeginPath, nil), "/"))
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer := must[*http.Response](l.t)(browser.Get(w.Result().Header.Get("Location")))
	ok(l.t, answer.Body.Close())
	return must[*url.URL](l.t)(url.Parse(answer.Header.Get("Location"))), w.Result().Cookies()[0]
}

// back comes back from the issuer.
func (l *lobby) back(at *url.URL, cookies ...*http.Cookie) (access.Caller, time.Time, error) {
	r := httptest.NewRequest("GET", at.RequestURI(), nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	arrival, err := l.provider.Finish(httptest.NewRecorder(), r)
	return arrival.Caller, arrival.Expires, err
}

func TestSignInWithAnIssuer(t *testing.T) {
	l := newLobby(t)
	for _, sign := range []func(map[string]any) string{l.issuer.rs256, l.issuer.es256} {
		l.issuer.sign = sign
		at, login := l.away()
		if !strings.HasPrefix(at.String(), "http://localhost:8080/login/oidc/done?") {
			t.Fatalf("the issuer leads back to %s", at)
		}
		if login.SameSite != http.SameSiteLaxMode || !login.HttpOnly || login.MaxAge > 600 {
			t.Errorf("cookie %v", login)
		}
		caller, expires, err := l.back(at, login)
		ok(t, err)
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		ok(t, l.sessions.Begin(w, r, caller, expires))
		session := w.Result().Cookies()[0]
		if w := l.call("GET", "/log", carrying(session)); w.Body.String() != "grace" {
			t.Errorf("signed in as %q", w.Body)
		}
		l.want(200, l.call("POST", "/executions", carrying(session)))
		l.now = expires
		l.want(401, l.call("GET", "/log", carrying(session)))
	}
}

// Who is taken out of the trust root is out at once, with sessions that he has open.
func TestSessionLivesWithItsPerson(t *testing.T) {
	l := newLobby(t)
	l.issuer.sign = l.issuer.rs256
	at, login := l.away()
	caller, expires, err := l.back(at, login)
	ok(t, err)
	w := httptest.NewRecorder()
	ok(t, l.sessions.Begin(w, httptest.NewRequest("GET", "/", nil), caller, expires))
	session := w.Result().Cookies()[0]
	l.want(200, l.call("GET", "/log", carrying(session)))
	id := trust.Identity{Issuer: l.issuer.server.URL, Subject: "248289761001"}
	l.next(func(e *trust.Edit) {
		ok(t, e.RemoveIdentity(id))
		ok(t, e.Identity(trust.IdentityEntry{Issuer: id.Issuer, Subject: id.Subject, Person: "ada"}))
	})
	if w := l.call("GET", "/log", carrying(session)); w.Body.String() != "ada" {
		t.Errorf("the session is of %q, and the identity now of ada", w.Body)
	}
	l.next(func(e *trust.Edit) { ok(t, e.RemoveIdentity(id)) })
	l.want(401, l.call("GET", "/log", carrying(session)))
	l.identify(id.Subject, "grace")
	l.want(401, l.call("GET", "/log", carrying(session))) // it has ended
}

func (l *lobby) refusedBack(name string, at *url.URL, cookies ...*http.Cookie) {
	l.t.Helper()
	caller, _, err := l.back(at, cookies...)
	var refusal *access.RefusedError
	if !errors.As(err, &refusal) || !caller.Anonymous() {
		l.t.Errorf("%s: caller %+v, error %v", name, caller, err)
	}
}

func with(at *url.URL, name, value string) *url.URL {
	u, q := *at, at.Query()
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return &u
}

func TestWaysBackThatAreRefused(t *testing.T) {
	l := newLobby(t)
	_, one := l.away()
	two, _ := l.away()
	l.refusedBack("an attacker's way back in a victim's browser", two, one)
	for name, edit := range map[string]func(*url.URL) *url.URL{
		"no state":                     func(at *url.URL) *url.URL { return with(at, "state", "") },
		"other state":                  func(at *url.URL) *url.URL { return with(at, "state", strings.Repeat("a", 64)) },
		"another issuer (RFC 9207)":    func(at *url.URL) *url.URL { return with(at, "iss", "https://login.example.com") },
		"no code":                      func(at *url.URL) *url.URL { return with(at, "code", "") },
		"made-up code":                 func(at *url.URL) *url.URL { return with(at, "code", "x") },
		"the code of another's way":    func(at *url.URL) *url.URL { other, _ := l.away(); return with(at, "code", other.Query().Get("code")) },
		"too late":                     func(at *url.URL) *url.URL { l.now = l.now.Add(11 * time.Minute); return at },
		"what the provider says first": func(at *url.URL) *url.URL { return with(with(at, "code", ""), "error", "access_denied") },
	} {
		at, login := l.away()
		l.refusedBack(name, edit(at), login)
		l.refusedBack(name+", again and right", at, login)
	}
	at, login := l.away()
	l.refusedBack("no cookie", at)
	_, _, err := l.back(at, login)
	ok(t, err)
	l.refusedBack("a second time", at, login)
}

func TestTokensOfASignInThatAreRefused(t *testing.T) {
	l := newLobby(t)
	for name, claims := range map[string]map[string]any{
		"nonce of another sign-in": {"nonce": "replayed"},
		"no nonce":                 {"nonce": ""},
		"other audience":           {"aud": "someone-else"},
		"expired":                  {"exp": l.now.Add(-time.Minute).Unix()},
		"other issuer":             {"iss": "https://login.example.com"},
		"no person's subject":      {"sub": "ada"},
	} {
		l.issuer.claims = claims
		at, login := l.away()
		l.refusedBack(name, at, login)
	}
	l.issuer.claims = nil
	for name, sign := range map[string]func(map[string]any) string{"alg none": l.issuer.none, "HS256 with the public key": l.issuer.hs256} {
		l.issuer.sign = sign
		at, login := l.away()
		l.refusedBack(name, at, login)
	}
}

func TestIssuerThatIsAway(t *testing.T) {
	l := newLobby(t)
	good := l.issuer.rs256(l.issuer.good())
	l.issuer.server.Close()
	l.want(503, l.call("GET", "/log", bearing(good)))
	l.want(200, l.call("GET", "/log", bearing(l.token(l.all()).Text())))
}

// A stranger's tokens with made-up key ids do not make this server a hammer.
func TestMadeUpKeysAreAskedForSeldom(t *testing.T) {
	l := newLobby(t)
	for range 100 {
		text := l.issuer.compact(map[string]any{"alg": "RS256", "kid": rand.Text()}, l.issuer.good(), func(string) []byte { return []byte("x") })
		if w := l.call("GET", "/log", bearing(text)); w.Code == http.StatusOK {
			t.Fatal("a made-up token counts")
		}
	}
	if l.issuer.keys > 20 {
		t.Errorf("the keys were fetched %d times", l.issuer.keys)
	}
}

// Under a trust root that may be an old one nobody knows whose an identity is.
func TestExpiredTrustRootEndsIdentities(t *testing.T) {
	l := newLobby(t)
	l.now = l.doc.Expires.Add(time.Second)
	l.want(401, l.call("GET", "/log", bearing(l.issuer.rs256(l.issuer.good()))))
}

// An issuer that has been taken over does not lead this server to other addresses, and
// can't fill its memory.
func TestIssuerLeadsNowhereElse(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	l := newLobby(t)
	l.issuer.elsewhere = other.URL
	l.want(503, l.call("GET", "/log", bearing(l.issuer.rs256(l.issuer.good()))))
	if asked != 0 {
		t.Errorf("another address was asked %d times", asked)
	}
}
