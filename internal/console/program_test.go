package console_test

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// started runs the program's own server on the world's store and returns its address.
func (w *world) started() string {
	w.t.Helper()
	told := w.running(nil, "--listen", "127.0.0.1:0")
	for line := range told {
		if address, ok := strings.CutPrefix(line, "listening on "); ok {
			return address
		}
	}
	w.t.Fatal("the server ended")
	return ""
}

// running runs rollproof serve until the test ends, and returns what it tells.
func (w *world) running(env []string, args ...string) <-chan string {
	w.t.Helper()
	c := exec.Command(filepath.Join(w.dir, "bin", "rollproof"), append([]string{"serve"}, args...)...)
	c.Dir, c.Env = filepath.Join(w.dir, "store"), append(environment(w.dir), env...)
	errs, err := c.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = c.Process.Kill() // its store is thrown away
		_ = c.Wait()
	})
	told := make(chan string, 1000)
	go func() {
		defer close(told)
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			select {
			case told <- lines.Text():
			default: // nobody listens, and the pipe must not fill up
			}
		}
	}()
	return told
}

// The whole program: sign in with a token of the command line, search, open a record,
// follow it to its release and rollout, download the package, and verify it.
func TestWholeProgram(t *testing.T) {
	w := newWorld(t)
	address := w.started()
	token := w.newToken("--scope", "read")
	b := newBrowser(t)
	b.signInAt(address, token)
	if got := b.text("h1"); got != "Rings of hello" {
		t.Fatalf("after signing in: %s", got)
	}
	b.press(`.nav a[href="/evidence"]`)
	b.do(typed("#q", "v1.5.0"), ticked(`input[value="release-package"]`))
	b.press(`form[role="search"] .searchbar button`)
	b.press(`table.records tbody a`)
	if got := b.text("h1"); !strings.Contains(got, "release-package") {
		t.Fatalf("the record: %s", got)
	}
	b.press(`.head .actions a[href$="/release"]`)
	b.look("program-release")
	if got := b.text("main"); !strings.Contains(got, "golang.org/x/mod") || !strings.Contains(got, "BSD-3-Clause") || !strings.Contains(got, "What changed since v1.4.2") {
		t.Errorf("the release: %s", got)
	}
	bundle := b.eval(`document.querySelector('.actions a[href$="/bundle"]').pathname`)
	b.open(address + "/rollout/" + w.newestRollout())
	if got := b.text("main"); !strings.Contains(got, "40 match") {
		t.Errorf("the rollout: %s", got)
	}
	b.quiet("the whole program")
	w.downloads(address+bundle, token)
	if out, err := w.try(`printf x >> ../package.zip && rollproof release verify-package ../package.zip`); err == nil {
		t.Errorf("a changed download verifies: %s", out)
	}
}

// newToken makes a token of Ada's with the command line.
func (w *world) newToken(scopes ...string) string {
	w.t.Helper()
	return strings.TrimSpace(w.run("rollproof token create --owner ada " + strings.Join(scopes, " ") + " --key ../trust/keys/policy.pem 2> /dev/null | grep -o 'rpt_[a-z2-7]*_[a-z2-7]*'"))
}

// downloads takes a package from a server and verifies it.
func (w *world) downloads(address, token string) {
	w.t.Helper()
	w.run(`curl -sSf -H 'Authorization: Bearer ` + token + `' -o ../package.zip ` + address + ` && rollproof release verify-package ../package.zip`)
}
