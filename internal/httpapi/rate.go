package httpapi

import (
	"net/http"
	"sync"
	"time"

	"github.com/rollproof/rollproof/internal/access"
	"golang.org/x/time/rate"
)

// How many requests a second are answered.
const (
	DefaultRate = 50 // of one credential
	addressRate = 5  // of one address without a credential that counts
	healthRate  = 20 // of one address that asks whether the server is well
	maxLimiters = 10_000
)

// limits are those of credentials and addresses. A bucket holds twice a second's
// requests, of an address twenty.
type limits struct {
	now  func() time.Time
	rate rate.Limit
	mu   sync.Mutex
	by   map[string]*rate.Limiter
}

func newLimits(perSecond float64, now func() time.Time) *limits {
	return &limits{now: now, rate: rate.Limit(perSecond), by: map[string]*rate.Limiter{}}
}

// credential reports whether one more request of a credential is answered.
func (l *limits) credential(id string) bool {
	return l.of("credential "+id, l.rate, max(int(2*l.rate), 1)).AllowN(l.now(), 1)
}

// health reports whether one more question of an address after the server's health is
// answered.
func (l *limits) health(address string) bool {
	return l.of("health "+address, healthRate, 2*healthRate).AllowN(l.now(), 1)
}

// address reports whether one more request of an address is answered.
func (l *limits) address(address string) bool {
	return l.of("address "+address, addressRate, 4*addressRate).AllowN(l.now(), 1)
}

// denied reports whether one more request that did not get through is answered with the
// reason. One with a credential that does not count is its address's; credentials that
// do are never held back for what others do at the same address, which can be a proxy.
func (l *limits) denied(r *http.Request, d *access.Denial, address string) bool {
	switch {
	case d.Status == http.StatusForbidden:
		return l.credential(d.Caller.Credential)
	case carries(r), d.Status == http.StatusBadRequest:
		return l.address(address)
	}
	return true
}

// of finds a limiter. Where there are too many, those that are full again go: they
// forget nothing.
func (l *limits) of(key string, r rate.Limit, burst int) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.by[key]
	if limiter == nil {
		if len(l.by) >= maxLimiters {
			l.sweep()
		}
		limiter = rate.NewLimiter(r, burst)
		l.by[key] = limiter
	}
	return limiter
}

func (l *limits) sweep() {
	now := l.now()
	for key, limiter := range l.by {
		if limiter.TokensAt(now) >= float64(limiter.Burst()) {
			delete(l.by, key)
		}
	}
	if len(l.by) >= maxLimiters {
		clear(l.by) // a flood from everywhere: better to answer than to fill the memory
	}
}
