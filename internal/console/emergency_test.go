package console_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

const closeForm = `form[data-sign="closing"]`

// emergency breaks the glass of ring production and returns the act.
func (w *world) emergency() string {
	w.t.Helper()
	request := w.asked("the other release burns")
	w.run(`rollproof release execute-rollout-promotion ` + request + ` --break-glass INC-7 --key ../trust/keys/breakglass.pem`)
	return strings.TrimSpace(w.run(`rollproof evidence search --metadata-kind rollout-promotion-execution --limit 1 --jsonl 2> /dev/null | grep -o '"act":"sha256:[0-9a-f]*' | cut -d: -f3`))
}

// An emergency is closed by two persons, each in a browser. A draft about something else
// is refused by the script before that.
func TestEmergencyClosedInBrowsers(t *testing.T) {
	w := newWorld(t)
	execution := w.emergency()
	other := w.other()
	var lying atomic.Bool
	s := w.serve(intercepted(func(_ http.ResponseWriter, r *http.Request) bool {
		if lying.Load() && r.Method == http.MethodPost && r.URL.Path == "/execution/"+execution+"/close" {
			r.URL.Path, r.RequestURI = "/request/"+other+"/approve", "/request/"+other+"/approve"
		}
		return false
	}))
	grace, verifier := newBrowser(t), newBrowser(t)
	for _, b := range []*browser{grace, verifier} {
		b.signIn(s)
	}
	grace.enrol(w, s.URL, "grace-approver", "grace", "approver")
	verifier.enrol(w, s.URL, "verifier-approver", "verifier", "approver")

	lying.Store(true)
	grace.open(s.URL + "/execution/" + execution)
	grace.do(chromedp.WaitReady(chromedp.CSS(closeForm+`[data-ready="browser"]`)), chromedp.SendKeys(chromedp.CSS(closeForm+` textarea`), "looked"),
		chromedp.Click(chromedp.CSS(closeForm+` .actions button`)), chromedp.WaitVisible(chromedp.CSS(".refused")))
	if got := grace.text(".refused"); !strings.Contains(got, "first subject") || !strings.Contains(got, other) {
		t.Errorf("the page says %s", got)
	}
	grace.sentNothing()
	lying.Store(false)

	for _, b := range []*browser{grace, verifier} {
		b.open(s.URL + "/execution/" + execution)
		if got := b.text("main"); !strings.Contains(got, "Close the emergency") {
			t.Fatalf("the page of an emergency: %s", got)
		}
		b.sign(closeForm, "looked, and it was right")
		if got := b.text(".confirm"); !strings.Contains(got, "broke the glass, incident INC-7") {
			t.Errorf("what is signed: %s", got)
		}
		b.look("emergency")
		b.press(".sign-now")
		if at := b.eval("location.pathname"); at != "/execution/"+execution {
			t.Errorf("after signing the browser is at %s", at)
		}
	}
	if got := verifier.text("main"); strings.Contains(got, "Close the emergency") {
		t.Errorf("a quorum has closed it, and the page says %s", got)
	}
	if got := w.run("rollproof release rings"); strings.Contains(got, "GLASS BROKEN") {
		t.Errorf("the rings: %s", got)
	}
	for _, b := range []*browser{grace, verifier} {
		b.quiet("an emergency")
		b.keptItsKeys(s.URL)
	}
}

// Without script the same form gives out the draft, and a console of one's own shows an
// emergency only as its signer has told it.
func TestEmergencyInALocalConsole(t *testing.T) {
	w := newWorld(t)
	execution := w.emergency()
	address := w.started()
	keyid := strings.Fields(w.run(`rollproof keys inspect ../trust/keys/approver-verifier.pub | grep -o 'SHA256:[^ ]*'`))[0]
	visitor := w.console(t, address).open()
	if answer, body := visitor.send("GET", "/execution/"+execution, "", nil); answer.StatusCode != http.StatusOK || !strings.Contains(body, "Close the emergency") || !strings.Contains(body, "INC-7") {
		t.Errorf("the page: %s", answer.Status)
	}
	draft := url.Values{"keyid": {keyid}, "reason": {"read it"}, "meaning": {"review"}}.Encode()
	if answer, body := visitor.send("POST", "/execution/"+execution+"/close", draft, nil); answer.StatusCode != http.StatusOK || !strings.Contains(body, execution) || !strings.Contains(body, "read it") || !strings.Contains(body, "/submit/closing") {
		t.Errorf("the draft: %s", answer.Status)
	}

	real, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for name, lie := range map[string][2]string{"the incident": {"INC-7", "INC-8"}, "the version": {`"version": "v1.5.0"`, `"version": "v1.5.1"`}, "the glass": {`"breakglass": true`, `"breakglass": false`}} {
		liar := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(real) },
			ModifyResponse: func(r *http.Response) error {
				if r.Request.URL.Path != "/api/v1/promotion-executions/"+execution {
					return nil
				}
				data, err := io.ReadAll(r.Body)
				changed := bytes.ReplaceAll(data, []byte(lie[0]), []byte(lie[1]))
				if bytes.Equal(changed, data) {
					t.Errorf("%s: nothing is changed in %s", name, data)
				}
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
				r.Header.Del("Content-Length")
				return err
			},
		})
		t.Cleanup(liar.Close)
		if answer, _ := w.console(t, liar.URL).open().send("GET", "/execution/"+execution, "", nil); answer.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s changed: %s", name, answer.Status)
		}
	}
}
