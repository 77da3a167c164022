package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

// Commands on a remote store say what they say on the store itself, and act with a key
// that stays here.
func testRemoteCommands(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	t.Setenv("ROLLPROOF_TOKEN", r.tokens[access.Read])
	for _, args := range [][]string{{"evidence", "search", "--metadata-kind", "approval", "--limit", "2"}, {"evidence", "search", "hello"}} {
		if local, remote := r.run(0, append(args, "--json")...), r.run(0, append(args, "--json", "--server", r.url)...); local != remote {
			t.Errorf("%v: %s\nremote: %s", args, local, remote)
		}
	}
	var list rollout.ApprovalList
	r.get("/api/v1/promotion-requests", &list)
	request := list.Requests[0]
	grace := request.Signatures[0].Act
	for _, args := range [][]string{{"evidence", "show", grace.Hex()}, {"evidence", "show", "--tree", grace.Hex()}, {"evidence", "show", "--raw", grace.Hex()}, {"approval", "list"}} {
		if local, remote := r.run(0, args...), r.run(0, append(args, "--server", r.url)...); local != remote {
			t.Errorf("%v: %s\nremote: %s", args, local, remote)
		}
	}
	if out := r.run(0, "approval", "show", request.ID, "--server", r.url); !strings.Contains(out, "readiness: ready") {
		t.Error(out)
	}
	r.run(4, "approval", "revoke", grace.Hex(), "--reason", "wait", "--server", r.url, "--key", r.key("approver-grace"))

	t.Setenv("ROLLPROOF_TOKEN", "")
	r.run(2, "evidence", "search", "--server", r.url)
	if err := os.WriteFile(filepath.Join(r.dir, "config", "rollproof", "token"), []byte(m.tokens[access.Read]+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.run(2, "evidence", "search", "--server", r.url)
	if err := os.Chmod(filepath.Join(r.dir, "config", "rollproof", "token"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.run(0, "evidence", "search", "--server", r.url)
	r.run(2, "evidence", "search", "--server", "http://evidence.example.com")
	r.run(1, "evidence", "search", "--server", "http://127.0.0.1:1")

	both := r.token("--owner", "grace", "--scope", "read", "--scope", "operate", "--scope", "ingest")
	t.Setenv("ROLLPROOF_TOKEN", both)
	r.run(0, "approval", "revoke", grace.Hex(), "--reason", "wait", "--server", r.url, "--key", r.key("approver-grace"))
	r.run(5, "release", "execute-rollout-promotion", request.ID, "--server", r.url, "--key", r.key("operator"))
	r.run(0, "approval", "approve", request.ID, "--reason", "looked again", "--server", r.url, "--key", r.key("approver-grace"), "--out", "again.sigstore.json")
	r.run(0, "evidence", "add", "again.sigstore.json", "--server", r.url)
	r.run(5, "approval", "approve", request.ID, "--reason", "mine", "--server", r.url, "--key", r.key("approver-ada"))
	r.run(3, "approval", "approve", request.ID, "--reason", "mine", "--server", r.url, "--key", r.key("operator"))
	r.run(0, "release", "execute-rollout-promotion", request.ID, "--server", r.url, "--key", r.key("operator"))
	r.run(6, "release", "execute-rollout-promotion", request.ID, "--server", r.url, "--key", r.key("operator"))
	r.run(0, "evidence", "verify", "--all")
	r.run(0, "release", "history", "hello-linux-amd64", "--ring", "production")
}

// A server that lies, or somebody between it and the approver, makes nobody sign
// anything else than what he asked for.
func testLyingServers(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	both := r.token("--owner", "grace", "--scope", "read", "--scope", "operate")
	t.Setenv("ROLLPROOF_TOKEN", both)
	var list rollout.ApprovalList
	r.get("/api/v1/promotion-requests", &list)
	request := list.Requests[0]
	act := request.Act.Hex()
	other := r.get("/api/v1/evidence/"+request.Signatures[0].Act.Hex()+"/envelope", nil)
	forged := r.forge()
	own := r.get("/api/v1/evidence/"+act+"/envelope", nil)
	before := r.length()
	for name, lie := range map[string]func(path string, body []byte) []byte{
		"another act for the request": func(path string, body []byte) []byte {
			if strings.HasSuffix(path, "/envelope") {
				return other
			}
			return body
		},
		"an unsigned request": func(path string, body []byte) []byte {
			if strings.HasSuffix(path, "/envelope") {
				return bytes.Replace(own, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1)
			}
			return body
		},
		"a request by a key that nobody knows": func(path string, body []byte) []byte {
			if strings.HasSuffix(path, "/envelope") {
				return forged
			}
			return body
		},
	} {
		at := r.between(lie)
		for _, args := range [][]string{
			{"approval", "deny", act, "--reason", "no", "--key", r.key("approver-grace")},
			{"release", "execute-rollout-promotion", act, "--key", r.key("operator")},
		} {
			if code, out := r.try(append(args, "--server", at)...); code != 3 {
				t.Errorf("%s, %v: exit code %d\n%s", name, args, code, out)
			}
		}
	}
	for name, change := range map[string][2]string{
		"another version": {`"version": "v1.0.0"`, `"version": "v6.6.6"`}, "another target": {"hello-linux-amd64", "hello-linux-arm64"}, "another signer": {`"person": "operator"`, `"person": "grace"`},
		"another kind": {"promotion-execution/v1", "rollback-execution/v1"}, "broken glass": {`"breakglass": null`, `"breakglass": {"incident": "INC-1"}`}, "no approvals": {`"unattended": false`, `"unattended": true`},
	} {
		at := r.between(func(path string, body []byte) []byte {
			if !strings.HasSuffix(path, "/execution-draft") {
				return body
			}
			var d service.Draft
			if err := json.Unmarshal(body, &d); err != nil {
				t.Error(err)
			}
			if changed := bytes.ReplaceAll(d.Payload, []byte(change[0]), []byte(change[1])); bytes.Equal(changed, d.Payload) {
				t.Errorf("%s: nothing is changed in %s", name, d.Payload)
			} else {
				d.Payload = changed
			}
			lied, err := json.Marshal(d)
			if err != nil {
				t.Error(err)
			}
			return lied
		})
		if code, out := r.try("release", "execute-rollout-promotion", act, "--key", r.key("operator"), "--server", at); code != 3 {
			t.Errorf("%s: exit code %d\n%s", name, code, out)
		}
	}
	if n := r.length(); n != before {
		t.Errorf("%d records, expected %d", n, before)
	}
	// A redirect never carries the token to somebody else.
	stolen := ""
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { stolen = q.Header.Get("Authorization") }))
	defer thief.Close()
	lure := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer lure.Close()
	if code, _ := r.try("evidence", "search", "--server", lure.URL); code != 1 || stolen != "" {
		t.Errorf("exit code %d, the token went to %q", code, stolen)
	}
}

// between is a proxy before the server that changes answers.
func (r *running) between(lie func(path string, body []byte) []byte) string {
	r.t.Helper()
	target, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: func(res *http.Response) error {
			body, err := io.ReadAll(res.Body)
			if err != nil {
				return err
			}
			body = lie(res.Request.URL.Path, body)
			res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			res.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	}
	s := httptest.NewServer(proxy)
	r.t.Cleanup(s.Close)
	return s.URL
}
