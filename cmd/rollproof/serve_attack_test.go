package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/httpapi"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

// A promotion is executed over the API: the server drafts, the operator signs, the
// server judges again. What is not the operator's, not fresh or not the request's is
// refused, and nothing of it is recorded.
func testExecutionOverTheAPI(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	operate := r.tokens[access.Operate]
	var list rollout.ApprovalList
	r.get("/api/v1/promotion-requests", &list)
	request := list.Requests[0]
	at := "/api/v1/promotion-requests/" + request.ID
	before := r.length()

	// An operator's token is no approver's key, whatever scope it has.
	approval := r.draft(at+"/approval-draft", service.Ask{KeyID: r.keyid("operator"), Reason: "mine"})
	r.wants(r.do("POST", at+"/approvals", operate, service.Submission{Envelope: r.sign("operator", approval)}), http.StatusUnprocessableEntity, 3)
	// Who has executed, or asked, approves nothing either.
	own := r.draft(at+"/approval-draft", service.Ask{KeyID: r.keyid("approver-ada"), Reason: "mine"})
	r.wants(r.do("POST", at+"/approvals", operate, service.Submission{Envelope: r.sign("approver-ada", own)}), http.StatusForbidden, 5)
	// A draft that names one person and is signed by another.
	r.wants(r.do("POST", at+"/approvals", operate, service.Submission{Envelope: r.sign("approver-grace", own)}), http.StatusUnprocessableEntity, 3)

	// An approval that was recorded is recorded once, however often it is sent.
	index := r.recordOf(request.Signatures[0].Act)
	replayed := r.do("POST", at+"/approvals", operate, service.Submission{Envelope: r.get(fmt.Sprintf("/api/v1/evidence/%s/envelope", index.ID.Hex()), nil)})
	r.wants(replayed, http.StatusOK, 0)
	if !strings.Contains(string(replayed.body), `"new": false`) {
		t.Errorf("a replayed approval: %s", replayed.body)
	}

	draft := r.draft(at+"/execution-draft", service.Ask{KeyID: r.keyid("operator")})
	changed := draft
	changed.Payload = bytes.Replace(draft.Payload, []byte(request.Rollout), []byte(strings.Replace(request.Rollout, "CHG-1", "CHG-2", 1)), 1)
	r.wants(r.do("POST", "/api/v1/promotion-executions", operate, service.Submission{Envelope: r.sign("operator", changed)}), http.StatusUnprocessableEntity, 3)
	r.wants(r.do("POST", "/api/v1/holds", operate, service.Submission{Envelope: r.sign("operator", draft)}), http.StatusBadRequest, 2)
	r.wants(r.do("POST", "/api/v1/promotion-executions", operate, service.Submission{Envelope: r.sign("requester", draft)}), http.StatusUnprocessableEntity, 3)
	stale := r.aged(draft, -3*time.Minute)
	r.wants(r.do("POST", "/api/v1/promotion-executions", operate, service.Submission{Envelope: r.sign("operator", stale)}), http.StatusConflict, 6)
	if n := r.length(); n != before {
		t.Fatalf("%d records, expected %d: something refused was recorded", n, before)
	}

	// The ring is held between draft and submission: the transaction judges again.
	hold := r.draft("/api/v1/holds/drafts", service.Ask{KeyID: r.keyid("policy"), Ring: "production", Reason: "an incident"})
	r.wants(r.do("POST", "/api/v1/holds", operate, service.Submission{Envelope: r.sign("policy", hold)}), http.StatusOK, 0)
	r.wants(r.do("POST", "/api/v1/promotion-executions", operate, service.Submission{Envelope: r.sign("operator", draft)}), http.StatusForbidden, 4)
	lift := r.draft("/api/v1/lifts/drafts", service.Ask{KeyID: r.keyid("policy"), Hold: hold.Digest.String(), Reason: "it is over"})
	r.wants(r.do("POST", "/api/v1/lifts", operate, service.Submission{Envelope: r.sign("policy", lift)}), http.StatusOK, 0)

	draft = r.draft(at+"/execution-draft", service.Ask{KeyID: r.keyid("operator")})
	executed := r.do("POST", "/api/v1/promotion-executions", operate, service.Submission{Envelope: r.sign("operator", draft)})
	r.wants(executed, http.StatusOK, 0)
	r.wants(r.do("POST", "/api/v1/promotion-executions", operate, service.Submission{Envelope: r.sign("operator", draft)}), http.StatusConflict, 6)
	var execution service.Execution
	r.get("/api/v1/promotion-executions/"+draft.Digest.Hex(), &execution)
	if execution.Requested == nil || execution.Requested.State != rollout.RequestExecuted || len(execution.Approvals) != 2 || execution.Capture == nil || execution.ChangeRecord != "CHG-1" || len(execution.Plan) != 1 {
		t.Errorf("the execution: %+v", execution)
	}
	r.run(0, "release", "verify-promotion", draft.Digest.Hex())
	r.run(0, "evidence", "verify", "--all")
}

// length is how many records the log has.
func (r *running) length() int64 {
	r.t.Helper()
	var log struct{ Records int64 }
	r.get("/api/v1/log", &log)
	return log.Records
}

func (r *running) recordOf(act evidence.Digest) evidence.RecordLine {
	r.t.Helper()
	var doc evidence.RecordDocument
	r.get("/api/v1/evidence/"+act.Hex(), &doc)
	return doc.Record
}

// aged is a draft that somebody dates otherwise.
func (r *running) aged(d service.Draft, by time.Duration) service.Draft {
	r.t.Helper()
	s, err := evidence.DecodeStatement[rollout.PromotionExecution](d.Payload, rollout.PromotionExecutionType)
	if err != nil {
		r.t.Fatal(err)
	}
	s.Predicate.Claimed = s.Predicate.Claimed.Add(by)
	if d.Payload, err = envelope.Encode(s); err != nil {
		r.t.Fatal(err)
	}
	return d
}

// A package whose stored file was changed is not executed, whatever was drafted before.
func testNoExecutionOfADamagedPackage(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	var list rollout.ApprovalList
	r.get("/api/v1/promotion-requests", &list)
	draft := r.draft("/api/v1/promotion-requests/"+list.Requests[0].ID+"/execution-draft", service.Ask{KeyID: r.keyid("operator")})
	r.damage(list.Requests[0].Plan[0].Incoming.Manifest)
	r.wants(r.do("POST", "/api/v1/promotion-executions", r.tokens[access.Operate], service.Submission{Envelope: r.sign("operator", draft)}), http.StatusUnprocessableEntity, 3)
	e := r.do("POST", "/api/v1/promotion-requests/"+list.Requests[0].ID+"/execution-draft", r.tokens[access.Operate], service.Ask{KeyID: r.keyid("operator")})
	r.wants(e, http.StatusUnprocessableEntity, 3)
	var view service.RolloutView
	r.get("/api/v1/rollouts/"+list.Requests[0].Rollout, &view)
	if view.Readiness.Grade != rollout.Blocked || view.Readiness.Integrity != "failed" {
		t.Errorf("a damaged package is %s, %s", view.Readiness.Grade, view.Readiness.Integrity)
	}
}

// damage changes a byte of a stored file.
func (r *running) damage(digest string) {
	r.t.Helper()
	digits := strings.TrimPrefix(digest, "sha256:")
	file := filepath.Join(r.dir, ".rollproof", "blobs", "sha256", digits[:2], digits)
	data, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.Chmod(file, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// Evidence comes in with a credential for that, verified, and once.
func testIngestOverTheAPI(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	var page evidence.SearchDocument
	r.get("/api/v1/evidence?order=oldest&limit=3", &page)
	known := map[string]any{"envelope": r.get("/api/v1/evidence/"+page.Records[0].ID.Hex()+"/envelope", nil)}
	r.wants(r.do("POST", "/api/v1/evidence", "", known), http.StatusUnauthorized, 2)
	r.wants(r.do("POST", "/api/v1/evidence", "rpt_aaaaaaaaaa_"+strings.Repeat("a", 52), known), http.StatusUnauthorized, 2)
	before := r.length()
	e := r.do("POST", "/api/v1/evidence", r.tokens[access.Ingest], known)
	r.wants(e, http.StatusOK, 0)
	if !strings.Contains(string(e.body), `"new": false`) {
		t.Errorf("%s", e.body)
	}
	// Forged: a status that makes a rollout ready, signed by a key that nobody knows.
	forged := r.forge()
	r.wants(r.do("POST", "/api/v1/evidence", r.tokens[access.Ingest], map[string]any{"envelope": forged}), http.StatusUnprocessableEntity, 3)
	for _, body := range [][]byte{{}, []byte("{}"), bytes.Repeat([]byte("a"), 100), []byte(`{"mediaType":"x"}`), forged[:len(forged)/2]} {
		if e := r.do("POST", "/api/v1/evidence", r.tokens[access.Ingest], map[string]any{"envelope": body}); e.StatusCode != http.StatusUnprocessableEntity && e.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %s", body, e.Status)
		}
	}
	large := r.do("POST", "/api/v1/evidence", r.tokens[access.Ingest], map[string]any{"envelope": bytes.Repeat([]byte("a"), httpapi.MaxBody)})
	r.wants(large, http.StatusRequestEntityTooLarge, 2)
	if n := r.length(); n != before {
		t.Errorf("%d records, expected %d", n, before)
	}
}

// forge signs what somebody else recorded with a key that nobody knows.
func (r *running) forge() []byte {
	r.t.Helper()
	var statuses evidence.SearchDocument
	r.get("/api/v1/evidence?metadata-kind=rollout-status", &statuses)
	b, err := envelope.ParseBundle(r.get("/api/v1/evidence/"+statuses.Records[0].ID.Hex()+"/envelope", nil))
	if err != nil {
		r.t.Fatal(err)
	}
	r.run(0, "keys", "generate", "--allow-in-repository", filepath.Join(r.dir, "forger"))
	return r.sealed(filepath.Join(r.dir, "forger"), evidence.PayloadType, b.Payload)
}

// Names of artifacts are looked up in the record's own list; nothing else is ever read.
func testPathTricksFindNothing(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	var packages evidence.SearchDocument
	r.get("/api/v1/evidence?metadata-kind=release-package", &packages)
	id := packages.Records[0].ID.Hex()
	for _, name := range []string{
		"..%2f..%2fevidence.db", "%2e%2e/%2e%2e/evidence.db", "%2fetc%2fpasswd", "..%5c..%5cevidence.db", "bin%2f..%2frelease-evidence.json", "bin//hello", "release-evidence.json%00",
		"release-evidence.json%2f", ".%2frelease-evidence.json", "RELEASE-EVIDENCE.JSON", "release-evidence.json.", "release%2devidence.json%20", "file:%2f%2f%2fetc%2fpasswd",
	} {
		e := r.do("GET", "/api/v1/evidence/"+id+"/artifacts/"+name, r.tokens[access.Read], nil)
		if e.StatusCode != http.StatusNotFound && e.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s\n%s", name, e.Status, e.body)
		}
	}
	var list service.Artifacts
	r.get("/api/v1/evidence/"+id+"/artifacts", &list)
	if list.Integrity != service.IntegrityVerified || !list.Bundle {
		t.Errorf("artifacts: %s, %v", list.Integrity, list.Problems)
	}
	for _, a := range list.Artifacts {
		for _, name := range []string{strings.ReplaceAll(a.Name, "/", "%2F"), a.Digest} {
			e := r.do("GET", "/api/v1/evidence/"+id+"/artifacts/"+name, r.tokens[access.Read], nil)
			sum := sha256.Sum256(e.body)
			if "sha256:"+hex.EncodeToString(sum[:]) != a.Digest || e.Header.Get("Etag") != `"`+a.Digest+`"` || int64(len(e.body)) != a.Size {
				t.Errorf("%s: %s, %d bytes, ETag %s", name, e.Status, len(e.body), e.Header.Get("Etag"))
			}
		}
	}
}

// The bundle of a release is its package, byte for byte; parts of it can be asked for,
// and of a changed file not one byte is sent.
func testBundle(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	var packages evidence.SearchDocument
	r.get("/api/v1/evidence?metadata-kind=release-package", &packages)
	at := "/api/v1/evidence/" + packages.Records[0].ID.Hex() + "/artifact-bundle"
	whole := r.do("GET", at, r.tokens[access.Read], nil)
	made, err := os.ReadFile(filepath.Join(r.dir, "dist", "hello-v1.0.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(whole.body, made) {
		t.Errorf("the bundle has %d bytes and is not the package's zip of %d", len(whole.body), len(made))
	}
	r.write("bundle.zip", string(whole.body))
	r.run(0, "release", "verify-package", "bundle.zip")
	part := r.do("GET", at, r.tokens[access.Read], nil, func(q *http.Request) { q.Header.Set("Range", "bytes=10-19") })
	if part.StatusCode != http.StatusPartialContent || !bytes.Equal(part.body, made[10:20]) {
		t.Errorf("a range: %s, %d bytes", part.Status, len(part.body))
	}
	again := r.do("GET", at, r.tokens[access.Read], nil, func(q *http.Request) { q.Header.Set("If-None-Match", whole.Header.Get("Etag")) })
	if again.StatusCode != http.StatusNotModified || len(again.body) > 0 {
		t.Errorf("the same: %s", again.Status)
	}
	var rollouts evidence.SearchDocument
	r.get("/api/v1/evidence?metadata-kind=managed-endpoint-rollout", &rollouts)
	other := r.do("GET", "/api/v1/evidence/"+rollouts.Records[0].Act.Hex()+"/artifact-bundle", r.tokens[access.Read], nil)
	if other.StatusCode != http.StatusOK || !bytes.HasPrefix(other.body, []byte("PK")) {
		t.Errorf("the bundle of a rollout: %s", other.Status)
	}
	var list service.Artifacts
	r.get("/api/v1/evidence/"+packages.Records[0].ID.Hex()+"/artifacts", &list)
	r.damage(list.Artifacts[0].Digest)
	r.wants(r.do("GET", at, r.tokens[access.Read], nil), http.StatusUnprocessableEntity, 3)
	r.wants(r.do("GET", "/api/v1/evidence/"+packages.Records[0].ID.Hex()+"/artifacts/"+list.Artifacts[0].Digest, r.tokens[access.Read], nil), http.StatusUnprocessableEntity, 3)
}

// Another name for the server, one that looks alike, a page of another origin, a
// credential in a URL: none gets as far as a route.
func testOtherNamesAndOrigins(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	read := r.tokens[access.Read]
	port := r.url[strings.LastIndex(r.url, ":"):]
	for _, host := range []string{"attacker.example.com", "localhost.example.com", "127.0.0.1.example.com" + port, "localhost.", "localhost@attacker.example.com", "l\u043ecalhost", "127.0.0.1:1:2", "[::1", "0x7f000001", "127.1", "", "localhost evil"} {
		e := r.do("GET", "/healthz", read, nil, func(q *http.Request) { q.Host = host })
		if host == "" { // the client fills it in
			continue
		}
		if e.StatusCode != http.StatusMisdirectedRequest && e.StatusCode != http.StatusBadRequest {
			t.Errorf("Host %q: %s", host, e.Status)
		}
	}
	for _, host := range []string{"localhost", "LOCALHOST" + port, "127.0.0.1" + port, "[::1]" + port} {
		if e := r.do("GET", "/healthz", "", nil, func(q *http.Request) { q.Host = host }); e.StatusCode != http.StatusOK {
			t.Errorf("Host %q: %s", host, e.Status)
		}
	}
	for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://attacker.example.com"} {
		e := r.do("POST", "/api/v1/evidence", r.tokens[access.Ingest], map[string]any{"envelope": "AAAA"}, func(q *http.Request) { q.Header.Set(header, value) })
		r.wants(e, http.StatusForbidden, 4)
	}
	for _, path := range []string{"/api/v1/evidence?token=" + read, "/api/v1/evidence?access_token=x", "/" + read, "/api/v1/evidence/" + read, "/healthz?x=%72pt_" + read[4:]} {
		e := r.do("GET", path, "", nil)
		r.wants(e, http.StatusBadRequest, 2)
		if strings.Contains(string(e.body), read) {
			t.Errorf("%s: the answer repeats the token", path)
		}
	}
	r.stop()
	logs, err := filepath.Glob(filepath.Join(r.dir, "state", "rollproof", "access", "*"))
	if err != nil || len(logs) < 2 {
		t.Fatalf("%v: %v", logs, err)
	}
	for _, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range r.tokens {
			if bytes.Contains(data, []byte(token)) || bytes.Contains(data, []byte(token[15:])) {
				t.Errorf("%s has a token in it", name)
			}
		}
		if bytes.ContainsAny(data, "\x1b\u202e") {
			t.Errorf("%s has control characters in it", name)
		}
	}
}

// Who sends slowly is let go.
func testSlowSendersAreLetGo(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	var conns []net.Conn
	for range 20 {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	if e := r.do("GET", "/healthz", "", nil); e.StatusCode != http.StatusOK {
		t.Errorf("beside them: %s", e.Status)
	}
	for _, c := range conns {
		// The server ends each by itself; the deadline only keeps a broken one from hanging.
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(c)
		if err != nil || bytes.Contains(data, []byte("200 OK")) {
			t.Errorf("a slow sender got %q, %v", data, err)
		}
	}
	e := r.do("GET", "/healthz", "", nil, func(q *http.Request) { q.Header.Set("X-Large", strings.Repeat("a", 100<<10)) })
	if e.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers of 100 KiB: %s", e.Status)
	}
}

// An event tells when the log has grown, and one that was missed is told again.
func testEvents(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	before := r.length()
	ask := func(last string) string {
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/api/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.tokens[access.Read])
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if last == "" {
			r.token("--owner", "grace", "--scope", "read")
		}
		var seen []byte
		buffer := make([]byte, 512)
		for !bytes.Contains(seen, []byte("data: ")) {
			n, err := res.Body.Read(buffer)
			if err != nil {
				t.Fatalf("%s: %v", seen, err)
			}
			seen = append(seen, buffer[:n]...)
		}
		return string(seen)
	}
	want := fmt.Sprintf("id: %d\nevent: log\ndata: {\"records\": %d}", before+1, before+1)
	for _, last := range []string{"", fmt.Sprint(before), "0"} {
		if got := ask(last); !strings.Contains(got, want) {
			t.Errorf("from %q: %q, expected %q", last, got, want)
		}
	}
	r.wants(r.do("GET", "/api/v1/events", r.tokens[access.Read], nil, func(q *http.Request) { q.Header.Set("Last-Event-ID", "-1") }), http.StatusBadRequest, 2)
	if !slices.Contains([]int{0}, r.stop()) {
		t.Error("the server did not end well")
	}
}
