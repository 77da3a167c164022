package access

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/rollproof/rollproof/evidence/trust"
	"golang.org/x/oauth2"
	"golang.org/x/time/rate"
)

// OIDCSettings are what the server's operator says of the company's identity provider.
// Nothing that a caller sends has a say in where the server asks.
type OIDCSettings struct {
	Issuer           string `yaml:"issuer"`    // https://login.example.com
	ClientID         string `yaml:"client_id"` // of the console at the issuer
	ClientSecretFile string `yaml:"client_secret_file"`
	// Audience is what identity tokens must be made for, "" for ClientID.
	Audience string `yaml:"audience"`
	// Redirect is the console's URL that the issuer sends browsers back to.
	Redirect    string `yaml:"redirect"`
	GroupsClaim string `yaml:"groups_claim"` // "" for groups
	// Scopes are what members of a group may do.
	Scopes map[string][]Scope `yaml:"scopes"`
}

// Check refuses settings with which nobody, or anybody, could log in.
func (s OIDCSettings) Check() error {
	if err := checkURL("issuer", s.Issuer); err != nil {
		return err
	}
	if s.Redirect != "" {
		if err := checkURL("redirect", s.Redirect); err != nil {
			return err
		}
		if u, _ := url.Parse(s.Redirect); u.Path != FinishPath {
			return fmt.Errorf("oidc: redirect %q: expected the path %s", s.Redirect, FinishPath)
		}
	}
	switch {
	case s.ClientID == "":
		return errors.New("oidc: no client_id")
	case len(s.Scopes) == 0:
		return errors.New("oidc: no group has a scope")
	}
	for group, scopes := range s.Scopes {
		for _, scope := range scopes {
			if !slices.Contains(Scopes, scope) {
				return fmt.Errorf("oidc: scope %q of group %q is none of %q", scope, group, Scopes)
			}
		}
	}
	return nil
}

// checkURL wants TLS, but for this machine itself.
func checkURL(what, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("oidc: %s %q is no URL", what, text)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("oidc: %s %q: expected https", what, text)
}

// Paths of logging in through the issuer, which package console serves.
const (
	BeginPath  = "/login/oidc"
	FinishPath = "/login/oidc/done"
)

// Limits of logins that have begun.
const (
	loginLife  = 10 * time.Minute
	maxLogins  = 1000
	askAgain   = 10 * time.Second // after the issuer could not be reached
	issuerTime = 10 * time.Second
	maxAnswer  = 1 << 20 // bytes of an answer of the issuer

	fetchesPerSecond, fetchBurst = 1, 10 // of keys and discovery
)

// algorithms are those of asymmetric keys: a client's secret signs nothing.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// An OIDC verifies identity tokens of one issuer and logs people in through it. The
// issuer's keys are fetched when they are first needed, and again when a token names one
// that is not known. A person is who the trust root says: (issuer, subject), never an
// e-mail.
type OIDC struct {
	settings OIDCSettings
	secret   string
	trust    Trust
	now      func() time.Time
	random   io.Reader
	secure   bool
	client   *http.Client

	mu       sync.Mutex
	provider *oidc.Provider
	failed   time.Time
	why      error
	logins   map[string]login // by the sha256 of the cookie's value, in hex
}

// A login has begun and is not finished.
type login struct {
	state, nonce, verifier, next string
	began                        time.Time
}

// NewOIDC asks nobody yet. secret is the client's, "" for a public client; secure as in
// [NewSessions].
func NewOIDC(s OIDCSettings, secret string, t Trust, now func() time.Time, random io.Reader, secure bool, transport http.RoundTripper) (*OIDC, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if s.Audience == "" {
		s.Audience = s.ClientID
	}
	if s.GroupsClaim == "" {
		s.GroupsClaim = "groups"
	}
	return &OIDC{settings: s, secret: secret, trust: t, now: now, random: random, secure: secure, client: issuerClient(transport), logins: map[string]login{}}, nil
}

// issuerClient asks the issuer and nobody else: it follows no redirect.
func issuerClient(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: limited{t, rate.NewLimiter(fetchesPerSecond, fetchBurst)}, Timeout: issuerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// limited bounds how much an answer can make this machine read, and how often strangers'
// tokens with made-up key ids make it ask for the issuer's keys.
type limited struct {
	http.RoundTripper
	fetches *rate.Limiter
}

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && !l.fetches.Allow() {
		return nil, errors.New("the issuer was asked too often")
	}
	answer, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	}
	return answer, err
}

// discovered returns the issuer's endpoints and keys.
func (o *OIDC) discovered() (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	if o.why != nil && o.now().Sub(o.failed) < askAgain {
		return nil, o.why
	}
	// The provider keeps the context's client for its keys, and outlives every request.
	p, err := oidc.NewProvider(oidc.ClientContext(context.Background(), o.client), o.settings.Issuer)
	if err != nil {
		o.failed, o.why = o.now(), fmt.Errorf("the issuer %s cannot be asked: %w", o.settings.Issuer, err)
		return nil, o.why
	}
	o.provider, o.why = p, nil
	return p, nil
}

// Verify returns whose identity token a text is.
func (o *OIDC) Verify(ctx context.Context, text string) (Caller, error) {
	if strings.Count(text, ".") != 2 {
		return Caller{}, refused("no token, and no identity token")
	}
	caller, _, err := o.verify(ctx, text, o.settings.Audience, "")
	return caller, err
}

// verify checks an identity token; nonce is "" for one that no login asked for.
func (o *OIDC) verify(ctx context.Context, text, audience, nonce string) (Caller, time.Time, error) {
	provider, err := o.discovered()
	if err != nil {
		return Caller{}, time.Time{}, err
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: audience, SupportedSigningAlgs: algorithms, Now: o.now})
	token, err := verifier.Verify(ctx, text) // with the keys that the provider keeps
	if err != nil {
		return Caller{}, time.Time{}, refused("%v", err)
	}
	if nonce != "" && subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1 {
		return Caller{}, time.Time{}, refused("the identity token is of another login")
	}
	person, err := o.person(trust.Identity{Issuer: token.Issuer, Subject: token.Subject})
	if err != nil {
		return Caller{}, time.Time{}, err
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return Caller{}, time.Time{}, refused("%v", err)
	}
	return Caller{Credential: token.Issuer + identitySeparator + token.Subject, Owner: person, Scopes: o.scopes(claims[o.settings.GroupsClaim]), Via: ViaOIDC}, token.Expiry, nil
}

// identitySeparator stands between issuer and subject in a credential; no URL has one.
const identitySeparator = " "

// person returns who an identity is by the trust root, as it is now.
func (o *OIDC) person(id trust.Identity) (string, error) {
	root, err := o.trust()
	if err != nil {
		return "", err
	}
	if err := current(root.Authority); err != nil {
		return "", err
	}
	person := trust.PersonOf(root.Authority, id)
	if person == "" {
		return "", refused("the trust root has no person for subject %q of %s", id.Subject, id.Issuer)
	}
	return person, nil
}

// Still returns who a caller of [OIDC.Verify] is now: the trust root may have another
// person for him, or nobody. What his groups allow is as the issuer last said.
func (o *OIDC) Still(c Caller) (Caller, error) {
	issuer, subject, _ := strings.Cut(c.Credential, identitySeparator)
	var err error
	c.Owner, err = o.person(trust.Identity{Issuer: issuer, Subject: subject})
	if err != nil {
		return Caller{}, err
	}
	return c, nil
}

// scopes are those of all groups of a claim: a text or a list of texts.
func (o *OIDC) scopes(claim any) []Scope {
	var groups []string
	switch list := claim.(type) {
	case string:
		groups = append(groups, list)
	case []any:
		for _, g := range list {
			if text, ok := g.(string); ok {
				groups = append(groups, text)
			}
		}
	}
	var all []Scope
	for _, g := range groups {
		all = append(all, o.settings.Scopes[g]...)
	}
	return inOrder(all)
}

func (o *OIDC) config(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: o.settings.ClientID, ClientSecret: o.secret, Endpoint: p.Endpoint(), RedirectURL: o.settings.Redirect, Scopes: []string{oidc.ScopeOpenID, "profile", "groups"}}
}

func (o *OIDC) cookieName() string {
	if o.secure {
		return "__Host-rollproof-login"
	}
	return "rollproof-login"
}

// cookie is sent along when the issuer sends the browser back, which a strict one would
// not be. It is worth nothing but the end of one login.
func (o *OIDC) cookie(value string, seconds int) *http.Cookie {
	return &http.Cookie{Name: o.cookieName(), Value: value, Path: "/", MaxAge: seconds, Secure: o.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Name is the issuer's host, as pages name it.
func (o *OIDC) Name() string {
	u, _ := url.Parse(o.settings.Issuer) // Check has parsed it
	return u.Host
}

// LogsIn reports whether browsers can log in, not bearers of identity tokens alone.
func (o *OIDC) LogsIn() bool { return o.settings.Redirect != "" }

// Begin sends a browser to the issuer (code flow with PKCE, state and nonce). next is
// where it shall come out on this server.
func (o *OIDC) Begin(w http.ResponseWriter, r *http.Request, next string) error {
	if o.settings.Redirect == "" {
		return errors.New("oidc: no redirect is configured: nobody can log in through the issuer")
	}
	provider, err := o.discovered()
	if err != nil {
		return err
	}
	var raw [4][32]byte
	texts := make([]string, len(raw))
	for i := range raw {
		if _, err := io.ReadFull(o.random, raw[i][:]); err != nil {
			return err
		}
		texts[i] = hex.EncodeToString(raw[i][:])
	}
	if err := o.keep(texts[0], login{texts[1], texts[2], texts[3], next, o.now()}); err != nil {
		return err
	}
	http.SetCookie(w, o.cookie(texts[0], int(loginLife.Seconds())))
	http.Redirect(w, r, o.config(provider).AuthCodeURL(texts[1], oidc.Nonce(texts[2]), oauth2.S256ChallengeOption(texts[3])), http.StatusSeeOther)
	return nil
}

func (o *OIDC) keep(value string, l login) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, old := range o.logins {
		if o.now().Sub(old.began) >= loginLife {
			delete(o.logins, key)
		}
	}
	if len(o.logins) >= maxLogins {
		return ErrTooMany
	}
	o.logins[hashed(value)] = l
	return nil
}

// An Arrival is who came back from the issuer, until when that is so, and where to.
type Arrival struct {
	Caller  Caller
	Expires time.Time
	Next    string
}

// Finish returns who came back from the issuer. A login ends
// once, in the browser in which it began. The browser was sent by another site, so that
// it will not show a strict cookie on a redirect: answer with a page that goes on.
func (o *OIDC) Finish(w http.ResponseWriter, r *http.Request) (Arrival, error) {
	cookie, err := r.Cookie(o.cookieName())
	if err != nil {
		return Arrival{}, refused("no login has begun in this browser")
	}
	http.SetCookie(w, o.cookie("", -1))
	o.mu.Lock()
	l, ok := o.logins[hashed(cookie.Value)]
	delete(o.logins, hashed(cookie.Value))
	o.mu.Unlock()
	q := r.URL.Query()
	switch {
	case !ok || o.now().Sub(l.began) >= loginLife:
		return Arrival{}, refused("no such login")
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(l.state)) != 1:
		return Arrival{}, refused("the answer is of another login")
	case q.Has("iss") && q.Get("iss") != o.settings.Issuer: // RFC 9207
		return Arrival{}, refused("the answer is of another issuer")
	case q.Get("code") == "":
		return Arrival{}, refused("the issuer said %q", q.Get("error"))
	}
	provider, err := o.discovered()
	if err != nil {
		return Arrival{}, err
	}
	tokens, err := o.config(provider).Exchange(oidc.ClientContext(r.Context(), o.client), q.Get("code"), oauth2.VerifierOption(l.verifier))
	if err != nil {
		return Arrival{}, refused("the issuer does not take the code: %v", err)
	}
	text, ok := tokens.Extra("id_token").(string)
	if !ok {
		return Arrival{}, refused("the issuer gave no identity token")
	}
	caller, expires, err := o.verify(r.Context(), text, o.settings.ClientID, l.nonce)
	return Arrival{caller, expires, l.next}, err
}
