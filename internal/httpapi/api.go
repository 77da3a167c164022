package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/internal/access"
)

// prefix begins the path of every route of the API.
const prefix = "/api/v1"

// An api registers routes: in the mux, in the document, and in the table of scopes.
type api struct {
	*Server
	huma huma.API
}

func newAPI(s *Server) {
	humaErrors()
	config := huma.DefaultConfig("rollproof", s.options.Version)
	config.Info.Description = "Evidence, rollouts and promotions of one evidence store. Documents are those of the commands with --json."
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{"application/json": exactJSON, "json": exactJSON}
	config.DefaultFormat = "application/json"
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer", Description: "a token (rollproof token create), or an identity token of the configured issuer"}}
	a := &api{s, humago.New(s.mux, config)}
	a.evidenceRoutes()
	a.logRoutes()
	a.queryRoutes()
	a.rolloutRoutes()
	a.actRoutes()
	a.describeTiles()
	a.describeNulls()
	s.handle("GET /openapi.json", access.Rule{Scope: access.Read}, func(w http.ResponseWriter, _ *http.Request) { a.describe(w) })
}

// schemaName tells types of one name in several packages apart.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	room := path.Base(t.PkgPath())
	if t.Name() == "" || room == "." {
		return name
	}
	return strings.ToUpper(room[:1]) + room[1:] + name
}

// exactJSON writes documents as the commands do, and reads bodies strictly.
var exactJSON = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		data, err := envelope.Encode(v)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	},
	Unmarshal: func(data []byte, v any) error {
		d := json.NewDecoder(bytes.NewReader(data))
		if err := d.Decode(v); err != nil {
			return err
		}
		if d.More() {
			return fmt.Errorf("more than one JSON document")
		}
		return nil
	},
}

// describe answers with the OpenAPI document.
func (a *api) describe(w http.ResponseWriter) {
	data, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		refusal(http.StatusInternalServerError, "the description cannot be written", "").write(w)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	w.Write(append(data, '\n')) // who does not read it loses it
}

// handle registers a plain route.
func (s *Server) handle(pattern string, rule access.Rule, h http.HandlerFunc) {
	s.table[pattern] = rule
	s.mux.HandleFunc(pattern, h)
}

// A route is one operation of the API.
type route struct {
	method, path string
	id           string // of the operation
	summary      string
	scope        access.Scope
	status       int   // of success, 0 for 200
	errors       []int // beside those that every route has
}

// always are the errors that every route can have.
var always = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity,
	http.StatusTooManyRequests, http.StatusServiceUnavailable,
}

func (r route) operation() huma.Operation {
	o := huma.Operation{
		Method: r.method, Path: prefix + r.path, OperationID: r.id, Summary: r.summary, DefaultStatus: r.status,
		Errors: append(slices.Clone(always), r.errors...), Security: []map[string][]string{{"bearer": {}}}, MaxBodyBytes: -1, BodyReadTimeout: -1,
		Description: "Takes the scope " + string(r.scope) + ".",
	}
	o.Tags = []string{strings.Split(strings.TrimPrefix(r.path, "/"), "/")[0]}
	return o
}

// answer is what a route returns.
type answer[T any] struct{ Body T }

// register registers a route that returns a document.
func register[I, T any](a *api, r route, f func(context.Context, *I) (T, error)) {
	o := r.operation()
	a.table[r.method+" "+o.Path] = access.Rule{Scope: r.scope}
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*answer[T], error) {
		body, err := f(ctx, in)
		if err != nil {
			return nil, a.told(err)
		}
		return &answer[T]{body}, nil
	})
}

// stream registers a route that writes its own answer.
func stream[I any](a *api, r route, mediaType string, f func(context.Context, *I) (func(http.ResponseWriter, *http.Request), error)) {
	o := r.operation()
	o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{mediaType: {}}}}
	a.table[r.method+" "+o.Path] = access.Rule{Scope: r.scope}
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		write, err := f(ctx, in)
		if err != nil {
			return nil, a.told(err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			r, w := humago.Unwrap(c)
			write(w, r)
		}}, nil
	})
}

// told is the problem of an error; what the caller is not told goes to the operator.
func (a *api) told(err error) error {
	p := problem(err)
	if p.Status == http.StatusInternalServerError {
		a.options.Log.tell(err)
	}
	return p
}
