package console

import "net/http"

type loginBody struct{ Next, Problem, Elsewhere string }

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if c.Access.Visitor(r).Read {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	c.login(w, r, http.StatusOK, next, "")
}

func (c *Console) login(w http.ResponseWriter, r *http.Request, code int, next, problem string) {
	v := c.view(r, "Sign in", "")
	v.Here = "/login"
	elsewhere := c.Access.Elsewhere()
	if elsewhere != "" {
		elsewhere += "?next=" + escapeQuery(next)
	}
	v.Body = loginBody{next, problem, elsewhere}
	c.show(w, r, code, "login", v)
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	next := localPath(r.PostFormValue("next"))
	if err := c.Access.SignIn(w, r, r.PostFormValue("token")); err != nil {
		c.login(w, r, http.StatusUnauthorized, next, err.Error())
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	c.Access.SignOut(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
