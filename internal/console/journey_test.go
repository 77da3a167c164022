package console_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// A page is an address of the world's console.
type page struct{ name, path string }

// pages are one of each sort, of the world as it is.
func (w *world) pages() []page {
	act := func(kind string) string {
		return strings.TrimSpace(w.run(`rollproof evidence search --metadata-kind ` + kind + ` --jsonl | grep -o '"act":"sha256:[0-9a-f]*' | head -1 | cut -d: -f3`))
	}
	execution, release := act("rollout-promotion-execution"), act("release-package")
	return []page{
		{"rings", "/rings/hello"}, {"target", "/target/hello/production/hello-linux-amd64"}, {"rollouts", "/rollouts/hello"}, {"rollout", "/rollout/" + w.newestRollout()},
		{"requests", "/requests/hello"}, {"request", "/request/" + act("rollout-promotion-request")}, {"executions", "/executions/hello"}, {"execution", "/execution/" + execution},
		{"evidence", "/evidence"}, {"filtered", "/evidence?ring=pilot&metadata-kind=observation"}, {"record", "/record/" + execution}, {"package", "/record/" + release}, {"release", "/record/" + release + "/release"},
		{"question", "/question/what-runs-where"}, {"changes", "/question/changes-without-rollout?change=CHG-404"}, {"log", "/log"}, {"keys", "/keys"}, {"fault", "/record/00000000"},
	}
}

func (w *world) newestRollout() string {
	return strings.TrimSpace(w.run(`rollproof evidence search --jsonl --metadata-kind managed-endpoint-rollout | grep -o '"rollout":"[^"]*' | cut -d'"' -f4 | head -1`))
}

func TestEveryPage(t *testing.T) {
	w := newWorld(t)
	server := w.serve(nil)
	b := newBrowser(t)
	b.open(server.URL + "/")
	b.look("login")
	b.signIn(server)
	for _, p := range w.pages() {
		b.open(server.URL + p.path)
		if p.name == "fault" {
			b.forgive("404")
		}
		b.look(p.name)
	}
}

// enrol makes a key in the browser and lets a root owner put it into the trust root.
func (b *browser) enrol(w *world, server, label, person, role string) {
	b.t.Helper()
	b.open(server + "/keys")
	b.do(chromedp.WaitVisible(chromedp.CSS("#label")), chromedp.SendKeys(chromedp.CSS("#label"), label), chromedp.Click(chromedp.CSS("#make-key button")),
		chromedp.WaitVisible(chromedp.CSS("pre[data-public-key]")))
	line := b.eval(`[...document.querySelectorAll("pre[data-public-key]")].map(e => e.textContent).find(t => t.endsWith(" ` + label + `"))`)
	if err := os.WriteFile(filepath.Join(w.dir, label+".pub"), []byte(line+"\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	w.run(`rollproof trust edit ../trust/trust --person ` + person + ` --add-key ../` + label + `.pub --key-use browser --role ` + role + ` --projects '*' --environments '*' --rings '*'
		rollproof trust sign ../trust/trust --key ../trust/keys/root.pem && rollproof trust import ../trust/trust --pin "$(cat ../config/rollproof/pin)"`)
}

// sign fills in a form of a page, looks at what would be signed, and signs it.
func (b *browser) sign(form, reason string) {
	b.t.Helper()
	b.do(chromedp.WaitReady(chromedp.CSS(form+`[data-ready="browser"]`)), chromedp.SendKeys(chromedp.CSS(form+` textarea`), reason),
		chromedp.Click(chromedp.CSS(form+` .actions button`)), chromedp.WaitVisible(chromedp.CSS(`.sign-now`)))
}

const (
	askForm     = `form[data-sign="promotion-request"]`
	approveForm = `form[data-sign="approval"]`
)

// A release goes from staging to production on the program's own server: asked for and
// approved in three browsers, each with a key of its own that the policy lets count,
// executed from the command line of another machine; what the ring then runs is
// downloaded and verified.
func TestPromotionInBrowsers(t *testing.T) {
	w := newWorld(t)
	server, token := w.started(), w.newToken("--scope", "read", "--scope", "operate")
	ada, grace, verifier := newBrowser(t), newBrowser(t), newBrowser(t)
	for _, b := range []*browser{ada, grace, verifier} {
		b.signInAt(server, token)
	}
	ada.enrol(w, server, "ada-requester", "ada", "requester")
	ada.look("keys-made")
	grace.enrol(w, server, "grace-approver", "grace", "approver")
	verifier.enrol(w, server, "verifier-approver", "verifier", "approver")

	ada.open(server + "/rollout/" + w.newestRollout())
	ada.sign(askForm, "two weeks in staging without a ticket")
	ada.look("ask")
	ada.press(".sign-now")
	address := ada.eval("location.pathname")
	if !strings.HasPrefix(address, "/request/") {
		t.Fatalf("after asking the browser is at %s", address)
	}
	ada.look("request-open")
	for _, b := range []*browser{grace, verifier} {
		b.open(server + address)
		b.sign(approveForm, "read the evidence, and compared the digest")
		b.look("approve")
		b.press(".sign-now")
	}
	if got := verifier.text("main"); !strings.Contains(got, "2 of 2 persons") || !strings.Contains(got, "key of use browser") {
		t.Errorf("after two approvals the page says %s", got)
	}
	verifier.look("request-approved")
	verifier.open(server + "/rings/hello")
	verifier.look("rings-approved")
	verifier.window("console-rings", 740)
	verifier.open(server + address)
	verifier.window("console-request", 880)
	w.run("ROLLPROOF_TOKEN=" + token + " rollproof release execute-rollout-promotion " + strings.TrimPrefix(address, "/request/") + " --server " + server + " --key ../trust/keys/operator.pem")
	verifier.open(server + "/rings/hello")
	if got := verifier.text(".ring:nth-child(3)"); !strings.Contains(got, "v1.5.0") || strings.Contains(got, "v1.4.2") {
		t.Errorf("after the execution ring production shows %s", got)
	}
	verifier.look("rings-after")
	verifier.press(`.ring:nth-child(3) .release a`)
	if got := verifier.text("h1"); !strings.Contains(got, "v1.5.0") {
		t.Errorf("the ring's release leads to %s", got)
	}
	w.downloads(server+verifier.eval(`document.querySelector('.actions a[href$="/bundle"]').pathname`), token)
	for _, b := range []*browser{ada, grace, verifier} {
		b.quiet("the journey")
		b.keptItsKeys(server)
	}
}

// keptItsKeys looks through everything that the browser sent: a private key is
// nowhere in it, and can't be taken out by a script of the page either.
func (b *browser) keptItsKeys(server string) {
	b.t.Helper()
	b.mu.Lock()
	for _, s := range b.sent {
		for _, word := range []string{"PRIVATE KEY", `"d"`, "pkcs8", "OPENSSH"} {
			if strings.Contains(s.body+s.url, word) {
				b.t.Errorf("%s %s sends %s", s.method, s.url, word)
			}
		}
		if strings.Contains(s.url, "/submit/") && (!strings.Contains(s.body, `"dsseEnvelope"`) || !strings.HasPrefix(s.body, `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"`)) {
			b.t.Errorf("%s is sent something else than an envelope: %q", s.url, s.body)
		}
	}
	if len(b.sent) == 0 {
		b.t.Error("no request was seen")
	}
	b.mu.Unlock()
	b.open(server + "/keys")
	for _, format := range []string{"pkcs8", "jwk", "raw"} {
		got := b.eval(`browserKeys.list().then(l => crypto.subtle.exportKey("` + format + `", l[0].key)).then(() => "given out", e => e.name)`)
		if got == "given out" {
			b.t.Errorf("the browser gives its private key out as %s", format)
		}
	}
}

// window writes a picture for the README: what a light window of 1280 pixels shows.
func (b *browser) window(name string, height int64) {
	b.t.Helper()
	b.do(called(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}, {Name: "prefers-reduced-motion", Value: "reduce"}}}), chromedp.EmulateViewport(1280, height))
	b.shoot(name, false)
	b.do(chromedp.EmulateViewport(1280, 900))
}
