package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rollproof/rollproof/internal/access"
)

type loginBody struct{ Next, Problem, Elsewhere, Issuer string }

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if who := c.caller(r); !who.Anonymous() && who.May(access.Read) {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	c.login(w, r, http.StatusOK, next, "")
}

func (c *Console) login(w http.ResponseWriter, r *http.Request, code int, next, problem string) {
	v := c.view(r, "Sign in", "")
	v.Here = "/login"
	body := loginBody{Next: next, Problem: problem}
	if c.logsIn() {
		body.Elsewhere, body.Issuer = access.BeginPath+"?next="+escapeQuery(next), c.OIDC.Name()
	}
	v.Body = body
	c.show(w, r, code, "login", v)
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	next := localPath(r.PostFormValue("next"))
	caller, err := c.Gate.Tokens.Check(r.Context(), strings.TrimSpace(r.PostFormValue("token")))
	var refused *access.RefusedError
	switch {
	case errors.As(err, &refused):
		c.login(w, r, http.StatusUnauthorized, next, "This token does not count: it is unknown, ended or revoked.")
		return
	case err != nil:
		c.unable(w, r, err)
		return
	case !caller.May(access.Read):
		c.login(w, r, http.StatusForbidden, next, "This token may not read evidence.")
		return
	}
	if err := c.Gate.Sessions.Begin(w, r, caller, time.Time{}); err != nil {
		c.unable(w, r, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	c.Gate.Sessions.End(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
