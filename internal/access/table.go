package access

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// A Rule says what a route demands. The zero value lets nobody in.
type Rule struct {
	Scope Scope
	Open  bool // needs no credential
}

// A Table is what every route demands, by its pattern as [http.ServeMux] has it. A
// route that is not in it is refused.
type Table map[string]Rule

// A Verifier knows a kind of bearer credential besides tokens.
type Verifier interface {
	// Verify returns whose credential a text is. A *RefusedError says that it does not
	// count.
	Verify(ctx context.Context, text string) (Caller, error)
	// Still returns the caller of a credential that was verified before, as he is now.
	Still(c Caller) (Caller, error)
}

// A Gate lets callers through to routes.
type Gate struct {
	Table    Table
	Tokens   *Tokens // nil where sessions alone count
	Sessions *Sessions
	OIDC     Verifier // nil without an issuer
	// ReadPublic lets everybody read.
	ReadPublic bool
}

// A Denial is why a request does not get through.
type Denial struct {
	Status int // 401, 403, 404, 400 or 503
	Caller Caller
	Err    error // not for who asks
}

func (d *Denial) Error() string { return d.Err.Error() }

// Caller returns who asks, by header or cookie. A request with a credential that does
// not count is refused, also where none is needed.
func (g *Gate) Caller(r *http.Request) (Caller, error) {
	header := r.Header.Values("Authorization")
	if len(header) > 1 {
		return Caller{}, refused("%d Authorization headers", len(header))
	}
	if len(header) == 1 {
		scheme, text, _ := strings.Cut(header[0], " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Caller{}, refused("scheme %q", scheme)
		}
		return g.bearer(r.Context(), strings.TrimSpace(text))
	}
	switch cookies := r.CookiesNamed(g.Sessions.CookieName()); {
	case len(cookies) == 1:
		return g.Sessions.caller(r.Context(), cookies[0].Value, g.OIDC)
	case len(cookies) > 1: // one of them was put there by another site of the domain
		return Caller{}, refused("%d session cookies", len(cookies))
	}
	public := Caller{Via: ViaPublic}
	if g.ReadPublic {
		public.Scopes = []Scope{Read}
	}
	return public, nil
}

func (g *Gate) bearer(ctx context.Context, text string) (Caller, error) {
	if g.Tokens == nil {
		return Caller{}, refused("only sessions count here")
	}
	if strings.HasPrefix(text, TokenPrefix) || g.OIDC == nil {
		return g.Tokens.Check(ctx, text)
	}
	return g.OIDC.Verify(ctx, text)
}

// InURL reports whether a credential stands in the URL of a request, whether it counts
// or not: URLs are logged, kept in histories and sent to others.
func InURL(r *http.Request) bool {
	if r.URL.User != nil || r.URL.Query().Has("access_token") {
		return true
	}
	for _, part := range []string{r.RequestURI, r.URL.Path, r.URL.RawQuery} {
		for range 3 {
			if strings.Contains(strings.ToLower(part), TokenPrefix) {
				return true
			}
			decoded, err := url.PathUnescape(part)
			if err != nil || decoded == part {
				break
			}
			part = decoded
		}
	}
	return false
}

// Decide says whether a request may reach the route of a pattern, and who asks. Errors
// are [*Denial]; one with status 401 wants a credential.
func (g *Gate) Decide(r *http.Request, pattern string) (Caller, error) {
	if InURL(r) {
		return Caller{}, &Denial{http.StatusBadRequest, Caller{}, errors.New("a credential stands in the URL")}
	}
	rule, listed := g.Table[pattern]
	if !listed {
		return Caller{}, &Denial{http.StatusNotFound, Caller{}, errors.New("no rule for this route")}
	}
	caller, err := g.Caller(r)
	var refusal *RefusedError
	switch {
	case errors.As(err, &refusal):
		if rule.Open && r.Header.Get("Authorization") == "" {
			return Caller{Via: ViaPublic}, nil // a cookie of an ended session: health and login are for everybody
		}
		return Caller{}, &Denial{http.StatusUnauthorized, caller, err}
	case err != nil:
		if rule.Open {
			return Caller{Via: ViaPublic}, nil
		}
		return Caller{}, &Denial{http.StatusServiceUnavailable, caller, err}
	case rule.Open || rule.Scope != "" && caller.May(rule.Scope):
		return caller, nil
	case caller.Anonymous():
		return Caller{}, &Denial{http.StatusUnauthorized, caller, errors.New("no credential")}
	}
	return Caller{}, &Denial{http.StatusForbidden, caller, errors.New("the caller lacks the scope " + string(rule.Scope))}
}
