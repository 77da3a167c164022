package access_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
)

// An issuer is an identity provider with discovery, keys, and the code flow.
type issuer struct {
	*httptest.Server
	key     *ecdsa.PrivateKey
	claims  map[string]any
	pending map[string]url.Values // by code: what the browser was sent with
	fetched int                   // how often the keys were
}

func newIssuer(t *testing.T) *issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, claims: map[string]any{}, pending: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.send(w, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.fetched++
		i.send(w, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": encode(i.key.X.FillBytes(make([]byte, 32))), "y": encode(i.key.Y.FillBytes(make([]byte, 32)))}}})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		i.pending["the-code"] = q
		http.Redirect(w, r, q.Get("redirect_uri")+"?code=the-code&state="+url.QueryEscape(q.Get("state")), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		asked, ok := i.pending[r.FormValue("code")]
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if !ok || asked.Get("code_challenge_method") != "S256" || encode(sum[:]) != asked.Get("code_challenge") {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		delete(i.pending, r.FormValue("code"))
		claims := map[string]any{"nonce": asked.Get("nonce")}
		for k, v := range i.claims {
			claims[k] = v
		}
		i.send(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": i.token(claims)})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (i *issuer) send(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

// token signs an identity token for subject-1, with claims that change it.
func (i *issuer) token(change map[string]any) string {
	claims := map[string]any{"iss": i.URL, "sub": "subject-1", "aud": "rollproof", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "groups": []string{"auditors"}, "email": "grace@example.com"}
	for k, v := range change {
		claims[k] = v
	}
	header, payload := part(map[string]any{"alg": "ES256", "kid": "1"}), part(claims)
	sum := sha256.Sum256([]byte(header + "." + payload))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		panic(err)
	}
	return header + "." + payload + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func part(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return encode(data)
}

// rootFor is a trust root that knows subject-1 of an issuer as ada.
func rootFor(t *testing.T, issuer string) access.Trust {
	t.Helper()
	w := newWorld(t)
	chain := w.chainWith(func(e *trust.Edit) {
		if err := e.Identity(trust.IdentityEntry{Issuer: issuer, Subject: "subject-1", Person: "ada"}); err != nil {
			t.Fatal(err)
		}
	})
	return func() (access.Root, error) {
		authority, err := chain.At(time.Now(), trust.Options{})
		return access.Root{Chain: chain, Authority: authority}, err
	}
}

func newOIDC(t *testing.T, i *issuer, change func(*access.OIDCSettings)) *access.OIDC {
	t.Helper()
	s := access.OIDCSettings{Issuer: i.URL, ClientID: "rollproof", Scopes: map[string][]access.Scope{"auditors": {access.Read}, "owners": {access.Operate, access.Read}}}
	if change != nil {
		change(&s)
	}
	o, err := access.NewOIDC(s, "", rootFor(t, i.URL), time.Now, rand.Reader, false, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestIdentityTokens(t *testing.T) {
	i := newIssuer(t)
	o := newOIDC(t, i, nil)
	c, err := o.Verify(t.Context(), i.token(map[string]any{"groups": []string{"owners", "others"}}))
	if err != nil || c.Owner != "ada" || !slices.Equal(c.Scopes, []access.Scope{access.Read, access.Operate}) || c.Via != access.ViaOIDC {
		t.Errorf("%+v, %v", c, err)
	}
	for range 5 {
		if _, err := o.Verify(t.Context(), i.token(nil)); err != nil {
			t.Error(err)
		}
	}
	stranger := newIssuer(t)
	none := part(map[string]any{"alg": "none"}) + "." + strings.Split(i.token(nil), ".")[1] + "."
	hmac := part(map[string]any{"alg": "HS256", "kid": "1"}) + "." + strings.Split(i.token(nil), ".")[1] + "." + encode(make([]byte, 32))
	for name, text := range map[string]string{
		"another audience": i.token(map[string]any{"aud": "other"}), "expired": i.token(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"another issuer": i.token(map[string]any{"iss": stranger.URL}), "a stranger's key": stranger.token(map[string]any{"iss": i.URL}),
		// Somebody who has the e-mail of a person at the issuer is not that person.
		"another subject": i.token(map[string]any{"sub": "subject-2", "email": "ada@example.com"}),
		"no algorithm":    none, "a shared secret": hmac, "no token": "a.b.c", "two parts": "a.b", "nothing": "",
	} {
		var refused *access.RefusedError
		if c, err := o.Verify(t.Context(), text); !errors.As(err, &refused) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if c, err := o.Verify(t.Context(), i.token(map[string]any{"groups": "nobodys"})); err != nil || len(c.Scopes) != 0 {
		t.Errorf("a group without scopes: %+v, %v", c, err)
	}
}

// A login ends in the browser in which it began, once, with the state, the nonce and the
// verifier that it began with.
func TestCodeFlow(t *testing.T) {
	i := newIssuer(t)
	var o *access.OIDC
	var caller access.Caller
	var failed error
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		if err := o.Begin(w, r, "/log"); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET "+access.FinishPath, func(w http.ResponseWriter, r *http.Request) {
		arrival, err := o.Finish(w, r)
		if caller, failed = arrival.Caller, err; err == nil && arrival.Next != "/log" {
			t.Errorf("the login leads to %q", arrival.Next)
		}
	})
	console := httptest.NewServer(mux)
	defer console.Close()
	o = newOIDC(t, i, func(s *access.OIDCSettings) { s.Redirect = console.URL + access.FinishPath })
	browser := func() *http.Client {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Client{Jar: jar}
	}
	visit := func(c *http.Client, at string) {
		t.Helper()
		res, err := c.Get(at)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	ada := browser()
	visit(ada, console.URL+"/login")
	if failed != nil || caller.Owner != "ada" {
		t.Fatalf("%+v, %v", caller, failed)
	}
	// The same answer again, and the answer of one browser in another.
	begin := browser()
	begin.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), console.URL+access.FinishPath) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, err := begin.Get(console.URL + "/login")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	answer := res.Header.Get("Location")
	for name, attempt := range map[string]func(){
		"another browser": func() { visit(browser(), answer) },
		"another state": func() {
			other := browser()
			other.CheckRedirect = begin.CheckRedirect
			visit(other, console.URL+"/login")
			visit(other, answer)
		},
	} {
		failed = nil
		attempt()
		var refused *access.RefusedError
		if !errors.As(failed, &refused) {
			t.Errorf("%s: %v", name, failed)
		}
	}
	visit(begin, answer) // the issuer gave its code away in "another state", whose PKCE verifier differs
	i.claims["nonce"] = "of another login"
	failed = nil
	visit(browser(), console.URL+"/login")
	var refused *access.RefusedError
	if !errors.As(failed, &refused) || !strings.Contains(failed.Error(), "another login") {
		t.Errorf("another nonce: %v", failed)
	}
}

func TestOIDCSettings(t *testing.T) {
	good := access.OIDCSettings{Issuer: "https://login.example.com", ClientID: "x", Scopes: map[string][]access.Scope{"a": {access.Read}}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*access.OIDCSettings){
		"no TLS":        func(s *access.OIDCSettings) { s.Issuer = "http://login.example.com" },
		"a password":    func(s *access.OIDCSettings) { s.Issuer = "https://a:b@login.example.com" },
		"no client":     func(s *access.OIDCSettings) { s.ClientID = "" },
		"no group":      func(s *access.OIDCSettings) { s.Scopes = nil },
		"another scope": func(s *access.OIDCSettings) { s.Scopes = map[string][]access.Scope{"a": {"root"}} },
		"another path":  func(s *access.OIDCSettings) { s.Redirect = "https://evidence.example.com/done" },
		"a file":        func(s *access.OIDCSettings) { s.Redirect = "file:///etc/passwd" },
	} {
		s := good
		change(&s)
		if s.Check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	// An issuer that cannot be asked is no refusal of the credential.
	o, err := access.NewOIDC(access.OIDCSettings{Issuer: "http://127.0.0.1:1", ClientID: "x", Scopes: good.Scopes}, "", nil, time.Now, rand.Reader, false, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	var refused *access.RefusedError
	if _, err := o.Verify(context.Background(), "a.b.c"); err == nil || errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}
