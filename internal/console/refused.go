package console

import (
	"net/http"

	"github.com/rollproof/rollproof/internal/service"
)

// refusals are what people are told whom the server refused before any page was asked.
var refusals = map[int]fault{
	http.StatusNotFound:           {Number: service.CodeFailed, Title: "There is no such page", Text: "The address leads nowhere in this console.", Hint: "go back to the start, or search for the record"},
	http.StatusForbidden:          {Number: service.CodeRule, Title: "This came from another site", Text: "A page of another site sent this form. Nothing was done.", Hint: "open the page of this server, and send it from there"},
	http.StatusMisdirectedRequest: {Number: service.CodeUsage, Title: "This server has no such name", Text: "The address names a host that this server is not.", Hint: "use the address that its operator gave you; he adds names with --host"},
	http.StatusTooManyRequests:    {Number: service.CodeFailed, Title: "Too many requests", Text: "They came faster than this server answers. Nothing was done.", Hint: "wait a second, and load the page again"},
}

// Refused answers a request that reached no page; detail is a fact about it. Only of a
// page that does not exist is it said to whom: all others may come from anywhere.
func (c *Console) Refused(w http.ResponseWriter, r *http.Request, status int, detail string) {
	setHeaders(w)
	f, ok := refusals[status]
	if !ok {
		f = fault{Number: service.CodeUsage, Title: "This was refused", Text: detail}
	}
	f.Code = status
	if status == http.StatusNotFound || !wantsPage(r) {
		c.fault(w, r, f)
		return
	}
	c.show(w, r, status, "fault", view{Title: f.Title, Theme: theme(r), Here: "/", Nav: navigation("", ""), Body: f})
}
