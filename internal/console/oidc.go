package console

import (
	"errors"
	"net/http"

	"github.com/rollproof/rollproof/internal/access"
)

func (c *Console) logsIn() bool { return c.OIDC != nil && c.OIDC.LogsIn() }

// leave sends a browser to the issuer.
func (c *Console) leave(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if !c.logsIn() {
		c.login(w, r, http.StatusNotFound, next, "No other account is set up here: sign in with a token.")
		return
	}
	if err := c.OIDC.Begin(w, r, next); err != nil {
		c.notAsked(w, r, err)
	}
}

// arrive begins the session of who comes back from the issuer. The page leads on by
// itself: another site began this navigation, so that no browser would send the
// session's cookie along with a redirect.
func (c *Console) arrive(w http.ResponseWriter, r *http.Request) {
	if !c.logsIn() {
		c.login(w, r, http.StatusNotFound, "/", "No other account is set up here: sign in with a token.")
		return
	}
	arrival, err := c.OIDC.Finish(w, r)
	var refused *access.RefusedError
	switch {
	case errors.As(err, &refused):
		c.log(r, err)
		c.login(w, r, http.StatusUnauthorized, "/", "Nobody is signed in: what "+c.OIDC.Name()+" sent does not count here. Begin again.")
		return
	case err != nil:
		c.notAsked(w, r, err)
		return
	case !arrival.Caller.May(access.Read):
		c.login(w, r, http.StatusForbidden, "/", "No group of this account may read evidence.")
		return
	}
	if err := c.Gate.Sessions.Begin(w, r, arrival.Caller, arrival.Expires); err != nil {
		c.unable(w, r, err)
		return
	}
	v := c.view(r, "Signed in", "")
	v.Here, v.Nav, v.Body = "/", navigation("", ""), arrival.Next
	w.Header().Set("Refresh", "0;url="+arrival.Next)
	c.show(w, r, http.StatusOK, "arrived", v)
}

// notAsked is the answer where the issuer cannot be asked.
func (c *Console) notAsked(w http.ResponseWriter, r *http.Request, err error) {
	c.log(r, err)
	c.login(w, r, http.StatusServiceUnavailable, "/", c.OIDC.Name()+" cannot be asked now. Sign in with a token, or try again later.")
}
