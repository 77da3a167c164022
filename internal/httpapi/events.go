package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rollproof/rollproof/internal/access"
)

// heartbeat is how often a stream says that it is still there.
const heartbeat = 15 * time.Second

type resume struct {
	Last string `header:"Last-Event-ID" maxLength:"20" doc:"how many records the caller has seen; without it, those that there are"`
}

// streams counts the streams of events that are open.
type streams struct{ open atomic.Int64 }

func (a *api) eventRoutes() {
	open := &streams{}
	stream(a, route{method: "GET", path: "/events", id: "events", summary: "tell, as server-sent events, when the log has grown", scope: access.Read}, "text/event-stream",
		func(ctx context.Context, in *resume) (func(http.ResponseWriter, *http.Request), error) {
			size, err := a.of(ctx).Len(ctx)
			if err != nil {
				return nil, err
			}
			from := size
			if in.Last != "" {
				if from, err = strconv.ParseInt(in.Last, 10, 64); err != nil || from < 0 {
					return nil, refusal(http.StatusBadRequest, "Last-Event-ID is no number of records", "send the id of the last event")
				}
			}
			if open.open.Add(1) > maxEvents {
				open.open.Add(-1)
				return nil, refusal(http.StatusServiceUnavailable, "too many streams are open", "ask again later")
			}
			a.metrics.streams.Inc()
			return func(w http.ResponseWriter, r *http.Request) {
				defer a.metrics.streams.Dec()
				defer open.open.Add(-1)
				a.sendEvents(w, r, from)
			}, nil
		})
}

// sendEvents tells each growth of the log until the caller goes, the server ends, or the
// credential no longer counts.
func (a *api) sendEvents(w http.ResponseWriter, r *http.Request, from int64) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-a.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	if !a.tell(w, ": rollproof\nretry: 3000\n\n") {
		return
	}
	for {
		wait, stop := context.WithTimeout(ctx, heartbeat)
		size, err := a.options.Service.Wait(wait, from)
		stop()
		caller, denied := a.options.Gate.Caller(r)
		switch {
		case ctx.Err() != nil, denied != nil, !caller.May(access.Read):
			return
		case errors.Is(err, context.DeadlineExceeded):
			if !a.tell(w, ": still here\n\n") {
				return
			}
		case err != nil:
			return
		default:
			if !a.tell(w, fmt.Sprintf("id: %d\nevent: log\ndata: {\"records\": %d}\n\n", size, size)) {
				return
			}
			from = size
		}
	}
}

// tell writes a part of a stream at once.
func (a *api) tell(w http.ResponseWriter, text string) bool {
	extend(w, 2*heartbeat)
	_, err := w.Write([]byte(text))
	return err == nil && http.NewResponseController(w).Flush() == nil
}
