package access

import (
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"sync"
	"time"
)

// ViaDoor is how the user of a local console showed who he is: by its address.
const ViaDoor = "door"

// A Door lets a browser in to a console that is its user's alone: whoever presents the
// key, which stands on the user's terminal, gets a session. A key opens once, so that one
// that is left in a history opens nothing; the next one is told at that moment.
type Door struct {
	sessions *Sessions
	random   io.Reader
	owner    Caller
	tell     func(key string)

	mu  sync.Mutex
	key string
}

// NewDoor tells the first key, 64 hex digits. A caller who was let in is owner.
func NewDoor(s *Sessions, owner Caller, random io.Reader, tell func(key string)) (*Door, error) {
	d := &Door{sessions: s, random: random, owner: owner, tell: tell}
	d.owner.Via = ViaDoor
	return d, d.change()
}

func (d *Door) change() error {
	var raw [32]byte
	if _, err := io.ReadFull(d.random, raw[:]); err != nil {
		return err
	}
	d.key = hex.EncodeToString(raw[:])
	d.tell(d.key)
	return nil
}

// Open begins a session for who presents the key. A *RefusedError says that it is none,
// or was used.
func (d *Door) Open(w http.ResponseWriter, r *http.Request, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if subtle.ConstantTimeCompare([]byte(key), []byte(d.key)) != 1 {
		return refused("no such key of the door, or one that was used")
	}
	if err := d.change(); err != nil {
		return err
	}
	return d.sessions.Begin(w, r, d.owner, time.Time{})
}
