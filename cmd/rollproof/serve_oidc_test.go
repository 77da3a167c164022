package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// An issuer is a company's OpenID Connect issuer on loopback.
type issuer struct {
	*httptest.Server
	t      *testing.T
	key    *ecdsa.PrivateKey
	asked  url.Values     // what the last browser came with
	claims map[string]any // that differ in the next token
}

func newIssuer(t *testing.T) *issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.send(w, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		point, err := key.PublicKey.Bytes() // 4, x, y
		if err != nil {
			t.Error(err)
		}
		i.send(w, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1", "x": base64url(point[1:33]), "y": base64url(point[33:])}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if r.PostFormValue("code") != "once" || base64url(sum[:]) != i.asked.Get("code_challenge") {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		i.send(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": i.token()})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (i *issuer) send(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		i.t.Error(err)
	}
}

// token signs what the issuer says of ada.
func (i *issuer) token() string {
	claims := map[string]any{"iss": i.URL, "sub": "248289761001", "aud": "rollproof", "exp": time.Now().Add(time.Hour).Unix(), "groups": []string{"auditors"}, "nonce": i.asked.Get("nonce")}
	for k, v := range i.claims {
		claims[k] = v
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		i.t.Fatal(err)
	}
	text := base64url([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + base64url(payload)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		i.t.Fatal(err)
	}
	return text + "." + base64url(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// authorize is the issuer letting a browser in: the path of the way back.
func (i *issuer) authorize(location string) string {
	i.t.Helper()
	at, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, i.URL+"/authorize?") {
		i.t.Fatalf("the browser is sent to %q, %v", location, err)
	}
	i.asked = at.Query()
	if back := i.asked.Get("redirect_uri"); back != "http://localhost:8080/login/oidc/done" {
		i.t.Fatalf("the issuer shall send back to %q", back)
	}
	return "/login/oidc/done?" + url.Values{"code": {"once"}, "state": {i.asked.Get("state")}}.Encode()
}

// People of the company's issuer read with its tokens, and sign in to the pages.
func TestServeWithAnIssuer(t *testing.T) {
	i := newIssuer(t)
	s := shop{t: t, dir: t.TempDir()}
	s.approved()
	s.run(0, "trust", "edit", s.dir+"/trust/trust", "--person", "ada", "--add-identity", "248289761001", "--issuer", i.URL)
	s.run(0, "trust", "sign", s.dir+"/trust/trust/2.trust.json", "--key", s.key("root"))
	s.write("config/rollproof/server.yaml", fmt.Sprintf("oidc:\n  issuer: %s\n  client_id: rollproof\n  redirect: http://localhost:8080/login/oidc/done\n  scopes:\n    auditors: [read]\n", i.URL))
	r := s.serve("--trust", s.dir+"/trust/trust")

	if e := r.do("GET", "/api/v1/evidence", i.token(), nil); e.StatusCode != http.StatusOK {
		t.Errorf("with a token of the issuer: %s\n%s", e.Status, e.body)
	}
	i.claims = map[string]any{"sub": "ada"}
	r.wants(r.do("GET", "/api/v1/evidence", i.token(), nil), http.StatusUnauthorized, 2)
	i.claims = nil

	html := func(q *http.Request) { q.Header.Set("Accept", "text/html") }
	with := func(cookies []*http.Cookie) func(*http.Request) {
		return func(q *http.Request) {
			for _, c := range cookies {
				q.AddCookie(c)
			}
		}
	}
	if e := r.do("GET", "/login?next=/log", "", nil, html); !strings.Contains(string(e.body), "Sign in with "+strings.TrimPrefix(i.URL, "http://")) || !strings.Contains(string(e.body), `href="/login/oidc?next=%2Flog"`) {
		t.Errorf("the login page names no issuer: %s", e.body)
	}
	away := r.do("GET", "/login/oidc?next=/log", "", nil, html)
	back := i.authorize(away.Header.Get("Location"))
	if e := r.do("GET", back, "", nil, html); e.StatusCode != http.StatusUnauthorized || len(e.Cookies()) != 0 {
		t.Errorf("in another browser: %s, cookies %v", e.Status, e.Cookies())
	}
	in := r.do("GET", back, "", nil, html, with(away.Cookies()))
	if in.StatusCode != http.StatusOK || in.Header.Get("Refresh") != "0;url=/log" || !strings.Contains(string(in.body), `<a href="/log">`) {
		t.Fatalf("coming back: %s, %s\n%s", in.Status, in.Header.Get("Refresh"), in.body)
	}
	if e := r.do("GET", "/log", "", nil, html, with(in.Cookies()[1:])); e.StatusCode != http.StatusOK || !strings.Contains(string(e.body), "ada") {
		t.Errorf("signed in: %s\n%s", e.Status, e.body)
	}
	if e := r.do("GET", back, "", nil, html, with(away.Cookies())); e.StatusCode != http.StatusUnauthorized {
		t.Errorf("the same way back twice: %s", e.Status)
	}

	for next, want := range map[string]string{"//evil.example.com": "/", "https://evil.example.com": "/", `/\evil.example.com`: "/", "/log;url=https://evil.example.com": "/"} {
		away := r.do("GET", "/login/oidc?next="+url.QueryEscape(next), "", nil, html)
		if e := r.do("GET", i.authorize(away.Header.Get("Location")), "", nil, html, with(away.Cookies())); e.Header.Get("Refresh") != "0;url="+want {
			t.Errorf("next %q leads to %q", next, e.Header.Get("Refresh"))
		}
	}
	i.claims = map[string]any{"groups": []string{"guests"}}
	away = r.do("GET", "/login/oidc", "", nil, html)
	if e := r.do("GET", i.authorize(away.Header.Get("Location")), "", nil, html, with(away.Cookies())); e.StatusCode != http.StatusForbidden {
		t.Errorf("without a group that may read: %s", e.Status)
	}
	i.Close()
	if e := r.do("GET", "/log", "", nil, html, with(in.Cookies()[1:])); e.StatusCode != http.StatusOK {
		t.Errorf("a session while the issuer is away: %s", e.Status)
	}
}
