package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
	"github.com/rollproof/rollproof/schemas"
	"golang.org/x/mod/sumdb/tlog"
)

// The questions of auditors and proofs of consistency are the same over the API, over
// --server, and where the store lies.
func testQueriesAndConsistency(t *testing.T, m stock) {
	r := m.open(t)
	defer r.stop()
	var list service.QuestionList
	if err := schemas.Validate(service.QuestionsSchema, r.get("/api/v1/queries", &list)); err != nil || len(list.Questions) != len(rollout.Questions) {
		t.Errorf("%d questions: %v", len(list.Questions), err)
	}
	if err := os.WriteFile("changes.txt", []byte("CHG-404\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ROLLPROOF_TOKEN", r.tokens[access.Read])
	at := regexp.MustCompile(`"at": "[^"]*"`)
	for _, q := range rollout.Questions {
		path, args := "/api/v1/queries/"+q.Name, []string{"evidence", "search", "--query", q.Name, "--project", "hello", "--json"}
		if q.Name == service.ChangesQuestion {
			path, args = path+"?change=CHG-404", append(args, "--changes", "changes.txt")
		}
		here := at.ReplaceAllString(r.run(0, args...), "")
		if api := at.ReplaceAllString(string(r.get(path, nil)), ""); api != here {
			t.Errorf("%s:\n%s\nwhere the store lies:\n%s", q.Name, api, here)
		}
		if remote := at.ReplaceAllString(r.run(0, append(args, "--server", r.url)...), ""); remote != here {
			t.Errorf("%s over --server:\n%s\nwhere the store lies:\n%s", q.Name, remote, here)
		}
	}
	for path, status := range map[string]int{
		"/api/v1/queries/everything":                    http.StatusNotFound,
		"/api/v1/queries/what-runs-where?project=other": http.StatusNotFound,
		"/api/v1/queries/what-runs-where?change=CHG-1":  http.StatusBadRequest,
		"/api/v1/queries/" + service.ChangesQuestion:    http.StatusBadRequest,
		"/api/v1/log/consistency?from=-1":               http.StatusBadRequest,
		"/api/v1/log/consistency?from=x":                http.StatusBadRequest,
		"/api/v1/log/consistency?from=100000":           http.StatusUnprocessableEntity,
	} {
		if e := r.do("GET", path, r.tokens[access.Read], nil); e.StatusCode != status {
			t.Errorf("%s: %s, expected %d\n%s", path, e.Status, status, e.body)
		}
	}
	r.consistent(t)
}

// consistent verifies the proof from an older tree with its tiles' hashes alone, and that
// it proves nothing about another tree.
func (r *running) consistent(t *testing.T) {
	t.Helper()
	var doc checkpoint.ProofDocument
	data := r.get("/api/v1/log/consistency?from=3", &doc)
	if here := r.run(0, "evidence", "log", "consistency", "3", "--json"); here != string(data) {
		t.Errorf("the API's proof:\n%s\nwhere the store lies:\n%s", data, here)
	}
	request, err := checkpoint.ParseRequest([]byte(doc.Proof))
	if err != nil || request.OldSize != 3 {
		t.Fatalf("size %d: %v", request.OldSize, err)
	}
	var leaf [3]translog.Hash
	tile := r.get(fmt.Sprintf("/api/v1/log/tile/0/000.p/%d", doc.Size), nil)
	for i := range leaf {
		copy(leaf[i][:], tile[i*tlog.HashSize:])
	}
	old := translog.Tree{Size: 3, Root: tlog.NodeHash(tlog.NodeHash(leaf[0], leaf[1]), leaf[2])}
	if err := translog.CheckConsistency(request.Proof, old, request.Checkpoint.Tree); err != nil {
		t.Errorf("the proof from size 3 to %d: %v", doc.Size, err)
	}
	old.Root = tlog.NodeHash(tlog.NodeHash(leaf[1], leaf[0]), leaf[2])
	if err := translog.CheckConsistency(request.Proof, old, request.Checkpoint.Tree); err == nil {
		t.Error("the proof holds for a tree whose records were exchanged")
	}
}
