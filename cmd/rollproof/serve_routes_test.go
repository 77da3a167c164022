package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/rollout"
)

// scopeOf is which scope each operation takes. An operation that is not here fails.
var scopeOf = map[string]access.Scope{
	"searchEvidence": access.Read, "showRecord": access.Read, "getEnvelope": access.Read, "showLineage": access.Read, "verifyRecord": access.Read,
	"listArtifacts": access.Read, "getArtifact": access.Read, "getBundle": access.Read, "showRelease": access.Read, "proveRecord": access.Read,
	"showLog": access.Read, "getCheckpoint": access.Read, "getTile": access.Read, "events": access.Read, "proveConsistency": access.Read, "listQuestions": access.Read, "answerQuestion": access.Read,
	"listProjects": access.Read, "showRings": access.Read, "diffRings": access.Read, "showHistory": access.Read, "listRollouts": access.Read, "showRollout": access.Read,
	"listRequests": access.Read, "showRequest": access.Read, "listExecutions": access.Read, "showExecution": access.Read,
	"addEvidence":             access.Ingest,
	"draft-promotion-request": access.Operate, "submit-promotion-request": access.Operate, "draft-approval": access.Operate, "submit-approval": access.Operate,
	"draft-closing": access.Operate, "submit-closing": access.Operate, "draft-denial": access.Operate, "submit-denial": access.Operate, "draft-promotion-execution": access.Operate, "submit-promotion-execution": access.Operate,
	"draft-approval-revocation": access.Operate, "submit-approval-revocation": access.Operate, "draft-rollback-request": access.Operate, "submit-rollback-request": access.Operate,
	"draft-rollback-execution": access.Operate, "submit-rollback-execution": access.Operate, "draft-hold": access.Operate, "submit-hold": access.Operate,
	"draft-lift": access.Operate, "submit-lift": access.Operate, "draft-observation": access.Operate, "submit-observation": access.Operate,
}

// An operation is one of the API's own description.
type operation struct {
	method, path string
	OperationID  string `json:"operationId"`
	Parameters   []parameter
	Responses    map[string]struct {
		Content map[string]struct {
			Schema json.RawMessage
		}
	}
}

type parameter struct {
	Name, In string
	Required bool
}

// body is what an operation takes, with one value for every text in it.
func (o operation) body(keyid, value string) map[string]any {
	kind, draft := strings.CutPrefix(o.OperationID, "draft-")
	if !draft {
		return map[string]any{"envelope": []byte(value)}
	}
	ask := map[string]any{"kind": kind, "keyid": keyid}
	for _, name := range []string{"reason", "ring", "target", "to", "hold", "approval", "execution", "rollout", "incident", "meaning", "project"} {
		ask[name] = value
	}
	return ask
}

// A description is the OpenAPI document.
type description struct {
	OpenAPI    string `json:"openapi"`
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]json.RawMessage }
	compiled   map[string]*jsonschema.Resolved // by operation and status
}

func (r *running) described() (description, []operation) {
	r.t.Helper()
	d := description{compiled: map[string]*jsonschema.Resolved{}}
	r.get("/openapi.json", &d)
	if d.OpenAPI != "3.1.0" {
		r.t.Errorf("OpenAPI %q", d.OpenAPI)
	}
	var list []operation
	for path, methods := range d.Paths {
		for method, o := range methods {
			o.method, o.path = strings.ToUpper(method), path
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	return d, list
}

// known are values of parameters with which a question has an answer.
func (r *running) known() map[string]string {
	r.t.Helper()
	var page evidence.SearchDocument
	r.get("/api/v1/evidence?metadata-kind=managed-endpoint-rollout", &page)
	var requests rollout.ApprovalList
	r.get("/api/v1/promotion-requests", &requests)
	var packages evidence.SearchDocument
	r.get("/api/v1/evidence?metadata-kind=release-package", &packages)
	return map[string]string{
		"/evidence": page.Records[0].ID.Hex(), "/releases": packages.Records[0].ID.Hex(), "/rollouts": page.Records[0].Facts.Rollout,
		"/promotion-requests": requests.Requests[0].ID, "/promotion-executions": page.Records[0].ID.Hex(),
		"{name}": "release-evidence.json", "{path}": "entries/000.p/1", "{target}": "hello-linux-amd64", "{question}": "what-runs-where",
	}
}

// at fills in the path of an operation.
func (o operation) at(known map[string]string) string {
	path := o.path
	for _, room := range []string{"/evidence", "/releases", "/rollouts", "/promotion-requests", "/promotion-executions"} {
		if strings.HasPrefix(path, "/api/v1"+room+"/{id}") {
			path = strings.Replace(path, "{id}", url.PathEscape(known[room]), 1)
		}
	}
	for _, name := range []string{"{name}", "{path}", "{target}", "{question}"} {
		path = strings.Replace(path, name, known[name], 1)
	}
	if o.OperationID == "diffRings" {
		path += "?a=pilot&b=production"
	}
	return path
}

// patient asks without a credential until its address may ask again.
func (r *running) patient(method, path string, body any) exchange {
	r.t.Helper()
	for {
		e := r.do(method, path, "", body)
		if e.StatusCode != http.StatusTooManyRequests {
			return e
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Each route takes the scope of its row, no other one will do, and without a credential
// nothing but health is told.
func testRoutesAndScopes(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	_, operations := r.described()
	known := r.known()
	for _, o := range operations {
		want, listed := scopeOf[o.OperationID]
		if !listed {
			t.Errorf("%s %s (%s) has no row in scopeOf", o.method, o.path, o.OperationID)
			continue
		}
		var body any
		if o.method == "POST" {
			body = map[string]any{}
		}
		if o.OperationID == "events" {
			continue // TestEvents
		}
		r.wants(r.patient(o.method, o.at(known), body), http.StatusUnauthorized, 2)
		for _, scope := range access.Scopes {
			e := r.do(o.method, o.at(known), r.tokens[scope], body)
			if scope != want {
				r.wants(e, http.StatusForbidden, 4)
			} else if e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden && strings.Contains(string(e.body), "scope") {
				t.Errorf("%s with scope %s: %s", o.OperationID, scope, e.Status)
			}
		}
	}
	if len(operations) != len(scopeOf) {
		t.Errorf("%d operations, %d rows", len(operations), len(scopeOf))
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if e := r.do("GET", path, "", nil); e.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %s", path, e.Status)
		}
	}
	for _, path := range []string{"/metrics", "/openapi.json", "/", "/api/v1", "/api/v1/nothing", "/debug/pprof/", "/api/v1/evidence/"} {
		r.wants(r.patient("GET", path, nil), http.StatusUnauthorized, 2)
	}
	r.wants(r.do("GET", "/api/v1/nothing", r.tokens[access.Read], nil), http.StatusNotFound, 1)
	r.wants(r.do("DELETE", "/api/v1/evidence", r.tokens[access.Read], nil), http.StatusMethodNotAllowed, 2)
	if e := r.do("GET", "/metrics", r.tokens[access.Read], nil); e.StatusCode != http.StatusOK || !strings.Contains(string(e.body), "rollproof_log_records") || strings.Contains(string(e.body), "nothing") {
		t.Errorf("GET /metrics: %s\n%s", e.Status, e.body)
	}
}

// schemaOf compiles the schema of an answer.
func (d description) schemaOf(t *testing.T, o operation, status int) *jsonschema.Resolved {
	t.Helper()
	key := fmt.Sprint(o.OperationID, status)
	if s, ok := d.compiled[key]; ok {
		return s
	}
	response, listed := o.Responses[fmt.Sprint(status)]
	if !listed {
		t.Errorf("%s answers %d, which its description does not have", o.OperationID, status)
		return nil
	}
	for mediaType, content := range response.Content {
		if !strings.Contains(mediaType, "json") || len(content.Schema) == 0 {
			continue
		}
		all, err := json.Marshal(d.Components.Schemas)
		if err != nil {
			t.Fatal(err)
		}
		text := `{"$defs": ` + string(all) + `, "allOf": [` + string(content.Schema) + `]}`
		var s jsonschema.Schema
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "#/components/schemas/", "#/$defs/")), &s); err != nil {
			t.Fatal(err)
		}
		resolved, err := s.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		d.compiled[key] = resolved
		return resolved
	}
	d.compiled[key] = nil
	return nil
}

// fits holds an answer to the API's own description.
func (r *running) fits(d description, o operation, e exchange) {
	r.t.Helper()
	if e.StatusCode >= 500 {
		r.t.Errorf("%s %s: %s\n%s", o.method, e.Request.URL, e.Status, e.body)
	}
	s := d.schemaOf(r.t, o, e.StatusCode)
	if s == nil {
		return
	}
	var v any
	if err := json.Unmarshal(e.body, &v); err != nil {
		r.t.Errorf("%s: %v", o.OperationID, err)
		return
	}
	if err := s.Validate(v); err != nil {
		r.t.Errorf("%s: %s does not fit its description: %v\n%s", o.OperationID, e.Status, err, e.body)
	}
}

// Each route answers as the document describes it, and each error is one that the
// document has.
func testAnswersFitTheirDescription(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	d, operations := r.described()
	known := r.known()
	answered := 0
	for _, o := range operations {
		if o.OperationID == "events" {
			continue
		}
		token := r.tokens[scopeOf[o.OperationID]]
		if o.method == "GET" {
			e := r.do("GET", o.at(known), token, nil)
			if e.StatusCode == http.StatusOK {
				answered++
			} else if o.OperationID != "showExecution" { // there is none yet
				t.Errorf("%s: %s\n%s", o.OperationID, e.Status, e.body)
			}
			r.fits(d, o, e)
			r.fits(d, o, r.do("GET", o.at(known), token, nil, func(q *http.Request) { q.URL.RawQuery = strings.TrimPrefix(q.URL.RawQuery+"&unknown=1", "&") }))
			continue
		}
		for _, body := range []any{map[string]any{}, map[string]any{"envelope": "AAAA"}, map[string]any{"keyid": "SHA256:x", "reason": "x"}, []int{1}, "text", nil, 7, map[string]any{"envelope": 1, "extra": true}} {
			r.fits(d, o, r.do("POST", o.at(known), token, body))
		}
	}
	if answered < 20 {
		t.Errorf("%d answers", answered)
	}
}

// hostileValues are what people write into parameters.
var hostileValues = []string{
	"", " ", "0", "-1", "9223372036854775808", "1e309", "NaN", "null", "true", "../../etc/passwd", "..%2f..%2fetc", "\x00", "a\x00b", "\r\nX-Injected: 1", "\x1b[2J",
	"\u202e", "\ufeff", "\xff\xfe", "'; DROP TABLE record; --", "\" OR 1=1", "%", "%25", "%zz", "*", "**", "a*", "(", "\"", "NEAR(a b)", "a AND", "^", "-", "{id}", "{{7*7}}",
	"<script>alert(1)</script>", "=HYPERLINK(\"x\")", "sha256:", "sha256:" + strings.Repeat("0", 64), strings.Repeat("f", 64), strings.Repeat("0", 7), strings.Repeat("a", 600),
	"2026-13-45T99:99:99Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-03-02T00:00:00+23:59", "http://169.254.169.254/", "file:///etc/passwd", "💥", strings.Repeat("\u0301", 50),
}

// No value of any parameter makes the server fail, or ask another address.
func testNoParameterMakesTheServerFail(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	d, operations := r.described()
	known := r.known()
	random := rand.New(rand.NewPCG(1, 2))
	asked := 0
	var reached atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer elsewhere.Close()
	values := append(slices.Clone(hostileValues), elsewhere.URL+"/", strings.TrimPrefix(elsewhere.URL, "http:"))
	for _, o := range operations {
		if o.OperationID == "events" {
			continue
		}
		if o.method == "POST" {
			o.Parameters = append(o.Parameters, parameter{Name: "body", In: "body"})
		}
		for _, p := range o.Parameters {
			if p.In == "header" {
				continue
			}
			for i, value := range values {
				if o.method != "GET" && p.In != "body" && i%3 != random.IntN(3) {
					continue
				}
				target := o.at(known)
				switch p.In {
				case "body":
				case "path":
					target = operation{path: strings.Replace(o.path, "{"+p.Name+"}", url.PathEscape(value), 1), OperationID: o.OperationID}.at(known)
				default:
					joint := "?"
					if strings.Contains(target, "?") {
						joint = "&"
					}
					target += joint + p.Name + "=" + url.QueryEscape(value)
				}
				var body any
				if o.method == "POST" {
					body = o.body(r.keyid("operator"), value)
				}
				e := r.do(o.method, target, r.tokens[scopeOf[o.OperationID]], body)
				asked++
				if e.StatusCode >= 500 {
					t.Errorf("%s %s=%q: %s\n%s", o.OperationID, p.Name, value, e.Status, e.body)
				}
				if strings.Contains(string(e.body), "\x1b") || e.StatusCode != http.StatusOK && strings.Contains(string(e.body), "\u202e") || e.Header.Get("X-Injected") != "" {
					t.Errorf("%s %s=%q comes back as it went in: %q", o.OperationID, p.Name, value, e.body)
				}
				if e.StatusCode != http.StatusNotFound && e.StatusCode != http.StatusMethodNotAllowed {
					r.fits(d, o, e)
				}
			}
		}
	}
	if reached.Load() {
		t.Error("a value led the server to another address")
	}
	if asked < 1000 {
		t.Errorf("only %d questions", asked)
	}
	if e := r.do("GET", "/readyz", "", nil); e.StatusCode != http.StatusOK {
		t.Errorf("afterwards the server is not ready: %s", e.body)
	}
}
