package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
	"github.com/rollproof/rollproof/schemas"
)

// A running server, and the tokens that its log has, by scope.
type running struct {
	shop
	url    string
	tokens map[access.Scope]string
	stop   func() int
}

// said is a stream of a program that somebody waits for.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var listening = regexp.MustCompile(`listening on (\S+)`)

// serve runs rollproof serve on a port of its own until the test ends.
func (s shop) serve(args ...string) *running {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	stderr := &said{}
	p := newProgram(append([]string{"rollproof", "serve", "--listen", "127.0.0.1:0", "--rate", "5000"}, args...), s.environ(), strings.NewReader(""), io.Discard, stderr)
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx); close(ended) }()
	r := &running{shop: s, tokens: map[access.Scope]string{}}
	r.stop = sync.OnceValue(func() int { cancel(); return <-ended })
	s.t.Cleanup(func() { r.stop() })
	for range 3000 {
		if m := listening.FindStringSubmatch(stderr.String()); m != nil {
			r.url = m[1]
			return r
		}
		select {
		case code := <-ended:
			s.t.Fatalf("rollproof serve: exit code %d\n%s", code, stderr)
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.t.Fatalf("rollproof serve does not listen: %s", stderr)
	return nil
}

func (s shop) environ() []string {
	return append(os.Environ(), "HOME="+s.dir, "XDG_CONFIG_HOME="+filepath.Join(s.dir, "config"), "XDG_STATE_HOME="+filepath.Join(s.dir, "state"))
}

// token makes a token for a scope.
func (s shop) token(args ...string) string {
	s.t.Helper()
	out := s.run(0, append([]string{"token", "create", "--key", s.key("policy"), "--json"}, args...)...)
	if err := schemas.Validate(schemas.Prefix+"token-created/v1", []byte(out)); err != nil {
		s.t.Error(err)
	}
	var doc createdDocument
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		s.t.Fatal(err)
	}
	return doc.Token
}

// A stock is a store with a request that nobody has executed, a checkpoint and a token
// of each scope, of which each test has a copy.
type stock struct {
	dir    string
	source string // of this program
	tokens map[access.Scope]string
}

func (m stock) copy(t *testing.T) shop {
	t.Helper()
	s := shop{t: t, dir: t.TempDir()}
	if err := os.CopyFS(s.dir, os.DirFS(m.dir)); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"policy", "operator", "requester", "approver-ada", "approver-grace", "approver-verifier", "breakglass", "log"} {
		if err := os.Chmod(s.key(role), 0o600); err != nil { // a copy is readable by others, which commands warn of
			t.Fatal(err)
		}
	}
	t.Chdir(s.dir)
	return s
}

// open serves a copy.
func (m stock) open(t *testing.T, args ...string) *running {
	t.Helper()
	r := m.copy(t).serve(args...)
	r.tokens = m.tokens
	return r
}

func TestServe(t *testing.T) {
	source, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s := shop{t: t, dir: t.TempDir()}
	s.approved()
	s.run(0, "evidence", "log", "checkpoint", "--key", s.key("log"))
	m := stock{s.dir, source, map[access.Scope]string{}}
	for _, scope := range access.Scopes {
		m.tokens[scope] = s.token("--owner", "ada", "--scope", string(scope))
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T, stock)
	}{
		{"KilledUnderLoad", testKilledUnderLoad},
		{"RemoteCommands", testRemoteCommands},
		{"LyingServers", testLyingServers},
		{"TheAPISaysWhatTheCommandsSay", testTheAPISaysWhatTheCommandsSay},
		{"QueriesAndConsistency", testQueriesAndConsistency},
		{"RoutesAndScopes", testRoutesAndScopes},
		{"AnswersFitTheirDescription", testAnswersFitTheirDescription},
		{"NoParameterMakesTheServerFail", testNoParameterMakesTheServerFail},
		{"ExecutionOverTheAPI", testExecutionOverTheAPI},
		{"ClosingOverTheAPI", testClosingOverTheAPI},
		{"NoExecutionOfADamagedPackage", testNoExecutionOfADamagedPackage},
		{"IngestOverTheAPI", testIngestOverTheAPI},
		{"PathTricksFindNothing", testPathTricksFindNothing},
		{"Bundle", testBundle},
		{"OtherNamesAndOrigins", testOtherNamesAndOrigins},
		{"SlowSendersAreLetGo", testSlowSendersAreLetGo},
		{"Events", testEvents},
		{"TLS", testTLS},
		{"TokensAreRecords", testTokensAreRecords},
		{"ATokenRowBySQLLetsNobodyIn", testATokenRowBySQLLetsNobodyIn},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, m) })
	}
}

// An exchange is a request and its answer.
type exchange struct {
	*http.Response
	body []byte
}

// do sends a request with a credential, "" for none.
func (r *running) do(method, path, token string, body any, change ...func(*http.Request)) exchange {
	r.t.Helper()
	var from io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			r.t.Fatal(err)
		}
		from = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, from)
	if err != nil {
		r.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, c := range change {
		c(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return exchange{res, data}
}

// get reads a document with the token that may.
func (r *running) get(path string, into any) []byte {
	r.t.Helper()
	e := r.do("GET", path, r.tokens[access.Read], nil)
	if e.StatusCode != http.StatusOK {
		r.t.Fatalf("GET %s: %s\n%s", path, e.Status, e.body)
	}
	if into != nil {
		if err := json.Unmarshal(e.body, into); err != nil {
			r.t.Fatalf("GET %s: %v\n%s", path, err, e.body)
		}
	}
	return e.body
}

// wants an answer of a status, and of a code where it is a problem.
func (r *running) wants(e exchange, status, code int) {
	r.t.Helper()
	var problem struct {
		Code   int
		Detail string
	}
	if e.StatusCode >= 400 {
		if err := json.Unmarshal(e.body, &problem); err != nil || e.Header.Get("Content-Type") != "application/problem+json" {
			r.t.Errorf("%s %s: %s is no problem: %q", e.Request.Method, e.Request.URL.Path, e.Header.Get("Content-Type"), e.body)
		}
	}
	if e.StatusCode != status || problem.Code != code {
		r.t.Errorf("%s %s: %s, code %d, expected %d, code %d\n%s", e.Request.Method, e.Request.URL.Path, e.Status, problem.Code, status, code, e.body)
	}
}

// sign signs a draft with the key of a role.
func (r *running) sign(role string, d service.Draft) []byte {
	r.t.Helper()
	return r.sealed(r.key(role), d.PayloadType, d.Payload)
}

// sealed signs a payload with the key in a file.
func (r *running) sealed(file, payloadType string, payload []byte) []byte {
	r.t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := keys.Parse(data, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := envelope.Sign(key, payloadType, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	bundle, err := b.Marshal()
	if err != nil {
		r.t.Fatal(err)
	}
	return bundle
}

func (r *running) keyid(role string) string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, "trust", "keys", role+".pub"))
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := envelope.ParsePublicKey(data)
	if err != nil {
		r.t.Fatal(err)
	}
	return key.KeyID()
}

// draft asks for a draft.
func (r *running) draft(path string, ask service.Ask) service.Draft {
	r.t.Helper()
	e := r.do("POST", path, r.tokens[access.Operate], ask)
	if e.StatusCode != http.StatusOK {
		r.t.Fatalf("POST %s: %s\n%s", path, e.Status, e.body)
	}
	var d service.Draft
	if err := json.Unmarshal(e.body, &d); err != nil {
		r.t.Fatal(err)
	}
	if evidence.DigestOf(d.Payload) != d.Digest {
		r.t.Errorf("the draft is %s, and says %s", evidence.DigestOf(d.Payload), d.Digest)
	}
	return d
}

// The API prints what the commands print, byte for byte where no time stands in it.
func testTheAPISaysWhatTheCommandsSay(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	var page evidence.SearchDocument
	r.get("/api/v1/evidence?limit=100", &page)
	if len(page.Records) < 12 {
		t.Fatalf("%d records", len(page.Records))
	}
	same := func(path string, args ...string) {
		t.Helper()
		if api, cli := string(r.get(path, nil)), r.run(0, append(args, "--json")...); api != cli {
			t.Errorf("%s:\n%s\nrollproof %v:\n%s", path, api, args, cli)
		}
	}
	same("/api/v1/evidence?limit=3&order=oldest&metadata-kind=policy&metadata-kind=observation", "evidence", "search", "--limit", "3", "--order", "oldest", "--metadata-kind", "policy", "--metadata-kind", "observation")
	for _, record := range page.Records {
		same("/api/v1/evidence/"+record.ID.Hex(), "evidence", "show", record.ID.Hex())
		same("/api/v1/evidence/"+record.Act.String()+"/lineage", "evidence", "show", "--tree", record.Act.Hex())
		same("/api/v1/evidence/"+record.ID.Hex()+"/verification", "evidence", "verify", record.ID.Hex())
		if raw := r.run(0, "evidence", "show", "--raw", record.ID.Hex()); string(r.get("/api/v1/evidence/"+record.ID.Hex()+"/envelope", nil)) != raw {
			t.Errorf("the envelope of record %d is another one", record.Index)
		}
	}
	same("/api/v1/evidence/"+page.Records[len(page.Records)-1].ID.Hex()+"/proof", "evidence", "log", "prove", page.Records[len(page.Records)-1].ID.Hex())
	same("/api/v1/targets/hello-linux-amd64/history", "release", "history", "hello-linux-amd64")
	same("/api/v1/rings/difference?a=pilot&b=production", "release", "diff-rings", "pilot", "production")
	at := regexp.MustCompile(`"at": "[^"]*"`)
	later := func(path string, args ...string) {
		t.Helper()
		if api, cli := at.ReplaceAllString(string(r.get(path, nil)), ""), at.ReplaceAllString(r.run(0, append(args, "--json")...), ""); api != cli {
			t.Errorf("%s:\n%s\nrollproof %v:\n%s", path, api, args, cli)
		}
	}
	later("/api/v1/rings", "release", "rings")
	later("/api/v1/promotion-requests?project=hello", "approval", "list")
	var list rollout.ApprovalList
	r.get("/api/v1/promotion-requests", &list)
	request := list.Requests[0]
	later("/api/v1/promotion-requests/"+request.ID, "approval", "show", request.ID)
	later("/api/v1/promotion-requests/"+request.Act.Hex()[:12], "approval", "show", request.ID)
	var view service.RolloutView
	r.get("/api/v1/rollouts/"+request.Rollout, &view)
	var readiness rollout.Readiness
	if err := json.Unmarshal([]byte(r.run(0, "release", "rollout-status", request.Rollout, "--json")), &readiness); err != nil {
		t.Fatal(err)
	}
	if view.Readiness.Grade != rollout.Ready || readiness.Grade != rollout.Ready || len(view.History) != 2 || view.Observed == nil || len(view.Requests) != 1 {
		t.Errorf("rollout: %+v", view)
	}
}
