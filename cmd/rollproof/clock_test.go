package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/release"
)

// runAt runs the program with its clock set to an instant and a home of its own.
func runAt(t *testing.T, at time.Time, home string, args ...string) (stdout string, code int) {
	t.Helper()
	var out, stderr strings.Builder
	env := append(os.Environ(), "XDG_STATE_HOME="+home, "XDG_CONFIG_HOME="+home)
	p := newProgram(append([]string{"rollproof"}, args...), env, strings.NewReader(""), &out, &stderr)
	p.clock = func() time.Time { return at }
	code = p.run(context.Background())
	t.Logf("rollproof %s: exit code %d\n%s", strings.Join(args, " "), code, stderr.String())
	return out.String(), code
}

// Trust that has expired is not-checked, never a pass, unless it is allowed, and then
// the verdict says so. A key past its last day needs a proof of time.
func TestTimeRunsOut(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	dir, repo := t.TempDir(), helloRepository(t)
	at := func(days int, args ...string) (release.Verdict, int) {
		t.Helper()
		out, code := runAt(t, start.AddDate(0, 0, days), dir, args...)
		var v release.Verdict
		if strings.HasPrefix(out, "{") {
			if err := json.Unmarshal([]byte(out), &v); err != nil {
				t.Fatal(err)
			}
		}
		return v, code
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	must := func(days int, args ...string) {
		t.Helper()
		if _, code := at(days, args...); code != 0 {
			t.Fatalf("%v: exit code %d", args, code)
		}
	}
	must(0, "keys", "generate", path("root.pem"))
	must(0, "keys", "generate", path("releaser.pem"))
	must(0, "trust", "init", "--root-key", path("root.pub"), "--out", path("trust"), "--expires", "100d")
	must(0, "trust", "edit", path("trust"), "--person", "ada", "--name", "Ada", "--add-key", path("releaser.pub"), "--not-after", "50d", "--role", "releaser", "--projects", "hello")
	must(0, "trust", "sign", path("trust/1.trust.json"), "--key", path("root.pem"))
	must(1, "release", "package", "-C", repo, "--key", path("releaser.pem"), "--trust", path("trust"), "--target", "linux/amd64")
	digest, _ := runAt(t, start, dir, "trust", "show", path("trust"), "--json")
	_, rest, _ := strings.Cut(digest, `"pin": "`)
	pin, _, _ := strings.Cut(rest, `"`)
	verify := []string{"release", "verify-package", filepath.Join(repo, "dist", "hello-v1.4.2"), "--pin", pin, "--json"}

	for _, tc := range []struct {
		days  int
		flags []string
		code  int
		check string // that is not-checked
		weak  string // that the verdict lists
	}{
		{2, nil, 0, "", ""},
		{60, nil, 3, "closing-signature", ""},
		{60, []string{"--allow-unproved-time"}, 0, "", "--allow-unproved-time"},
		{120, []string{"--allow-unproved-time"}, 3, "trust", "--allow-unproved-time"},
		{120, []string{"--allow-unproved-time", "--allow-expired-trust"}, 0, "", "--allow-expired-trust"},
	} {
		v, code := at(tc.days, append(slices.Clone(verify), tc.flags...)...)
		if code != tc.code {
			t.Errorf("after %d days with %v: exit code %d, expected %d", tc.days, tc.flags, code, tc.code)
		}
		open := slices.ContainsFunc(v.Checks, func(c release.Check) bool { return c.ID == tc.check && c.Result == release.NotChecked })
		if tc.check != "" && !open {
			t.Errorf("after %d days with %v: %s is not among the checks that were not made", tc.days, tc.flags, tc.check)
		}
		if v.Failed != 0 {
			t.Errorf("after %d days with %v: %d checks failed, expected not-checked", tc.days, tc.flags, v.Failed)
		}
		listed := slices.ContainsFunc(v.Weakenings, func(w release.Weakening) bool { return w.Flag == tc.weak })
		if tc.weak != "" && !listed {
			t.Errorf("after %d days: the verdict does not list %s", tc.days, tc.weak)
		}
	}
	if _, code := at(60, "release", "package", "-C", repo, "--key", path("releaser.pem"), "--trust", path("trust"), "--replace"); code != 4 {
		t.Errorf("packaging with a key past its last day: exit code %d, expected 4", code)
	}
}

// A machine's clock that was set back or forward executes nothing.
func TestPromotionClocks(t *testing.T) {
	s := shop{t: t, dir: t.TempDir()}
	s.clock = func() time.Time { // keys and package are older than the store
		if _, err := os.Stat(filepath.Join(s.dir, ".rollproof")); err != nil {
			return time.Now().Add(-48 * time.Hour)
		}
		return time.Now()
	}
	request := s.approved()
	execute := []string{"release", "execute-rollout-promotion", request, "--key", s.key("operator")}
	for _, c := range []struct {
		shift time.Duration
		code  int
		words string
	}{
		{-24 * time.Hour, 4, "the clock is behind the newest record"},
		{6 * 24 * time.Hour, 4, "lets it be 24h old"},
		{8 * 24 * time.Hour, 5, "expired"},
		{400 * 24 * time.Hour, 3, "expired"},
	} {
		s.clock = func() time.Time { return time.Now().Add(c.shift) }
		if out := s.run(c.code, execute...); !strings.Contains(out, c.words) {
			t.Errorf("with the clock at %s: got\n%s\nexpected %q", c.shift, out, c.words)
		}
	}
	s.clock = nil
	s.run(0, execute...)
}
