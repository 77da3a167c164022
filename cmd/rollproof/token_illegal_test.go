package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
)

// A token that its signer may sign and that does not count is kept, and shows as illegal
// wherever it came in.
func TestTokenThatDoesNotCountIsIllegal(t *testing.T) {
	s := shop{t: t, dir: t.TempDir()}
	t.Chdir(s.dir)
	s.run(0, "trust", "quickstart", "trust", "--person", "ada", "--person", "grace")
	root, err := os.ReadFile("trust/trust/1.trust.json")
	if err != nil {
		t.Fatal(err)
	}
	s.run(0, "trust", "import", "trust/trust", "--pin", evidence.DigestOf(root).String())
	good := s.token("--owner", "ada", "--scope", "read", "--scope", "ingest")
	s.run(3, "token", "create", "--owner", "eve", "--scope", "read", "--key", s.key("policy"))
	const why = "the trust root has no person eve"
	if out := s.run(0, "evidence", "search", "--json"); strings.Count(out, why) != 1 {
		t.Errorf("token create: %s", out)
	}
	s.run(0, "evidence", "verify", "--all")

	r := s.serve()
	var page evidence.SearchDocument
	r.tokens[access.Read] = good
	r.get("/api/v1/evidence", &page)
	envelope := r.get("/api/v1/evidence/"+page.Records[0].ID.Hex()+"/envelope", nil)
	if r.stop() != 0 {
		t.Error("the server did not end well")
	}
	for _, name := range []string{"evidence.db", "evidence.db-wal", "evidence.db-shm"} {
		if err := os.Remove(".rollproof/" + name); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	good = s.token("--owner", "ada", "--scope", "read", "--scope", "ingest")
	r = s.serve()
	if e := r.do("POST", "/api/v1/evidence", good, map[string]any{"envelope": envelope}); e.StatusCode != http.StatusOK && e.StatusCode != http.StatusCreated {
		t.Fatalf("%s\n%s", e.Status, e.body)
	}
	r.tokens[access.Read] = good
	if out := string(r.get("/api/v1/evidence", nil)); strings.Count(out, why) != 1 {
		t.Errorf("posted: %s", out)
	}
}
