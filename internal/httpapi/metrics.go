package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rollproof/rollproof/internal/service"
)

// metrics are on a registry of their own. Routes are patterns, never paths, so that
// nobody can make up labels.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newMetrics(s service.Service) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollproof_http_requests_total", Help: "Requests, by route and status."}, []string{"route", "status"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rollproof_http_request_seconds", Help: "Time to answer, by route.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"route"}),
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollproof_event_streams", Help: "Streams of events that are open."}),
	}
	records := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollproof_log_records", Help: "Records of the log; -1 where it cannot be read."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n, err := s.Len(ctx)
		if err != nil {
			return -1
		}
		return float64(n)
	})
	m.registry.MustRegister(m.requests, m.seconds, m.streams, records, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count counts every request, refused ones too.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		c := &counted{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(context.WithValue(r.Context(), routeKey{}, c))
		next.ServeHTTP(c, r)
		m.requests.WithLabelValues(c.route, strconv.Itoa(c.status)).Inc()
		m.seconds.WithLabelValues(c.route).Observe(time.Since(begun).Seconds())
	})
}

type routeKey struct{}

// A counted response remembers its status.
type counted struct {
	http.ResponseWriter
	route  string
	status int
	begun  bool
}

func (c *counted) WriteHeader(status int) {
	if !c.begun && status >= 200 {
		c.status, c.begun = status, true
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(p []byte) (int, error) {
	c.begun = true
	return c.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// routed says which route a request has.
func routed(ctx context.Context, pattern string) {
	if c, ok := ctx.Value(routeKey{}).(*counted); ok {
		c.route = pattern
	}
}
