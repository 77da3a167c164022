package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/rollproof/rollproof/internal/access"
)

// healthRoutes say no more than that there is a server, and whether it can answer.
func (s *Server) healthRoutes() {
	s.handle("GET /healthz", access.Rule{Open: true}, func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	s.handle("GET /readyz", access.Rule{Open: true}, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if err := s.options.Service.Ready(ctx); err != nil {
			s.options.Log.tell(err)
			say(w, http.StatusServiceUnavailable, "the store or the trust root cannot be read\n")
			return
		}
		say(w, http.StatusOK, "ready\n")
	})
	s.handle("GET /metrics", access.Rule{Scope: access.Read}, s.metrics.handler().ServeHTTP)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(text)) // who does not read it loses it
}
