package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
	"github.com/rollproof/rollproof/schemas"
)

// The page Evidence leads to each question, and the answer is that of the command, as a
// table, as CSV and as JSON.
func TestQuestions(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	c := s.signedIn(t)
	_, page := c.send("GET", "/evidence", "", nil)
	for _, q := range rollout.Questions {
		address, query := "/question/"+q.Name, ""
		if !strings.Contains(page, `href="`+address+`"`) {
			t.Errorf("the page Evidence does not lead to %s", address)
		}
		command := "rollproof evidence search --project hello --query " + q.Name
		if q.Name == service.ChangesQuestion {
			if answer, body := c.send("GET", address, "", nil); answer.StatusCode != http.StatusOK || strings.Contains(body, "Findings") {
				t.Errorf("%s without a list: %s", q.Name, answer.Status)
			}
			query = "?change=" + url.QueryEscape("CHG-118\r\n# a comment\r\nCHG-404\r\n")
			command = `printf 'CHG-118\nCHG-404\n' > changes.txt && ` + command + " --changes changes.txt"
		}
		var want, got rollout.Answer
		if err := json.Unmarshal([]byte(w.run(command+" --json")), &want); err != nil {
			t.Fatal(err)
		}
		_, data := c.send("GET", address+"/json"+query, "", nil)
		if err := schemas.Validate(rollout.AuditSchema, []byte(data)); err != nil {
			t.Errorf("%s: %v", q.Name, err)
		}
		if err := json.Unmarshal([]byte(data), &got); err != nil || len(got.Findings) != len(want.Findings) {
			t.Errorf("%s: %d findings, expected %d: %v", q.Name, len(got.Findings), len(want.Findings), err)
		}
		if _, table := c.send("GET", address+"/csv"+query, "", nil); table != w.run(command+" --csv") {
			t.Errorf("%s as CSV: %s", q.Name, table)
		}
		answer, body := c.send("GET", address+query, "", nil)
		if answer.StatusCode != http.StatusOK || strings.Count(body, `<tr><th scope="row">`) != len(want.Findings) {
			t.Errorf("%s: %s, %d lines, expected %d", q.Name, answer.Status, strings.Count(body, `<tr><th scope="row">`), len(want.Findings))
		}
		for _, f := range want.Findings {
			if f.Version != "" && !strings.Contains(body, f.Version) {
				t.Errorf("%s: the page has no %s", q.Name, f.Version)
			}
		}
	}
	for path, status := range map[string]int{
		"/question/everything":                                               http.StatusNotFound,
		"/question/what-runs-where?project=other":                            http.StatusNotFound,
		"/question/what-runs-where?change=CHG-1":                             http.StatusBadRequest,
		"/question/changes-without-rollout?change":                           http.StatusOK,
		"/question/changes-without-rollout?change=" + strings.Repeat("x", 9): http.StatusOK,
		"/question/changes-without-rollout?change=" + manyLines(201):         http.StatusBadRequest,
	} {
		if answer, _ := c.send("GET", path, "", nil); answer.StatusCode != status {
			t.Errorf("%s: %s, expected %d", path[:min(len(path), 60)], answer.Status, status)
		}
	}
	other := &site{Server: s.Server, token: w.token(s.service, []access.Scope{access.Read}, "elsewhere")}
	if answer, body := other.signedIn(t).send("GET", "/question/what-runs-where?project=hello", "", nil); answer.StatusCode != http.StatusForbidden || strings.Contains(body, "v1.4.2") {
		t.Errorf("a token of another project: %s", answer.Status)
	}
}

func manyLines(n int) string {
	var lines strings.Builder
	for i := range n {
		lines.WriteString("CHG-" + strings.Repeat("1", i%50+1) + string(rune('a'+i/50)) + "%0A")
	}
	return lines.String()
}

// The proof of the page Log is the one of the command.
func TestConsistencyFile(t *testing.T) {
	w := newWorld(t)
	c := w.serve(nil).signedIn(t)
	if _, page := c.send("GET", "/log", "", nil); !strings.Contains(page, `action="/log/consistency"`) {
		t.Error("the page Log has no form for a proof")
	}
	answer, body := c.send("GET", "/log/consistency?from=5", "", nil)
	if answer.StatusCode != http.StatusOK || body != w.run("rollproof evidence log consistency 5") {
		t.Errorf("the proof from size 5: %s\n%s", answer.Status, body)
	}
	if request, err := checkpoint.ParseRequest([]byte(body)); err != nil || request.OldSize != 5 || len(request.Proof) == 0 {
		t.Errorf("what came is no proof: %v", err)
	}
	for from, status := range map[string]int{"": http.StatusBadRequest, "x": http.StatusBadRequest, "-1": http.StatusBadRequest, "99999999999999999999": http.StatusBadRequest, "100000": http.StatusUnprocessableEntity} {
		if answer, _ := c.send("GET", "/log/consistency?from="+from, "", nil); answer.StatusCode != status {
			t.Errorf("from %q: %s, expected %d", from, answer.Status, status)
		}
	}
}
