package console_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var opens = regexp.MustCompile(`^open (http://127\.0\.0\.1:[0-9]+)(/open/[0-9a-f]{64}) `)

// A localConsole is a console of a remote store, and what its terminal shows.
type localConsole struct {
	*site
	t    *testing.T
	told <-chan string
	key  string // the newest address
}

// console runs rollproof serve --server with a token of the store.
func (w *world) console(t *testing.T, server string) *localConsole {
	t.Helper()
	token := strings.TrimSpace(w.run("rollproof token create --owner ada --scope read --scope operate --key ../trust/keys/policy.pem 2> /dev/null | grep -o 'rpt_[a-z2-7]*_[a-z2-7]*'"))
	c := &localConsole{t: t, told: w.running([]string{"ROLLPROOF_TOKEN=" + token}, "--listen", "127.0.0.1:0", "--server", server)}
	c.site = &site{Server: &httptest.Server{URL: c.next()}}
	return c
}

// next reads the newest address of the terminal and returns its origin.
func (c *localConsole) next() string {
	c.t.Helper()
	for line := range c.told {
		if m := opens.FindStringSubmatch(line); m != nil {
			c.key = m[2]
			return m[1]
		}
	}
	c.t.Fatal("the console ended")
	return ""
}

// open comes in by the newest address.
func (c *localConsole) open() *client {
	c.t.Helper()
	visitor := c.client(c.t)
	if answer, body := visitor.send("GET", c.key, "", nil); answer.StatusCode != http.StatusSeeOther {
		c.t.Fatalf("opening: %s %s", answer.Status, body)
	}
	c.next()
	return visitor
}

// asked makes a request for promotion and returns its act.
func (w *world) asked(reason string) string {
	w.run(`rollproof release request-rollout-promotion ` + w.newestRollout() + ` --reason '` + reason + `' --key ../trust/keys/requester.pem`)
	return strings.Fields(w.run(`rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3`))[0]
}

// Two processes: one with the store, and one that presents it to its own user.
func TestLocalConsole(t *testing.T) {
	w := newWorld(t)
	request := w.asked("far away")
	server := w.started()
	c := w.console(t, server)
	visitor := c.open()
	for path, says := range map[string]string{
		"/rings/hello":        "v1.4.2",
		"/request/" + request: "far away",
		"/evidence":           "release-package",
		"/log":                "Newest checkpoint",
	} {
		answer, body := visitor.send("GET", path, "", nil)
		if answer.StatusCode != http.StatusOK || !strings.Contains(body, says) {
			t.Errorf("%s: %s, without %q", path, answer.Status, says)
		}
	}
	if _, body := visitor.send("GET", "/request/"+request, "", nil); !strings.Contains(body, "--server") || !strings.Contains(body, server) {
		t.Error("the command of the request's page names no server")
	}
	keyid := strings.Fields(w.run(`rollproof keys inspect ../trust/keys/approver-verifier.pub | grep -o 'SHA256:[^ ]*'`))[0]
	draft := url.Values{"keyid": {keyid}, "reason": {"read far away"}, "meaning": {"approval"}}.Encode()
	if answer, body := visitor.send("POST", "/request/"+request+"/approve", draft, nil); answer.StatusCode != http.StatusOK || !strings.Contains(body, request) || !strings.Contains(body, "read far away") {
		t.Errorf("the draft of an approval: %s", answer.Status)
	}
	b := newBrowser(t)
	b.open(c.URL + c.key)
	if got := b.text("h1"); got != "Rings of hello" {
		t.Errorf("opened in a browser: %s", got)
	}
	b.accessible("a local console")
	b.quiet("a local console")
	t.Run("others", func(t *testing.T) { c.keepsOut(t, request, draft) })
}

// keepsOut tries to come in as other users of the machine and as pages of other sites.
func (c *localConsole) keepsOut(t *testing.T, request, draft string) {
	c.next()
	stranger := c.client(t)
	for name, try := range map[string]struct {
		method, path, form string
		headers            map[string]string
	}{
		"no session":           {"GET", "/request/" + request, "", map[string]string{"Accept": "*/*"}},
		"an invented session":  {"GET", "/request/" + request, "", map[string]string{"Accept": "*/*", "Cookie": "rollproof=" + strings.Repeat("0", 64)}},
		"a bearer token":       {"GET", "/request/" + request, "", map[string]string{"Accept": "*/*", "Authorization": "Bearer x"}},
		"a draft":              {"POST", "/request/" + request + "/approve", draft, nil},
		"an invented key":      {"GET", "/open/" + strings.Repeat("0", 64), "", nil},
		"signing in":           {"GET", "/login", "", nil},
		"another account":      {"GET", "/login/oidc", "", map[string]string{"Accept": "*/*"}},
		"a token":              {"POST", "/login", "token=x", nil},
		"looking at a new key": {"HEAD", c.key, "", nil},
	} {
		if answer, body := stranger.send(try.method, try.path, try.form, try.headers); answer.StatusCode != http.StatusUnauthorized || answer.Header.Get("Set-Cookie") != "" || strings.Contains(body, "far away") {
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
	for _, path := range []string{"/api/v1/evidence", "/openapi.json", "/metrics", "/healthz"} {
		if answer, _ := stranger.send("GET", path, "", map[string]string{"Accept": "*/*"}); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s, which this console has not: %s", path, answer.Status)
		}
	}
	used := c.key
	visitor := c.open()
	if answer, _ := stranger.send("GET", used, "", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("an address that was used: %s", answer.Status)
	}
	if answer, _ := visitor.send("POST", "/request/"+request+"/approve", draft, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %s", answer.Status)
	}
	if answer, _ := visitor.send("POST", "/request/"+request+"/approve", draft, map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another port: %s", answer.Status)
	}
	r, err := http.NewRequest("GET", c.URL+"/request/"+request, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example.com"
	answer, err := visitor.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a foreign Host: %s", answer.Status)
	}
}

// A server that shows another reason than the request has does not get it onto the page.
func TestLocalConsoleOfALyingServer(t *testing.T) {
	w := newWorld(t)
	request := w.asked("what was asked")
	real, err := url.Parse(w.started())
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(real) },
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasPrefix(r.Request.URL.Path, "/api/v1/promotion-requests/") {
				return nil
			}
			data, err := io.ReadAll(r.Body)
			data = bytes.ReplaceAll(data, []byte("what was asked"), []byte("what was never"))
			r.Body = io.NopCloser(bytes.NewReader(data))
			return err
		},
	}
	liar := httptest.NewServer(proxy)
	t.Cleanup(liar.Close)
	answer, body := w.console(t, liar.URL).open().send("GET", "/request/"+request, "", nil)
	if answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "the server shows something else") {
		t.Errorf("the page of a changed request: %s", answer.Status)
	}
}
