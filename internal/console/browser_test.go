package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take for one step. Nothing is measured by it.
const patience = 60 * time.Second

// A browser is a real Chromium with a profile of its own, and what it complained of
// and sent so far.
type browser struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	sent       []sent
}

// A sent is one request that the browser made.
type sent struct{ method, url, headers, body string }

// chromium finds the browser, or skips the test without one.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("ROLLPROOF_REQUIRE_TOOLS") == "1" {
		t.Fatal("there is no chromium in PATH")
	}
	t.Skip("there is no chromium in PATH")
	return ""
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("lang", "en-US"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		end()
		stop()
	})
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	limit := int64(1 << 20)
	b.do(called(network.Enable, network.EnableParams{MaxPostDataSize: &limit}), called(log.Enable, cdp.Empty{}), called(audits.Enable, cdp.Empty{}))
	return b
}

// called is a command of the protocol as a step.
func called[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, command, params)
		return err
	})
}

// listen keeps what the console, the security policy and the network report.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.complain("console: %s", values(e.Args))
		}
	case *runtime.EventExceptionThrown:
		b.complain("exception: %s", e.ExceptionDetails.Text+" "+described(e.ExceptionDetails.Exception))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complain("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if e.Issue.Code == audits.InspectorIssueCodeContentSecurityPolicyIssue {
			b.complain("security policy: %s %s", e.Issue.Details.ContentSecurityPolicyIssueDetails.ViolatedDirective, e.Issue.Details.ContentSecurityPolicyIssueDetails.BlockedURL)
		}
	case *network.EventRequestWillBeSent:
		headers, _ := json.Marshal(e.Request.Headers)
		s := sent{method: e.Request.Method, url: e.Request.URL, headers: string(headers)}
		for _, part := range e.Request.PostDataEntries {
			s.body += string(part.Bytes)
		}
		b.sent = append(b.sent, s)
	}
}

func values(args []*runtime.RemoteObject) string {
	var words []string
	for _, a := range args {
		words = append(words, described(a))
	}
	return strings.Join(words, " ")
}

func described(o *runtime.RemoteObject) string {
	if o == nil {
		return ""
	}
	return string(o.Value) + o.Description
}

func (b *browser) complain(format string, args ...any) {
	b.complaints = append(b.complaints, fmt.Sprintf(format, args...))
}

// do runs steps in the browser.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		page, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		b.t.Fatalf("%v\nthe page says: %s\ncomplaints: %s", err, page, strings.Join(b.complaints, "\n"))
	}
}

// got runs one step that returns a value.
func got[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%v\ncomplaints: %s", err, strings.Join(b.complaints, "\n"))
	}
	return value
}

// text is what an element of the page says.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return got(b, chromedp.Text(chromedp.CSS(selector)))
}

// eval evaluates an expression in the page.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	return got(b, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
}

// quiet fails the test where the browser complained since the last time.
func (b *browser) quiet(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		b.t.Errorf("%s: %s", where, c)
	}
	b.complaints = nil
}

// axe is the text of axe-core, "" where the machine has none.
var axe = sync.OnceValues(func() (string, error) {
	file := os.Getenv("ROLLPROOF_AXE")
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	return string(data), err
})

// accessible runs axe-core on the page, in light and in dark, as wide as it is.
func (b *browser) accessible(where string) {
	b.t.Helper()
	source, err := axe()
	if err != nil {
		b.t.Fatal(err)
	}
	if source == "" {
		if os.Getenv("ROLLPROOF_REQUIRE_TOOLS") == "1" {
			b.t.Fatal("ROLLPROOF_AXE names no axe.min.js")
		}
		return
	}
	found := b.eval(source + `; axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.target + " " + n.failureSummary).join("; "))))`)
	var list []string
	if err := json.Unmarshal([]byte(found), &list); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range list {
		b.t.Errorf("%s: %s", where, v)
	}
}

// look checks the page that is open as a reader would: quiet, accessible, not wider
// than the window, one h1; at 1280 and 390 pixels, light and dark. Screenshots are
// written where ROLLPROOF_SCREENSHOTS says.
func (b *browser) look(name string) {
	b.t.Helper()
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			where := fmt.Sprintf("%s-%d-%s", name, width, scheme)
			b.do(called(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}),
				chromedp.EmulateViewport(width, 900))
			if n := b.eval(`String(document.querySelectorAll("h1").length)`); n != "1" {
				b.t.Errorf("%s: %s h1, expected 1", where, n)
			}
			if wide := b.eval(`document.documentElement.scrollWidth > innerWidth ? [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll, pre, .nav")).slice(0, 3).map(e => e.outerHTML.slice(0, 80)).join() + " " + document.documentElement.scrollWidth : ""`); wide != "" {
				b.t.Errorf("%s: the page is wider than the window: %s", where, wide)
			}
			b.accessible(where)
			b.shoot(where, true)
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900), called(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}))
	b.quiet(name)
}

// shoot writes a picture of the page, or of what the window shows of it.
func (b *browser) shoot(name string, whole bool) {
	b.t.Helper()
	dir := os.Getenv("ROLLPROOF_SCREENSHOTS")
	if dir == "" {
		return
	}
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), got(b, take), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// press presses the first button that a selector finds and waits for another page.
func (b *browser) press(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("%s: %v: %s", selector, err, strings.Join(b.complaints, "\n"))
	}
}

// open goes to an address.
func (b *browser) open(address string) { b.t.Helper(); b.do(chromedp.Navigate(address)) }

// signIn signs in with the token.
func (b *browser) signIn(s *site) { b.t.Helper(); b.signInAt(s.URL, s.token) }

func (b *browser) signInAt(address, token string) {
	b.t.Helper()
	b.open(address + "/")
	b.do(typed("#token", token))
	b.press("main form button")
}

// typed and ticked fill in a form.
func typed(field, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(field), text)
}

func ticked(box string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.Click(chromedp.CSS("details summary")), chromedp.Click(chromedp.CSS(box)))
}

// forgive takes back complaints that a step was meant to cause.
func (b *browser) forgive(about string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = slices.DeleteFunc(b.complaints, func(c string) bool { return strings.Contains(c, about) })
}
