package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"
	"text/template/parse"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

//go:embed templates
var templateFiles embed.FS

// templates are the pages, by the names of their files without ".html".
type templates map[string]*template.Template

// loadTemplates parses every page on top of frame.html and parts.html.
func loadTemplates(funcs template.FuncMap) (templates, error) {
	base, err := template.New("frame.html").Funcs(pageFuncs).Funcs(funcs).ParseFS(templateFiles, "templates/frame.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := templates{}
	for _, name := range names {
		page, _ := strings.CutSuffix(path.Base(name), ".html")
		if page == "frame" || page == "parts" {
			continue
		}
		t, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(templateFiles, name); err != nil {
			return nil, err
		}
		for _, each := range t.Templates() {
			if each.Tree != nil {
				printAll(each.Tree.Root)
			}
		}
		pages[page] = t
	}
	return pages, nil
}

// printAll ends the pipeline of every action that prints something with the function
// printable, so that no page can forget it.
func printAll(node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, each := range n.Nodes {
			printAll(each)
		}
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 && !endsPrintable(n.Pipe) {
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{parse.NewIdentifier("printable").SetPos(n.Pos)}})
		}
	case *parse.IfNode:
		printAll(n.List)
		printAll(n.ElseList)
	case *parse.RangeNode:
		printAll(n.List)
		printAll(n.ElseList)
	case *parse.WithNode:
		printAll(n.List)
		printAll(n.ElseList)
	}
}

func endsPrintable(p *parse.PipeNode) bool {
	last := p.Cmds[len(p.Cmds)-1]
	name, ok := last.Args[0].(*parse.IdentifierNode)
	return ok && name.Ident == "printable"
}

// printable is what a page prints of a value: see [archive.Printable]. Types that
// html/template would not escape are refused.
func printable(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return archive.Printable(v), nil
	case error:
		return archive.Printable(v.Error()), nil
	case fmt.Stringer:
		return archive.Printable(v.String()), nil
	case template.HTML, template.HTMLAttr, template.CSS, template.JS, template.JSStr, template.URL, template.Srcset:
		return nil, fmt.Errorf("a page prints a %T, which would not be escaped", v)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return archive.Printable(r.String()), nil
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64, reflect.Uint32, reflect.Uint8, reflect.Float64, reflect.Bool:
		return v, nil
	}
	return nil, fmt.Errorf("a page prints a %T", v)
}

// pageFuncs are what templates may call.
var pageFuncs = template.FuncMap{
	"printable": printable,
	"dict":      dict,
	"lines":     func(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") },
	"wordsOf":   strings.Fields,
	"join":      func(list []string, by string) string { return strings.Join(list, by) },
	"day":       day,
	"instant":   instant,
	"short":     short,
	"groups":    groups,
	"size":      size,
	"tone":      tone,
	"plural":    plural,
	"hex":       func(v any) string { return strings.TrimPrefix(fmt.Sprint(v), "sha256:") },
	"stamp":     stamp,
	"words":     func(v any) string { return strings.ReplaceAll(fmt.Sprint(v), "_", " ") },
}

// dict gives a part several values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: a key without a value")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: a key of type %T", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

// parseInstant reads a time of a document or takes a time.Time.
func parseInstant(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), !v.IsZero()
	case *time.Time:
		if v == nil {
			return time.Time{}, false
		}
		return v.UTC(), !v.IsZero()
	case string:
		t, err := time.Parse(time.RFC3339, v)
		return t.UTC(), err == nil
	}
	return time.Time{}, false
}

// instant is a time to the minute, for people; day is the date alone.
func instant(v any) string {
	if t, ok := parseInstant(v); ok {
		return t.Format("2006-01-02 15:04")
	}
	return fmt.Sprint(v)
}

func day(v any) string {
	if t, ok := parseInstant(v); ok {
		return t.Format(time.DateOnly)
	}
	return fmt.Sprint(v)
}

// stamp is a time for machines.
func stamp(v any) string {
	if t, ok := parseInstant(v); ok {
		return t.Format(time.RFC3339)
	}
	return ""
}

// short is the beginning of a digest or a keyid, enough to tell two apart in a list.
func short(v any) string {
	text := fmt.Sprint(v)
	if digits := strings.TrimPrefix(text, "sha256:"); len(digits) == 64 {
		return digits[:12]
	}
	if runes := []rune(text); len(runes) > 20 {
		return string(runes[:19]) + "…"
	}
	return text
}

// groups cuts the digits of a digest into eights, as people compare them aloud.
func groups(v any) []string {
	digits := strings.TrimPrefix(fmt.Sprint(v), "sha256:")
	var list []string
	for len(digits) > 8 {
		list, digits = append(list, digits[:8]), digits[8:]
	}
	return append(list, digits)
}

func size(bytes int64) string {
	const unit = 1024
	if bytes < unit {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	value, prefix := float64(bytes)/unit, 0
	for value >= unit && prefix < 3 {
		value, prefix = value/unit, prefix+1
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + []string{"KiB", "MiB", "GiB", "TiB"}[prefix]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// tones say how a word of the domain is shown. A word that is not here is shown
// without a colour.
var tones = map[string]string{
	"ready": "good", "succeeded": "good", "approved": "good", "executed": "good", "verified": "good", "pass": "good", "promoted": "good", "covered": "good",
	"review": "look", "pending": "look", "held": "look", "break-glass": "look", "not-checked": "look", "unattended": "look", "unverified": "look", "downgrade": "look", "not covered": "look", "missing": "look", "does not count": "look",
	"blocked": "bad", "failed": "bad", "fail": "bad", "denied": "bad", "revoked": "bad", "illegal": "bad", "conflict": "bad",
}

func tone(v any) string {
	if t, ok := tones[fmt.Sprint(v)]; ok {
		return t
	}
	return "wait"
}

// show writes a page, or the error page where it can't be made: nothing is sent before
// all of it is there.
func (c *Console) show(w http.ResponseWriter, r *http.Request, code int, page string, v view) {
	var out bytes.Buffer
	t, ok := c.pages[page]
	err := fmt.Errorf("there is no page %s", page)
	if ok {
		err = t.ExecuteTemplate(&out, "frame.html", v)
	}
	if err != nil {
		c.log(r, err)
		http.Error(w, "this page could not be made: "+archive.Printable(err.Error()), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes()) // the reader may be gone
}

// digestText is a digest that may be absent.
func digestText(d evidence.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}
