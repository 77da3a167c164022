package console

import (
	"html/template"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// FuzzLocalPath: where a browser goes from any text is a page of the same console.
func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/evidence?ring=pilot", "//evil.example.com", "/\\evil", "https://evil.example.com", "/%2f/evil", "", "/a//b", "/..//evil.example.com", "/\x00", "/%5c"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://console.example.com/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		path := localPath(next)
		to, err := base.Parse(path)
		if err != nil {
			t.Fatalf("%q gives %q: %v", next, path, err)
		}
		// Browsers read a backslash as a slash, and leave out tabs and line breaks.
		if to.Host != base.Host || to.Scheme != "https" || strings.HasPrefix(to.Path, "//") || strings.ContainsAny(path, "\\\t\r\n") || !strings.HasPrefix(path, "/") {
			t.Errorf("%q leads to %s", next, to)
		}
	})
}

// FuzzReadQuery: an address is a query or a *QueryError, and a query that is read can
// be asked again by the command that the page shows.
func FuzzReadQuery(f *testing.F) {
	f.Add("ring=pilot&q=a+b&since=7d&limit=10")
	f.Add("metadata-kind=policy&metadata-kind=hold&illegal=1&order=oldest")
	f.Add("q=%27%3B+rm+-rf+%2F&person=%60id%60")
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		_, err = readQuery(values, now)
		if _, ok := err.(*evidence.QueryError); err != nil && !ok {
			t.Fatalf("%v is a %T", err, err)
		}
		command := searchCommand(values, "")
		outside := ""
		for i, part := range strings.Split(strings.ReplaceAll(command, `'\''`, ""), "'") {
			if i%2 == 0 {
				outside += part
			}
		}
		if strings.ContainsAny(outside, "`$;&|<>()\\\"!*?[]{}~#\n\r\t") {
			t.Errorf("a shell would read more than words in %s", command)
		}
	})
}

var (
	action  = regexp.MustCompile(`\{\{[^}]*\}\}`)
	control = regexp.MustCompile(`^\{\{(if|else|end|range|with|template|define|block|\$[a-z]+ :?=)\b`)
)

// Every action of every page that prints ends with the printable rule, and no value
// that html/template would not escape passes it.
func TestEveryActionIsPrintable(t *testing.T) {
	pages, err := loadTemplates(map[string]any{"asset": func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	printed := 0
	for name, page := range pages {
		for _, each := range page.Templates() {
			if each.Tree == nil {
				continue
			}
			for _, a := range action.FindAllString(each.Tree.Root.String(), -1) {
				if control.MatchString(a) || strings.Contains(a, ":=") {
					continue
				}
				printed++
				if !strings.HasSuffix(a, "| printable}}") {
					t.Errorf("%s: %s prints %s", name, each.Name(), a)
				}
			}
		}
	}
	if printed < 100 {
		t.Errorf("only %d actions were looked at", printed)
	}
	for _, v := range []any{template.HTML("<b>"), template.JS("x"), template.URL("x"), template.CSS("x"), []string{"x"}} {
		if got, err := printable(v); err == nil {
			t.Errorf("a %T is printed as %v", v, got)
		}
	}
}

func TestLists(t *testing.T) {
	if got := quote("it's"); got != `'it'\''s'` {
		t.Errorf("quote gives %s", got)
	}
	if got := quote("a\u202eb"); got != "TEXT" {
		t.Errorf("a text with hidden marks becomes %s on a command line", got)
	}
	if got := cell("=1+1"); got != "'=1+1" {
		t.Errorf("a formula becomes %s", got)
	}
	if got := fileName("../../a b\r\n\"x.json"); got != "_.._a_b___x.json" {
		t.Errorf("a file is called %s", got)
	}
}
