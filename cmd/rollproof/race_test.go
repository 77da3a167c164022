package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// A shop is a directory with a repository, a trust root and a store, in which
// commands run in this process.
type shop struct {
	t     *testing.T
	dir   string
	clock func() time.Time // nil for this machine's
}

// run runs a command and wants its exit code.
func (s shop) run(want int, args ...string) string {
	s.t.Helper()
	code, out := s.try(args...)
	if code != want {
		s.t.Fatalf("rollproof %s: exit code %d, expected %d\n%s", strings.Join(args, " "), code, want, out)
	}
	return out
}

func (s shop) try(args ...string) (int, string) {
	var out bytes.Buffer
	p := newProgram(append([]string{"rollproof"}, args...), s.environ(), strings.NewReader(""), &out, &out)
	if s.clock != nil {
		p.clock = s.clock
	}
	return p.run(s.t.Context()), out.String()
}

func (s shop) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s shop) key(role string) string { return filepath.Join(s.dir, "trust", "keys", role+".pem") }

// approved makes a store with a request that two persons have approved, and returns
// the request.
func (s shop) approved() string {
	t := s.t
	t.Chdir(s.dir)
	s.write("go.mod", "module example.com/hello\n\ngo 1.26\n")
	s.write("main.go", "package main\n\nfunc main() { println(\"hello\") }\n")
	s.write("rollproof.yaml", "name: hello\npolicy:\n  breakglass: [observer]\n  rings:\n    - name: pilot\n      soak: 0h\n    - name: production\n      quorum: 2\n")
	s.write(".gitignore", "*\n!go.mod\n!main.go\n!rollproof.yaml\n!.gitignore\n")
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-qm", "all"}, {"tag", "v1.0.0"}} {
		cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	s.run(0, "trust", "quickstart", "trust", "--person", "ada", "--person", "grace", "--person", "observer", "--person", "operator", "--person", "verifier")
	root, err := os.ReadFile("trust/trust/1.trust.json")
	if err != nil {
		t.Fatal(err)
	}
	s.run(0, "trust", "import", "trust/trust", "--pin", evidence.DigestOf(root).String())
	s.run(0, "evidence", "log", "init", "--name", "example.com/evidence", "--key", s.key("log"))
	s.run(0, "release", "package", "--key", s.key("releaser"), "--trust", "trust/trust", "--target", "linux/amd64")
	s.run(0, "policy", "sign", "--key", s.key("policy"))
	s.write("hosts.csv", "id,target\nhost-001.example.com,hello-linux-amd64\n")
	s.run(0, "release", "population", "--ring", "pilot", "--from", "hosts.csv", "--key", s.key("policy"))
	s.run(0, "release", "capture-rollout", "dist/hello-v1.0.0", "--change-record", "CHG-1", "--key", s.key("operator"))
	list, err := os.ReadDir(".rollproof/rollout")
	if err != nil {
		t.Fatal(err)
	}
	id := list[0].Name()
	s.run(0, "release", "verify-rollout", filepath.Join(".rollproof", "rollout", id))
	binary, err := os.ReadFile("dist/hello-v1.0.0/bin/hello_v1.0.0_linux_amd64")
	if err != nil {
		t.Fatal(err)
	}
	s.write("seen.csv", fmt.Sprintf("id,target,sha256,seen_at\nhost-001.example.com,hello-linux-amd64,%s,%s\n", evidence.SHA256(binary), time.Now().UTC().Format(time.RFC3339)))
	s.run(0, "release", "observe", id, "--from", "seen.csv", "--key", s.key("observer"))
	s.run(0, "release", "update-rollout", id, "--status", "succeeded", "--key", s.key("operator"))
	out := s.run(0, "release", "request-rollout-promotion", id, "--reason", "test", "--key", s.key("requester"))
	request := regexp.MustCompile(`request (CHG\S+)`).FindStringSubmatch(out)[1]
	s.run(0, "approval", "approve", request, "--reason", "ok", "--key", s.key("approver-grace"))
	s.run(0, "approval", "approve", request, "--reason", "ok", "--key", s.key("approver-verifier"))
	return request
}

// TestOneOfTwoExecutionsWins races two executions of one request, on a fresh copy of
// the store each time. ROLLPROOF_RACES says how often.
func TestOneOfTwoExecutionsWins(t *testing.T) {
	races := 5
	if n, err := strconv.Atoi(os.Getenv("ROLLPROOF_RACES")); err == nil {
		races = n
	}
	s := shop{t: t, dir: t.TempDir()}
	request := s.approved()
	for i := range races {
		copied := filepath.Join(s.dir, fmt.Sprintf("race-%d", i))
		if err := os.CopyFS(copied, os.DirFS(".rollproof")); err != nil {
			t.Fatal(err)
		}
		codes := make([]int, 2)
		texts := make([]string, 2)
		var both sync.WaitGroup
		for n := range codes {
			both.Go(func() {
				codes[n], texts[n] = s.try("release", "execute-rollout-promotion", request, "--sqlite", filepath.Join(copied, "evidence.db"), "--out", filepath.Join(copied, fmt.Sprint(n)), "--key", s.key("operator"))
			})
		}
		both.Wait()
		if codes[0]+codes[1] != 6 || codes[0]*codes[1] != 0 {
			t.Fatalf("race %d: exit codes %v, expected one 0 and one 6\n%s\n%s", i, codes, texts[0], texts[1])
		}
		out := s.run(0, "evidence", "search", "--metadata-kind", "rollout-promotion-execution", "--jsonl", "--sqlite", filepath.Join(copied, "evidence.db"))
		if n := strings.Count(out, "\n"); n != 1 {
			t.Fatalf("race %d: %d executions are recorded", i, n)
		}
		s.run(0, "evidence", "verify", "--all", "--sqlite", filepath.Join(copied, "evidence.db"))
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
	}
}
