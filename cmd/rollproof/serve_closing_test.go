package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

// Approvers who reach the log through a server close an execution that broke glass: by
// the API, and with the command. Nobody who took part does, and a request is no emergency.
func testClosingOverTheAPI(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	operate := r.tokens[access.Operate]
	var list rollout.ApprovalList
	r.get("/api/v1/promotion-requests", &list)
	request := list.Requests[0]
	r.run(0, "release", "execute-rollout-promotion", request.ID, "--break-glass", "INC-7", "--key", r.key("breakglass"))
	var executions service.ExecutionList
	r.get("/api/v1/promotion-executions", &executions)
	act := executions.Executions[0].Record.Act
	room := "/api/v1/promotion-executions/" + act.Hex()
	emergency := func() *rollout.Emergency {
		var e service.Execution
		r.get(room, &e)
		return e.Emergency
	}
	if e := emergency(); e == nil || e.Incident != "INC-7" || len(e.Approved) != 0 || e.Overdue {
		t.Fatalf("the emergency: %+v", e)
	}
	before := r.length()

	draft := r.draft(room+"/closing-draft", service.Ask{KeyID: r.keyid("approver-grace"), Reason: "it was right"})
	// Below another path, signed by another person, or as what it is not.
	r.wants(r.do("POST", "/api/v1/promotion-requests/"+request.ID+"/approvals", operate, service.Submission{Envelope: r.sign("approver-grace", draft)}), http.StatusBadRequest, 2)
	r.wants(r.do("POST", room+"/closings", operate, service.Submission{Envelope: r.sign("approver-verifier", draft)}), http.StatusUnprocessableEntity, 3)
	r.wants(r.do("POST", "/api/v1/holds", operate, service.Submission{Envelope: r.sign("approver-grace", draft)}), http.StatusBadRequest, 2)
	own := r.draft(room+"/closing-draft", service.Ask{KeyID: r.keyid("approver-observer"), Reason: "mine"})
	r.wants(r.do("POST", room+"/closings", operate, service.Submission{Envelope: r.sign("approver-observer", own)}), http.StatusForbidden, 5)
	r.wants(r.do("POST", "/api/v1/promotion-executions/"+request.Act.Hex()+"/closing-draft", operate, service.Ask{KeyID: r.keyid("approver-grace"), Reason: "x"}), http.StatusForbidden, 5)
	if n := r.length(); n != before {
		t.Fatalf("%d records, expected %d: something refused was recorded", n, before)
	}
	r.wants(r.do("POST", room+"/closings", operate, service.Submission{Envelope: r.sign("approver-grace", draft)}), http.StatusOK, 0)
	if e := emergency(); e == nil || len(e.Approved) != 1 || e.Approved[0] != "grace" {
		t.Errorf("after one approval: %+v", e)
	}

	t.Setenv("ROLLPROOF_TOKEN", r.token("--owner", "grace", "--scope", "read", "--scope", "operate"))
	remote := func(code int, key string, args ...string) string {
		return r.run(code, append(args, "--reason", "looked", "--server", r.url, "--key", r.key(key))...)
	}
	remote(5, "approver-verifier", "approval", "deny", act.Hex())
	remote(5, "approver-observer", "approval", "approve", act.Hex())
	// A server that answers another digest with this emergency gets nobody's signature.
	at, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	const other = "0123456789abcdef"
	liar := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(q *httputil.ProxyRequest) {
		q.SetURL(at)
		q.Out.URL.Path = strings.Replace(q.Out.URL.Path, "/promotion-executions/"+other, "/promotion-executions/"+act.Hex(), 1)
	}})
	defer liar.Close()
	r.run(5, "approval", "approve", other, "--reason", "looked", "--server", liar.URL, "--key", r.key("approver-verifier"))
	if out := remote(0, "approver-verifier", "approval", "approve", act.Hex()[:16]); !strings.Contains(out, "INC-7") {
		t.Error(out)
	}
	if e := emergency(); e != nil {
		t.Errorf("after a quorum: %+v", e)
	}
	remote(5, "approver-ada", "approval", "approve", act.Hex())
	r.run(0, "evidence", "verify", "--all")
}
