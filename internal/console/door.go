package console

import (
	"errors"
	"net/http"

	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
)

// DoorPath begins the address by which the user of a local console comes in; the key of
// the door follows.
const DoorPath = "/open/"

// entrance are the routes by which people come in.
func (c *Console) entrance() []route {
	open := access.Rule{Open: true}
	if c.Door != nil {
		return []route{{"GET " + DoorPath + "{key}", open, c.openDoor}, {"GET /login", open, c.closedDoor}}
	}
	return []route{
		{"GET /login", open, c.loginPage},
		{"POST /login", open, c.signIn},
		{"GET " + access.BeginPath, open, c.leave},
		{"GET " + access.FinishPath, open, c.arrive},
	}
}

// openDoor begins the session of who knows the key. A HEAD request, which programs send
// to look at an address, uses no key up.
func (c *Console) openDoor(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		c.closedDoor(w, r)
		return
	}
	err := c.Door.Open(w, r, r.PathValue("key"))
	var refused *access.RefusedError
	switch {
	case errors.As(err, &refused):
		c.closedDoor(w, r)
	case err != nil:
		c.unable(w, r, err)
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func (c *Console) closedDoor(w http.ResponseWriter, r *http.Request) {
	c.fault(w, r, fault{Code: http.StatusUnauthorized, Number: service.CodeUsage, Title: "This console is its user's alone",
		Text: "It opens by the newest address that rollproof serve printed on its terminal. Each of them opens once, for one browser.", Hint: "open that address; a session ends after an hour without use"})
}
