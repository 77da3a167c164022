package httpapi

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many requests a second are answered.
const (
	DefaultRate = 50 // of one credential
	addressRate = 5  // of one address without a credential that counts
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

// address reports whether one more request of an address is answered. Of one that shows
// a credential nothing is taken before the credential is found not to count; it is let
// through only while the address has something left.
func (l *limits) address(address string, carries bool) bool {
	limiter := l.of("address "+address, addressRate, 4*addressRate)
	if carries {
		return limiter.TokensAt(l.now()) >= 1
	}
	return limiter.AllowN(l.now(), 1)
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
