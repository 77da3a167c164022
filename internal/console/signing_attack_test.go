package console_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// intercepted stands before the console and may answer in its place.
func intercepted(answer func(w http.ResponseWriter, r *http.Request) bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !answer(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// other makes a second request, into a ring that lets no browser key count, and
// returns its act.
func (w *world) other() string {
	return strings.Fields(w.run(`. "$STEPS"; set -e; captured ../v1 CHG-130 pilot
		rollproof release request-rollout-promotion "$id" --reason 'the other one' --key $keys/requester.pem > /dev/null
		rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3`))[0]
}

// A server whose page shows one request and whose draft is about another one: the
// script refuses, and signs nothing.
func TestDraftAboutSomethingElse(t *testing.T) {
	w := newWorld(t)
	w.run(`rollproof release request-rollout-promotion ` + w.newestRollout() + ` --reason 'shown' --key ../trust/keys/requester.pem`)
	shown := strings.Fields(w.run(`rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3`))[0]
	other := w.other()
	s := w.serve(intercepted(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/request/"+shown+"/approve" {
			r.URL.Path, r.RequestURI = "/request/"+other+"/approve", "/request/"+other+"/approve"
		}
		return false
	}))
	b := newBrowser(t)
	b.signIn(s)
	b.enrol(w, s.URL, "grace-approver", "grace", "approver")
	b.open(s.URL + "/request/" + shown)
	b.do(chromedp.WaitReady(chromedp.CSS(approveForm+`[data-ready="browser"]`)), chromedp.SendKeys(chromedp.CSS(approveForm+` textarea`), "looks good"),
		chromedp.Click(chromedp.CSS(approveForm+` .actions button`)), chromedp.WaitVisible(chromedp.CSS(".refused")))
	if got := b.text(".refused"); !strings.Contains(got, "first subject") || !strings.Contains(got, other) {
		t.Errorf("the page says %s", got)
	}
	b.sentNothing()
}

func (b *browser) sentNothing() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sent {
		if strings.Contains(s.url, "/submit/") {
			b.t.Errorf("an envelope was sent to %s: %s", s.url, s.body)
		}
	}
}

// A server that shows one request and gives out other bytes for it is found out too.
func TestRequestWithOtherBytes(t *testing.T) {
	w := newWorld(t)
	w.run(`rollproof release request-rollout-promotion ` + w.newestRollout() + ` --reason 'shown' --key ../trust/keys/requester.pem`)
	shown := strings.Fields(w.run(`rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3`))[0]
	s := w.serve(intercepted(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/record/"+shown+"/statement" {
			io.WriteString(w, `{"predicate": {"version": "v9.9.9", "plan": []}}`)
			return true
		}
		return false
	}))
	b := newBrowser(t)
	b.signIn(s)
	b.enrol(w, s.URL, "grace-approver", "grace", "approver")
	b.open(s.URL + "/request/" + shown)
	b.do(chromedp.WaitReady(chromedp.CSS(approveForm+`[data-ready="browser"]`)), chromedp.SendKeys(chromedp.CSS(approveForm+` textarea`), "looks good"),
		chromedp.Click(chromedp.CSS(approveForm+` .actions button`)), chromedp.WaitVisible(chromedp.CSS(".refused")))
	if got := b.text(".refused"); !strings.Contains(got, "this page is about sha256:"+shown) {
		t.Errorf("the page says %s", got)
	}
	b.sentNothing()
}

// A proxy gives the browser a script of its own, which shows one request and signs
// another. No page can stop that; the rules of the ring that it aims at do.
func TestScriptThatSignsSomethingElse(t *testing.T) {
	w := newWorld(t)
	w.run(`rollproof release request-rollout-promotion ` + w.newestRollout() + ` --reason 'shown' --key ../trust/keys/requester.pem`)
	shown := strings.Fields(w.run(`rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3`))[0]
	other := w.other()
	s := w.serve(intercepted(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/sign.js") {
			return false
		}
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, `(async () => {
			const [key] = await browserKeys.list();
			const answer = await fetch("/request/`+other+`/approve", {method: "POST", headers: {Accept: "application/json"}, body: new URLSearchParams({keyid: key.keyid, reason: "x", meaning: "approval"})});
			const draft = await answer.json();
			if (!answer.ok) { document.title = "refused: " + JSON.stringify(draft); return; }
			const payload = Uint8Array.from(atob(draft.payload), c => c.charCodeAt(0));
			const head = new TextEncoder().encode("DSSEv1 28 application/vnd.in-toto+json " + payload.length + " ");
			const bytes = new Uint8Array([...head, ...payload]);
			const sig = browserKeys.base64(new Uint8Array(await crypto.subtle.sign({name: "Ed25519"}, key.key, bytes)));
			const sent = await fetch("/submit/approval", {method: "POST", headers: {Accept: "application/json", "Content-Type": "application/json"}, body: JSON.stringify({mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", verificationMaterial: {publicKey: {hint: key.keyid}}, dsseEnvelope: {payload: draft.payload, payloadType: "application/vnd.in-toto+json", signatures: [{sig, keyid: key.keyid}]}})});
			document.title = (sent.ok ? "recorded: " : "refused: ") + JSON.stringify(await sent.json());
		})()`)
		return true
	}))
	b := newBrowser(t)
	b.signIn(s)
	b.enrol(w, s.URL, "grace-approver", "grace", "approver")
	b.open(s.URL + "/request/" + shown)
	got := b.eval(`new Promise(resolve => { const look = () => document.title.match(/^(refused|recorded): /) ? resolve(document.title) : setTimeout(look, 50); look(); })`)
	if !strings.HasPrefix(got, "refused") || !strings.Contains(got, "browser") {
		t.Errorf("an approval by a browser key in a ring that lets none count: %s", got)
	}
	if got := w.run("rollproof approval show " + other); !strings.Contains(got, "0 of 1") {
		t.Errorf("the other request: %s", got)
	}
}
