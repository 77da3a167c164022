package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
)

// Limits of every request.
const (
	MaxBody       = 4 << 20 // bytes of an envelope with its files, before base64 is read
	MaxInventory  = 32 << 20
	maxHeaders    = 32 << 10
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 60 * time.Second
	fileTimeout   = 30 * time.Minute // to send an artifact or a bundle
	maxEvents     = 256              // streams at a time
)

// Options are what a [Server] presents, and to whom.
type Options struct {
	Service service.Service
	Catalog evidence.Catalog
	Gate    *access.Gate
	// Hosts are the names by which the server may be reached, without a port.
	Hosts []string
	// Rate is how many requests a second a credential may make, 0 for [DefaultRate].
	Rate float64
	Log  *Log
	Now  func() time.Time
	// Version is that of the program, for the API's description.
	Version string
	// Mount adds the routes of a console, and the rows of its routes; nil for none.
	Mount func(mux *http.ServeMux, table access.Table)
	// PagesOnly leaves out the API, health and metrics: the console of one user. Its gate
	// needs no tokens.
	PagesOnly bool
	// Denied answers requests for routes of the console that do not get through; nil for
	// a problem.
	Denied func(w http.ResponseWriter, r *http.Request, d *access.Denial)
	// Refused answers people in browsers, outside of the API, what HTTP itself refuses
	// (404, 405, 421, 429, and 403 of another origin); nil for a problem.
	Refused func(w http.ResponseWriter, r *http.Request, status int, detail string)
}

// A Server answers requests.
type Server struct {
	options Options
	mux     *http.ServeMux
	table   access.Table
	limits  *limits
	metrics *metrics
	closing chan struct{} // closed when no stream shall go on
	once    sync.Once
	handler http.Handler
}

// New puts a server together. Errors are contradicting options.
func New(o Options) (*Server, error) {
	if len(o.Hosts) == 0 {
		return nil, errors.New("a server without names: every Host would be refused")
	}
	if o.Gate == nil || o.Gate.Tokens == nil && !o.PagesOnly || o.Gate.Sessions == nil || o.Log == nil {
		return nil, errors.New("a server without tokens, sessions or an access log")
	}
	if o.PagesOnly && o.Mount == nil {
		return nil, errors.New("a server of pages without pages")
	}
	if o.Rate == 0 {
		o.Rate = DefaultRate
	}
	s := &Server{options: o, mux: http.NewServeMux(), table: access.Table{}, limits: newLimits(o.Rate, o.Now), closing: make(chan struct{})}
	s.metrics = newMetrics(o.Service)
	if !o.PagesOnly {
		newAPI(s)
		s.healthRoutes()
	}
	if o.Mount != nil {
		o.Mount(s.mux, s.table)
	}
	o.Gate.Table = s.table
	s.handler = s.metrics.count(http.HandlerFunc(s.serve))
	return s, nil
}

// Table is what every route demands.
func (s *Server) Table() access.Table { return s.table }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// HTTP returns the server of net/http with the limits of this package.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaders, ErrorLog: s.options.Log.errors(),
	}
}

// Serve answers requests of a listener until ctx ends, lets those that have begun come
// to their end, at most for grace, and returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener, grace time.Duration) error {
	h := s.HTTP()
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		s.EndStreams()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		stopped <- h.Shutdown(end)
	}()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return errors.Join(<-stopped, s.options.Log.Flush())
}

// EndStreams ends the streams of events, which otherwise have no end.
func (s *Server) EndStreams() { s.once.Do(func() { close(s.closing) }) }

// origin refuses what a browser sends from a page of another site.
var origin = http.NewCrossOriginProtection()

// serve passes a request through everything that stands before its route.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	setHeaders(w)
	if p := s.checkHost(r); p != nil {
		s.refuse(w, r, access.Caller{}, p)
		return
	}
	if err := origin.Check(r); err != nil {
		s.refuse(w, r, access.Caller{}, refusal(http.StatusForbidden, "a browser sent this from another origin", "open the page of this server"))
		return
	}
	address := addressOf(r)
	if access.InURL(r) {
		s.deny(w, r, &access.Denial{Status: http.StatusBadRequest, Err: errors.New("a credential stands in the URL")}, address)
		return
	}
	if !s.asked(r, address) {
		s.tooMany(w, r, access.Caller{})
		return
	}
	route, pattern := s.mux.Handler(r)
	if clean := path.Clean(r.URL.Path); clean != r.URL.Path && clean+"/" != r.URL.Path {
		pattern, route = "", http.NotFoundHandler()
	}
	if pattern == "" {
		s.unknown(w, r, route)
		return
	}
	caller, err := s.options.Gate.Decide(r, pattern)
	var denial *access.Denial
	if errors.As(err, &denial) {
		s.deny(w, r, denial, address)
		return
	}
	if caller.Anonymous() && carries(r) && !s.limits.address(address) || !caller.Anonymous() && !isStatic(pattern) && !s.limits.credential(caller.Credential) {
		s.tooMany(w, r, caller)
		return
	}
	routed(r.Context(), pattern)
	s.options.Log.served(r, pattern, caller, address)
	r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(pattern))
	s.mux.ServeHTTP(w, r.WithContext(access.WithCaller(r.Context(), caller)))
}

// isStatic reports whether a route gives out files of the program itself: they cost no
// look at the store, and a page that needs several counts as one request.
func isStatic(pattern string) bool { return strings.HasPrefix(pattern, "GET /assets/") }

// asked takes a request without a credential from what its address may ask.
func (s *Server) asked(r *http.Request, address string) bool {
	switch {
	case carries(r):
		return true
	case r.URL.Path == "/healthz" || r.URL.Path == "/readyz":
		return s.limits.health(address)
	}
	return s.limits.address(address)
}

// bodyLimit is how many bytes a body may have: base64 takes a third more.
func bodyLimit(pattern string) int64 {
	if strings.Contains(pattern, "/observations") {
		return MaxInventory
	}
	return MaxBody
}

// setHeaders are those of every answer; pages add their own.
func setHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
}

// checkHost compares the whole name: what only begins or ends alike is another host.
func (s *Server) checkHost(r *http.Request) *Problem {
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	if inner, ok := strings.CutPrefix(name, "["); ok && strings.HasSuffix(inner, "]") {
		name = strings.TrimSuffix(inner, "]")
	}
	name = strings.ToLower(name)
	if slices.Contains(s.options.Hosts, name) && (r.URL.Host == "" || r.URL.Host == r.Host) {
		return nil
	}
	return refusal(http.StatusMisdirectedRequest, "this server has no such name", "its operator names it with --host")
}

// carries reports whether a request shows a credential, whether it counts or not.
func carries(r *http.Request) bool {
	return r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != ""
}

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// unknown answers for what has no route: nothing about it is told before a credential
// is shown, and a path is never mended.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request, route http.Handler) {
	caller, err := s.options.Gate.Caller(r)
	if err != nil || caller.Anonymous() && !s.options.Gate.ReadPublic {
		s.deny(w, r, &access.Denial{Status: http.StatusUnauthorized, Err: errors.New("no credential, and no such route")}, addressOf(r))
		return
	}
	probe := &statusProbe{header: http.Header{}}
	route.ServeHTTP(probe, r)
	if allowed := probe.header.Get("Allow"); probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allowed)
		s.refuse(w, r, caller, refusal(http.StatusMethodNotAllowed, r.Method+" is not what this route does", "it does "+allowed))
		return
	}
	s.refuse(w, r, caller, refusal(http.StatusNotFound, "there is no such route", "/openapi.json lists them"))
}

// A statusProbe keeps what the mux would answer.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }

// deny answers for a request that the gate did not let through.
func (s *Server) deny(w http.ResponseWriter, r *http.Request, d *access.Denial, address string) {
	if !s.limits.denied(r, d, address) {
		s.tooMany(w, r, d.Caller)
		return
	}
	if s.options.Denied != nil && !isAPI(r.URL.Path) {
		s.options.Log.refused(r, d.Caller, d.Status, d.Error())
		s.options.Denied(w, r, d)
		return
	}
	p := denied[d.Status]
	if d.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="rollproof"`)
	}
	if d.Status == http.StatusServiceUnavailable {
		p = *problem(d.Err)
	}
	s.options.Log.refused(r, d.Caller, p.Status, d.Error())
	p.write(w)
}

// denied is what who asks is told; why exactly, the access log says.
var denied = map[int]Problem{
	http.StatusBadRequest:         *refusal(http.StatusBadRequest, "a credential stands in the URL", "send it as Authorization: Bearer, and revoke this one: URLs are kept in many places"),
	http.StatusUnauthorized:       *refusal(http.StatusUnauthorized, "no credential that counts was shown", "rollproof token create makes one"),
	http.StatusForbidden:          *refusal(http.StatusForbidden, "the credential lacks the scope", "ask who gives out tokens"),
	http.StatusNotFound:           *refusal(http.StatusNotFound, "there is no such route", "/openapi.json lists them"),
	http.StatusServiceUnavailable: *refusal(http.StatusServiceUnavailable, "the store cannot be read", "its operator finds the reason in its log"),
}

// isAPI reports whether a path is the API's, whatever a console has beside it.
func isAPI(name string) bool {
	return strings.HasPrefix(name, prefix+"/") || slices.Contains([]string{"/healthz", "/readyz", "/metrics", "/openapi.json"}, name)
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, c access.Caller, p *Problem) {
	s.options.Log.refused(r, c, p.Status, p.Detail)
	if s.options.Refused != nil && !isAPI(r.URL.Path) && strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.options.Refused(w, r, p.Status, p.Detail)
		return
	}
	p.write(w)
}

func (s *Server) tooMany(w http.ResponseWriter, r *http.Request, c access.Caller) {
	w.Header().Set("Retry-After", "1")
	s.refuse(w, r, c, refusal(http.StatusTooManyRequests, "too many requests", "wait a second"))
}

// of returns the service as far as the caller of a request reaches.
func (s *Server) of(ctx context.Context) service.Service {
	return service.Limit(s.options.Service, s.options.Catalog, access.CallerOf(ctx).Projects)
}
