package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// How long a session lives.
const (
	SessionLife = 12 * time.Hour   // at most
	SessionIdle = 60 * time.Minute // without a request
	maxSessions = 10_000
)

// A Session is a login in a browser. It is in memory alone and ends with the process.
type Session struct {
	Began time.Time
	// CSRF stands in the forms of the session's pages.
	CSRF    string
	caller  Caller
	key     string
	used    time.Time
	expires time.Time
}

// Sessions are those of one server. The zero value is not usable.
type Sessions struct {
	tokens *Tokens
	now    func() time.Time
	random io.Reader
	secure bool

	mu  sync.Mutex
	all map[string]*Session // by the sha256 of the cookie's value, in hex
}

// NewSessions has none yet. secure says that browsers reach the server over TLS: then
// the cookie is one that nothing but this host can set.
func NewSessions(t *Tokens, now func() time.Time, random io.Reader, secure bool) *Sessions {
	return &Sessions{tokens: t, now: now, random: random, secure: secure, all: map[string]*Session{}}
}

// CookieName is the name of the session's cookie.
func (s *Sessions) CookieName() string {
	if s.secure {
		return "__Host-rollproof"
	}
	return "rollproof"
}

// ErrTooMany is returned where no more sessions can begin.
var ErrTooMany = errors.New("too many sessions")

// Begin starts a session for a caller who has shown a credential, until expires at the
// latest (zero for no such end), and sets its cookie. A session that the request had
// ends: no value from before a login lives on.
func (s *Sessions) Begin(w http.ResponseWriter, r *http.Request, c Caller, expires time.Time) error {
	s.End(w, r)
	var raw [64]byte
	if _, err := io.ReadFull(s.random, raw[:]); err != nil {
		return err
	}
	now := s.now()
	session := &Session{Began: now, CSRF: hex.EncodeToString(raw[32:]), caller: c, used: now, expires: now.Add(SessionLife)}
	if !expires.IsZero() && expires.Before(session.expires) {
		session.expires = expires
	}
	value := hex.EncodeToString(raw[:32])
	session.key = hashed(value)
	if err := s.keep(session, now); err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(value, int(session.expires.Sub(now).Seconds())))
	return nil
}

func (s *Sessions) keep(session *Session, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, old := range s.all {
		if old.ended(now) {
			delete(s.all, key)
		}
	}
	if len(s.all) >= maxSessions {
		return ErrTooMany
	}
	s.all[session.key] = session
	return nil
}

func (s *Session) ended(now time.Time) bool {
	return !now.Before(s.expires) || now.Sub(s.used) >= SessionIdle
}

func (s *Sessions) cookie(value string, seconds int) *http.Cookie {
	return &http.Cookie{Name: s.CookieName(), Value: value, Path: "/", MaxAge: seconds, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

func hashed(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// End ends the session of a request, where it has one.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(s.CookieName())
	if err != nil {
		return
	}
	s.mu.Lock()
	delete(s.all, hashed(cookie.Value))
	s.mu.Unlock()
	http.SetCookie(w, s.cookie("", -1))
}

// caller returns whose session a cookie is. One that a token began ends with it, and one
// of an issuer when the trust root no longer knows the person.
func (s *Sessions) caller(ctx context.Context, value string, issuer Verifier) (Caller, error) {
	now := s.now()
	s.mu.Lock()
	session, ok := s.all[hashed(value)]
	if ok && session.ended(now) {
		delete(s.all, session.key)
		ok = false
	}
	var c Caller
	if ok {
		session.used = now
		c = session.caller
	}
	s.mu.Unlock()
	if !ok {
		return Caller{}, refused("no such session")
	}
	c, err := s.still(ctx, c, issuer)
	if err != nil {
		// A store that could not answer ends no session.
		if refusal := (*RefusedError)(nil); errors.As(err, &refusal) {
			s.forget(session)
		}
		return Caller{}, err
	}
	c.Via, c.Session = ViaSession, session
	return c, nil
}

func (s *Sessions) still(ctx context.Context, c Caller, issuer Verifier) (Caller, error) {
	switch {
	case c.Via == ViaToken:
		return s.tokens.Still(ctx, c.Credential)
	case c.Via == ViaOIDC && issuer != nil:
		return issuer.Still(c)
	}
	return c, nil
}

func (s *Sessions) forget(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, session.key)
}
