package console_test

import (
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	nextPage  = regexp.MustCompile(`<a href="([^"]*)" rel="next">`)
	nextLink  = regexp.MustCompile(`<([^>]*)>; rel="next"`)
	recordRow = regexp.MustCompile(`<t[hd][^>]*><a href="/record/([0-9a-f]{64})"`)
)

// Leafing through a search meets each of its records once, in the order of the command,
// with its filters kept, as pages and as CSV.
func TestLeafing(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	c := s.signedIn(t)
	const filter = "metadata-kind=rollout-status&metadata-kind=managed-endpoint-rollout&order=oldest&limit=3"
	want := strings.Fields(w.run(`rollproof evidence search --metadata-kind rollout-status --metadata-kind managed-endpoint-rollout --order oldest --limit 1000 --jsonl | grep -o '"id":"sha256:[0-9a-f]*' | cut -d: -f3`))
	if len(want) < 4 {
		t.Fatalf("only %d records", len(want))
	}
	var got []string
	at, pages := "/evidence?"+filter, 0
	for ; at != "" && pages < len(want); pages++ {
		answer, body := c.send("GET", at, "", nil)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", at, answer.Status)
		}
		if pages > 0 && !strings.Contains(body, ">First page</a>") {
			t.Errorf("%s leads to no first page", at)
		}
		for _, m := range recordRow.FindAllStringSubmatch(body, -1) {
			got = append(got, m[1])
		}
		at = ""
		if m := nextPage.FindStringSubmatch(body); m != nil {
			at = html.UnescapeString(m[1])
		}
	}
	if !slices.Equal(got, want) || pages < 2 {
		t.Errorf("%d pages with %d records, expected %d:\n%v\n%v", pages, len(got), len(want), got, want)
	}
	rows := 0
	for at := "/evidence.csv?" + filter; at != ""; {
		answer, body := c.send("GET", at, "", nil)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", at, answer.Status)
		}
		rows += strings.Count(body, "\n") - 1 // but the header
		at = ""
		if m := nextLink.FindStringSubmatch(answer.Header.Get("Link")); m != nil {
			at = m[1]
		}
	}
	if rows != len(want) {
		t.Errorf("%d rows as CSV, expected %d", rows, len(want))
	}
}
