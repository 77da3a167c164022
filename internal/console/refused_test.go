package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// What the server itself refuses is a page for people, and a problem for programs.
func TestRefusedPages(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	c := s.signedIn(t)
	for _, try := range []struct {
		method, path, host string
		headers            map[string]string
		status             int
		says               string
	}{
		{"GET", "/no/such/page", "", nil, http.StatusNotFound, "There is no such page"},
		{"GET", "/assets/000000000000/style.css", "", nil, http.StatusNotFound, "There is no such page"},
		{"DELETE", "/rings/hello", "", nil, http.StatusMethodNotAllowed, "This was refused"},
		{"GET", "/rings/hello", "evil.example.com", nil, http.StatusMisdirectedRequest, "This server has no such name"},
		{"POST", "/theme", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden, "This came from another site"},
	} {
		for _, accept := range []string{"text/html,*/*", "application/json"} {
			r, err := http.NewRequest(try.method, s.URL+try.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = try.host
			r.Header.Set("Accept", accept)
			for k, v := range try.headers {
				r.Header.Set(k, v)
			}
			answer, body := c.answered(r)
			isPage := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") && strings.Contains(body, "<h1>"+try.says) && strings.Contains(answer.Header.Get("Content-Security-Policy"), "script-src 'self'")
			isProblem := answer.Header.Get("Content-Type") == "application/problem+json" && strings.HasPrefix(strings.TrimSpace(body), "{")
			if answer.StatusCode != try.status || isPage != strings.HasPrefix(accept, "text/html") || isProblem == isPage {
				t.Errorf("%s %s for %s: %s %s", try.method, try.path, accept, answer.Status, answer.Header.Get("Content-Type"))
			}
			if try.status != http.StatusNotFound && strings.Contains(body, `class="who"`) {
				t.Errorf("%s %s names the visitor", try.method, try.path)
			}
		}
	}
	if answer, body := c.send("GET", "/api/v1/nothing", "", nil); answer.StatusCode != http.StatusNotFound || !strings.HasPrefix(body, "{") {
		t.Errorf("the API answers a browser with %s", answer.Header.Get("Content-Type"))
	}
	b := newBrowser(t)
	b.signIn(s)
	b.open(s.URL + "/no/such/page")
	b.accessible("a page that is not there")
}

// A credential's requests are counted, its files of the program are not: a page and
// what it loads are one request.
func TestRateAndAssets(t *testing.T) {
	w := newWorld(t)
	s := w.serveAt(0.001, nil) // one request, and the next one later than the test
	c := s.signedIn(t)
	answer, body := c.send("GET", "/evidence", "", nil)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the first page: %s", answer.Status)
	}
	addresses := regexp.MustCompile(`/assets/[^"]+`).FindAllString(body, -1)
	if len(addresses) < 3 {
		t.Fatalf("the page loads %v", addresses)
	}
	for _, address := range addresses {
		if answer, _ := c.send("GET", address, "", nil); answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", address, answer.Status)
		}
	}
	answer, body = c.send("GET", "/evidence", "", nil)
	if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" || !strings.Contains(body, "<h1>Too many requests") {
		t.Errorf("the second page: %s\n%s", answer.Status, body)
	}
}

// Whoever makes up a cookie is answered as his address is, not without end.
func TestInventedCookies(t *testing.T) {
	w := newWorld(t)
	s := w.serve(nil)
	c := s.client(t)
	for range 200 {
		if answer, _ := c.send("POST", "/login", "token=x", map[string]string{"Cookie": "rollproof=x"}); answer.StatusCode == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("200 attempts to sign in, and none was held back")
}
