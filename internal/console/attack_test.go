package console_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/internal/access"
)

// hostile is markup that would run, and marks that would turn or hide text.
const hostile = `<img src=x onerror=pwned=1><script>pwned=1</script>"'><svg onload=pwned=1> {{.}} javascript:pwned=1`

// A client asks pages without a browser. It follows no redirect.
type client struct {
	t testing.TB
	*http.Client
	site *site
}

func (s *site) client(t testing.TB) *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, s}
}

func (s *site) signedIn(t testing.TB) *client {
	c := s.client(t)
	if answer, _ := c.send("POST", "/login", "token="+s.token, nil); answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing in: %s", answer.Status)
	}
	return c
}

func (c *client) send(method, path, form string, headers map[string]string) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.site.URL+path, strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	return c.answered(r)
}

func (c *client) answered(r *http.Request) (*http.Response, string) {
	c.t.Helper()
	answer, err := c.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer, string(body)
}

var inline = regexp.MustCompile(`(?i)<script(?:\s+defer)?>|<style|\sstyle=|\son[a-z]+="|href="javascript:|src="data:`)

// Every page is made so that its own policy lets it work, and says it on every answer.
func TestHeadersAndNoInline(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	c := s.signedIn(t)
	for _, p := range append(w.pages(), page{"csv", "/evidence.csv"}) {
		answer, body := c.send("GET", p.path, "", nil)
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin"} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, expected %q", p.name, name, got, want)
			}
		}
		policy := answer.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'", "trusted-types 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %s: %s", p.name, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is unsafe: %s", p.name, policy)
		}
		if found := inline.FindString(body); found != "" && p.name != "csv" {
			t.Errorf("%s has inline %q", p.name, found)
		}
	}
}

// Nobody reads or acts without a credential, and a token that reads does not act. The
// table of routes is asked itself, so that a new page can't be forgotten.
func TestRoutesNeedScopes(t *testing.T) {
	w := newWorld(t)
	s := w.serve(farApart)
	reader := *s
	reader.token = w.token(s.service, []access.Scope{access.Read})
	nobody, reads := s.client(t), reader.signedIn(t)
	for pattern, rule := range s.table {
		method, path, _ := strings.Cut(pattern, " ")
		if strings.Contains(path, "/api/") || !strings.Contains("/assets/ /login", "/"+strings.Split(path+"/", "/")[1]) && rule.Open && method == "GET" {
			continue // tested with the API
		}
		path = regexp.MustCompile(`\{[a-z$]+\}`).ReplaceAllString(path, "approval")
		if path == "/approval" {
			path = "/"
		}
		free := []string{"POST /login", "POST /logout", "POST /theme", "GET /login", "GET /login/oidc", "GET /login/oidc/done", "GET /assets/{digest}/{file}"}
		reading := method == "GET" || pattern == "POST /draft" // sends back what the form holds
		switch {
		case rule.Open != slices.Contains(free, pattern):
			t.Errorf("%s is open: %t", pattern, rule.Open)
		case !rule.Open && reading != (rule.Scope == access.Read):
			t.Errorf("%s needs the scope %q", pattern, rule.Scope)
		}
		answer, _ := nobody.send(method, path, "", nil)
		login := answer.StatusCode == http.StatusSeeOther && strings.HasPrefix(answer.Header.Get("Location"), "/login?next=")
		if !rule.Open && !login && answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a credential: %s", pattern, answer.Status)
		}
		if rule.Open || strings.HasSuffix(pattern, "/logout") {
			continue
		}
		answer, _ = reads.send(method, path, "", nil)
		if refused := answer.StatusCode == http.StatusForbidden; refused != (rule.Scope != access.Read) {
			t.Errorf("%s, which needs %s, with a token that reads: %s", pattern, rule.Scope, answer.Status)
		}
	}
}

// A token of one project shows nothing of another one.
func TestLimitedToken(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	limited := *s
	limited.token = w.token(s.service, access.Scopes, "other")
	c := limited.signedIn(t)
	for _, p := range w.pages() {
		switch p.name {
		case "keys", "log", "fault": // show nothing of a project
			continue
		}
		if _, body := c.send("GET", p.path, "", nil); strings.Contains(body, "v1.5.0") || strings.Contains(body, "hello-linux") || strings.Contains(body, "CHG-1") && !strings.Contains(p.path, "CHG-1") {
			t.Errorf("%s shows something of project hello", p.name)
		}
	}
}

// farApart lets every request come from an address of its own: how many an address may
// send is another test's.
func farApart(next http.Handler) http.Handler {
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := n.Add(1)
		r.RemoteAddr = fmt.Sprintf("198.51.%d.%d:443", i/256, i%256)
		next.ServeHTTP(w, r)
	})
}

// After signing in, a browser stays here.
func TestNoOpenRedirect(t *testing.T) {
	w := newWorld(t)
	s := w.serve(farApart)
	for _, next := range []string{"//evil.example.com", "https://evil.example.com/", "/\\evil.example.com", "\\\\evil.example.com", "/\t/evil.example.com", "javascript:alert(1)", "/%5cevil.example.com",
		"/..//evil.example.com", "/./\\evil.example.com", "http:evil.example.com", "evil.example.com", "/%2f%2fevil.example.com", "//evil.example.com/%2e%2e", "///evil.example.com", "/\n/evil.example.com", " //evil.example.com"} {
		for _, form := range [][2]string{{"/login", "token=" + s.token + "&next=" + url.QueryEscape(next)}, {"/theme", "theme=dark&next=" + url.QueryEscape(next)}} {
			answer, _ := s.client(t).send("POST", form[0], form[1], nil)
			to, err := answer.Location()
			if err != nil {
				t.Fatal(err)
			}
			if to.Host != strings.TrimPrefix(s.URL, "http://") || strings.HasPrefix(to.Path, "//") || strings.Contains(to.Path, "\\") {
				t.Errorf("%s with next %q leads to %s", form[0], next, to)
			}
		}
	}
	answer, _ := s.client(t).send("POST", "/login", "token="+s.token+"&next="+url.QueryEscape("/evidence?ring=pilot"), nil)
	if got := answer.Header.Get("Location"); got != "/evidence?ring=pilot" {
		t.Errorf("a path of this console leads to %q", got)
	}
}

// A token in an address is refused, and not shown.
func TestTokenInAddress(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	c := s.signedIn(t)
	for _, path := range []string{"/evidence?q=" + s.token, "/login?token=" + s.token, "/record/" + s.token, "/rings/hello?access_token=x", "/rings/hello?token=x", "/evidence?q=" + strings.Replace(s.token, "_", "%5F", 2), "/login?next=" + url.QueryEscape("/evidence?q="+s.token)} {
		answer, body := c.send("GET", path, "", nil)
		if answer.StatusCode != http.StatusBadRequest || strings.Contains(body, s.token[14:]) {
			t.Errorf("%s: %s", strings.ReplaceAll(path, s.token, "TOKEN"), answer.Status)
		}
	}
}

// A form of another site does nothing, by two walls: the browser sends no cookie, and
// the console refuses the request.
func TestForeignForms(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	c := s.signedIn(t)
	for _, headers := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example.com"}, {"Origin": "null"}} {
		for _, path := range []string{"/logout", "/theme", "/submit/approval", "/login", "/request/00000000/approve"} {
			if answer, _ := c.send("POST", path, "theme=dark&token="+s.token, headers); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %v: %s", path, headers, answer.Status)
			}
		}
	}
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<title>evil</title><form method=post action="`+s.URL+`/logout"></form><button onclick="document.forms[0].submit()">win</button>`)
	}))
	defer evil.Close()
	b := newBrowser(t)
	b.signIn(s)
	b.open(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1))
	b.press("button")
	if got := b.eval("document.body.innerText"); !strings.Contains(got, "another site") {
		t.Errorf("a foreign form led to: %s", got)
	}
	b.open(s.URL + "/rings/hello")
	if got := b.text("h1"); got != "Rings of hello" {
		t.Errorf("after a foreign form the board says %q: the session ended", got)
	}
}

// Nobody can put a page of the console into a frame of his.
func TestNoFrame(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<title>evil</title><iframe src="`+s.URL+`/login"></iframe>`)
	}))
	defer evil.Close()
	b := newBrowser(t)
	b.open(evil.URL)
	b.mu.Lock()
	defer b.mu.Unlock()
	if all := strings.Join(b.complaints, "\n"); !strings.Contains(all, "frame-ancestors") && !strings.Contains(all, "X-Frame-Options") {
		t.Errorf("the frame was not refused: %s", all)
	}
}

// Whatever somebody writes into a free text is shown as text, its invisible marks as
// \u{…}, and nothing of it runs.
func TestHostileTexts(t *testing.T) {
	w := newWorld(t)
	text := strings.ReplaceAll(hostile, "'", `'\''`)
	w.run(`. "$STEPS"; set -e; captured ../v1 CHG-130 pilot
		rollproof release request-rollout-promotion "$id" --reason '` + text + `' --key $keys/requester.pem
		request=$(rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3)
		rollproof approval deny "$request" --reason '` + text + `' --key $keys/approver-grace.pem
		rollproof release request-rollout-promotion ` + "`ls .rollproof/rollout | grep CHG-123- | grep staging`" + ` --reason x --key $keys/requester.pem
		request=$(rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3)
		rollproof release execute-rollout-promotion "$request" --break-glass INC-7 --key $keys/breakglass.pem
		rollproof release hold production --reason '` + text + `' --key $keys/policy.pem`)
	w.attest(hostile)
	s := w.serve(nil)
	b := newBrowser(t)
	b.signIn(s)
	act := func(kind string) string {
		return strings.TrimSpace(w.run(`rollproof evidence search --metadata-kind ` + kind + ` --jsonl | grep -o '"act":"sha256:[0-9a-f]*' | head -1 | cut -d: -f3`))
	}
	hold, execution, attested := act("hold"), act("rollout-promotion-execution"), act("unverified")
	denied := strings.Fields(w.run(`rollproof approval list --json | grep -o '"act": "sha256:[^"]*\|"state": "denied"' | grep -B1 denied | head -1 | cut -d: -f3`))[0]
	q := url.QueryEscape(hostile)
	for path, shows := range map[string]string{
		"/request/" + denied: "<img src=x", "/rings/hello": "<svg onload", "/record/" + hold: "<svg onload", "/execution/" + execution: "INC-7", "/record/" + attested: "<svg onload", "/executions/hello": "", "/requests/hello": "",
		"/evidence?q=" + q: "", "/evidence?ring=" + q: "", "/evidence?since=" + q: "<svg onload", "/evidence?metadata-kind=" + q: "<svg onload", "/evidence?" + q + "=1": "<svg onload",
		"/record/" + url.PathEscape(hostile): "<svg onload", "/rollout/" + url.PathEscape(hostile): "<svg onload", "/rings/" + url.PathEscape(hostile): "", "/login?next=" + q: "",
		"/target/hello/production/" + url.PathEscape(hostile): "<svg onload", "/rollouts/hello?before=" + q: "<svg onload", "/request/" + url.PathEscape(hostile): "<svg onload",
	} {
		b.open(s.URL + path)
		if got := b.eval(`typeof pwned + document.querySelectorAll("img, main svg[onload], main script").length`); got != "undefined0" {
			t.Errorf("%s: markup became markup: %s", path, got)
		}
		if got := b.text("body"); !strings.Contains(got, shows) {
			t.Errorf("%s does not show the text as it is: %s", path, got)
		}
	}
	b.forgive("Failed to load resource")
	b.quiet("hostile texts")
	c := s.signedIn(t)
	marks := url.QueryEscape("a\u202eb\u200bc\x1b[31m\u2066")
	for _, path := range []string{"/evidence?q=" + marks, "/evidence?ring=" + marks, "/evidence?since=" + marks, "/evidence?limit=" + marks, "/rollouts/hello?before=" + marks, "/target/hello/production/" + marks} {
		if _, body := c.send("GET", path, "", nil); !strings.Contains(body, `\u{202e}`) || strings.ContainsAny(body, "\u202e\u200b\x1b\u2066") {
			t.Errorf("%s: invisible marks come through", path)
		}
	}
}

// attest records a statement of nobody's about a file of that name.
func (w *world) attest(name string) {
	w.t.Helper()
	key, err := keys.Generate(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	bundle, err := evidence.Sign(key, evidence.NewStatement("https://example.com/thing/v1", []evidence.Subject{evidence.FileSubject(name, evidence.SHA256(nil))}, struct{}{}))
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := bundle.Marshal()
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, "store", "thing.sigstore.json"), data, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.run("rollproof evidence add --allow-unknown-signer thing.sigstore.json")
}

// A broken store shows as an error, whatever was read from it before.
func TestUnreachableStore(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	c := s.signedIn(t)
	pages := w.pages()
	for _, p := range pages {
		c.send("GET", p.path, "", nil)
	}
	s.gate.ReadPublic = true // so that the pages ask, and not only who may see them
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	if answer, body := c.send("GET", pages[0].path, "", nil); answer.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "v1.") {
		t.Errorf("%s of a closed store, for who is signed in: %s", pages[0].name, answer.Status)
	}
	for _, p := range pages {
		answer, body := s.client(t).send("GET", p.path, "", nil)
		if answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "did not answer") || strings.Contains(body, "v1.") {
			t.Errorf("%s of a closed store: %s", p.name, answer.Status)
		}
	}
}

// Without script everything can be read, and a key file signs.
func TestWithoutScript(t *testing.T) {
	w := newWorld(t)
	w.run(`rollproof release request-rollout-promotion ` + w.newestRollout() + ` --reason 'on paper' --key ../trust/keys/requester.pem`)
	s := w.serve(nil)
	b := newBrowser(t)
	b.do(called(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.signIn(s)
	b.press(`.nav a[href="/requests/hello"]`)
	b.press(`tbody th a`)
	if got := b.text("main"); !strings.Contains(got, "on paper") || !strings.Contains(got, "0 of 2 persons") {
		t.Fatalf("the request's page says %s", got)
	}
	id := strings.Fields(w.run(`rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3`))[0]
	w.run(`curl -sf -o request.sigstore.json -H 'Authorization: Bearer ` + s.token + `' ` + s.URL + `/record/` + id + `/envelope
		rollproof approval approve request.sigstore.json --reason 'read it on paper' --key ../trust/keys/approver-grace.pem --out approve.sigstore.json`)
	b.do(chromedp.Click(chromedp.CSS("details:has(form[enctype]) summary")), chromedp.SetUploadFiles(chromedp.CSS("#envelope-approval"), []string{w.dir + "/store/approve.sigstore.json"}))
	b.press(`form[action="/submit/approval"] button`)
	if got := b.text("main"); !strings.Contains(got, "1 of 2 persons") || !strings.Contains(got, "key of use file") {
		t.Errorf("after the upload the page says %s", got)
	}
	keyid := strings.Fields(w.run(`rollproof keys inspect ../trust/keys/approver-verifier.pub | grep -o 'SHA256:[^ ]*'`))[0]
	b.do(chromedp.SendKeys(chromedp.CSS("#approve-key"), keyid), chromedp.SendKeys(chromedp.CSS("#approve-reason"), "a draft"))
	b.press(approveForm + " .actions button")
	if got := b.text("main"); !strings.Contains(got, "Nothing is recorded yet") || !strings.Contains(got, `"reason": "a draft"`) {
		t.Errorf("the draft's page says %s", got)
	}
	b.quiet("without script")
}
