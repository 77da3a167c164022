package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
)

// A view is what the frame of every page needs, and the page's own Body.
type view struct {
	Title    string
	Section  string // of the navigation
	Crumbs   []link
	Scripts  []string // beside console.js
	Theme    string   // light, dark, or "" for the system's
	Here     string   // the address of this page
	Project  string
	Projects []string
	Visitor  string
	SignedIn bool
	MayAct   bool
	Nav      []link
	At       string // when the store answered, "" for a page that asked it nothing
	Body     any
}

// A link is an address of this console and its name.
type link struct {
	Name, Address string
	Here          bool
}

const (
	themeCookie   = "rollproof-theme"
	projectCookie = "rollproof-project"
)

func escapeQuery(s string) string { return url.QueryEscape(s) }

// view begins the page that answers a request.
func (c *Console) view(r *http.Request, title, section string) view {
	v := view{Title: title, Section: section, Theme: theme(r), Here: r.URL.RequestURI()}
	if r.Method != http.MethodGet {
		v.Here = "/"
	}
	who := c.caller(r)
	v.Visitor, v.SignedIn, v.MayAct = who.Owner, who.May(access.Read), who.May(access.Operate)
	return v
}

// frame completes a view with the projects of the store. project is the one that the
// page is about, "" for the one that was looked at last.
func (c *Console) frame(r *http.Request, v *view, project string) error {
	list, err := c.of(r).Projects(r.Context())
	if err != nil {
		return err
	}
	v.Projects, v.Project = list, project
	if project == "" {
		v.Project = lastProject(r, list)
	}
	v.Nav, v.At = navigation(v.Project, v.Section), c.Now().UTC().Format(time.RFC3339)
	return nil
}

func navigation(project, section string) []link {
	var list []link
	if p := url.PathEscape(project); project != "" {
		list = append(list, link{Name: "Rings", Address: "/rings/" + p}, link{Name: "Rollouts", Address: "/rollouts/" + p}, link{Name: "Requests", Address: "/requests/" + p}, link{Name: "Executions", Address: "/executions/" + p})
	}
	list = append(list, link{Name: "Evidence", Address: "/evidence"}, link{Name: "Log", Address: "/log"})
	for i := range list {
		list[i].Here = list[i].Name == section
	}
	return list
}

func lastProject(r *http.Request, list []string) string {
	if k, err := r.Cookie(projectCookie); err == nil && slices.Contains(list, k.Value) {
		return k.Value
	}
	if len(list) > 0 {
		return list[0]
	}
	return ""
}

func theme(r *http.Request) string {
	if k, err := r.Cookie(themeCookie); err == nil && (k.Value == "light" || k.Value == "dark") {
		return k.Value
	}
	return ""
}

// remember keeps a choice of how pages look. Nothing depends on it.
func remember(w http.ResponseWriter, r *http.Request, name, value string) {
	k := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil}
	if value == "" {
		k.MaxAge = -1
	}
	http.SetCookie(w, k)
}

func (c *Console) setTheme(w http.ResponseWriter, r *http.Request) {
	value := r.PostFormValue("theme")
	if value != "light" && value != "dark" {
		value = ""
	}
	remember(w, r, themeCookie, value)
	http.Redirect(w, r, localPath(r.PostFormValue("next")), http.StatusSeeOther)
}

// home leads to the board of a project.
func (c *Console) home(w http.ResponseWriter, r *http.Request) {
	list, err := c.of(r).Projects(r.Context())
	if err != nil {
		c.unable(w, r, err)
		return
	}
	if asked := r.URL.Query().Get("project"); slices.Contains(list, asked) {
		remember(w, r, projectCookie, asked)
		http.Redirect(w, r, "/rings/"+url.PathEscape(asked), http.StatusSeeOther)
		return
	}
	if p := lastProject(r, list); p != "" {
		http.Redirect(w, r, "/rings/"+url.PathEscape(p), http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, "/evidence", http.StatusSeeOther)
}

// A fault is what an error page says.
type fault struct {
	Code    int // HTTP status
	Number  int // the exit code that a command would have, 0 for none
	Title   string
	Text    string
	Hint    string
	Command string
}

// fault shows an error page, or to what is no browser's window its document, as the API
// has it (RFC 9457). It asks the store nothing.
func (c *Console) fault(w http.ResponseWriter, r *http.Request, f fault) {
	if !wantsPage(r) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(f.Code)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": f.Code, "code": f.Number, "title": f.Title, "detail": f.Text, "hint": f.Hint})
		return
	}
	v := c.view(r, f.Title, "")
	v.Here, v.Nav, v.Body = "/", navigation("", ""), f
	c.show(w, r, f.Code, "fault", v)
}

// titles say what kind of no an exit code is.
var titles = map[int]string{
	service.CodeFailed:   "This could not be answered",
	service.CodeUsage:    "The question can't be answered as it was put",
	service.CodeEvidence: "The evidence is bad",
	service.CodeRule:     "A rule says no",
	service.CodeApproval: "An approval is missing, or does not count",
	service.CodeConflict: "Somebody else was first, or the log has moved on",
}

// statuses are the HTTP statuses of the exit codes.
var statuses = map[int]int{
	service.CodeFailed: http.StatusServiceUnavailable, service.CodeUsage: http.StatusBadRequest, service.CodeEvidence: http.StatusUnprocessableEntity,
	service.CodeRule: http.StatusForbidden, service.CodeApproval: http.StatusForbidden, service.CodeConflict: http.StatusConflict,
}

// unable shows why the store did not answer.
func (c *Console) unable(w http.ResponseWriter, r *http.Request, err error) {
	known := service.Explain(err)
	if known == nil {
		c.log(r, err)
		c.fault(w, r, fault{Code: http.StatusServiceUnavailable, Number: service.CodeFailed, Title: "The evidence store did not answer", Text: err.Error(), Hint: "nothing older is shown in its place; load the page again when the store is back"})
		return
	}
	f := fault{Code: statuses[known.Code], Number: known.Code, Title: titles[known.Code], Text: known.Message, Hint: known.Hint}
	if known.Missing {
		f.Code, f.Title = http.StatusNotFound, "This is not recorded here"
	}
	c.fault(w, r, f)
}

// isMissing reports whether an error says that what was asked for is not there.
func isMissing(err error) bool {
	known := service.Explain(err)
	return known != nil && known.Missing
}

// wantsPage reports whether somebody looks at the answer. Browsers say so themselves.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

// page completes a view and shows it.
func (c *Console) page(w http.ResponseWriter, r *http.Request, name, project string, v view) {
	if err := c.frame(r, &v, project); err != nil {
		c.unable(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, name, v)
}
