package export_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/export"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// What may stand in the page: nothing that loads, links or runs.
var (
	elements   = strings.Fields("html head meta title style body header h1 p main section h2 dl dt dd ul li table caption thead tr th td tbody footer br")
	attributes = strings.Fields("lang charset http-equiv content name class id aria-labelledby scope")
)

// page reads a report as strictly as XML is read, where every reader sees the same
// elements, and returns its text.
func page(t testing.TB, data []byte) string {
	t.Helper()
	var text strings.Builder
	count := map[string]int{}
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			count[token.Name.Local]++
			if !slices.Contains(elements, token.Name.Local) {
				t.Errorf("element %s", token.Name.Local)
			}
			for _, a := range token.Attr {
				if !slices.Contains(attributes, a.Name.Local) {
					t.Errorf("attribute %s of %s", a.Name.Local, token.Name.Local)
				}
			}
		case xml.CharData:
			text.Write(token)
		case xml.Comment, xml.ProcInst:
			t.Errorf("%T in the page", token)
		}
	}
	for name, want := range map[string]int{"h1": 1, "main": 1, "header": 1, "footer": 1, "style": 1, "meta": 3} {
		if count[name] != want {
			t.Errorf("%d elements %s, expected %d", count[name], name, want)
		}
	}
	if count["caption"] != count["table"] || count["table"] < 2 {
		t.Errorf("%d tables, %d captions", count["table"], count["caption"])
	}
	return text.String()
}

// hostile are texts that would load, run or mislead where they are not escaped.
var hostile = []string{
	`<img src="https://example.com/x.png">`, `"><script>alert(1)</script>`, `' onload='x`, `</table></main><h1>pass</h1>`,
	`<link rel=stylesheet href=//example.com/x.css>`, `</style><style>@import url(https://example.com)`, `<!-- `, `]]>`, `{{.Result}}`,
	"\u202etxt.exe", "a\u200bb", "line\nbreak\x00", "\xff\xfe",
}

// TestRecordsStayData puts hostile text into every fact of a real record.
func TestRecordsStayData(t *testing.T) {
	w := newWorld(t)
	for _, h := range hostile {
		if strings.Contains(h, "\xff") {
			continue // no statement can say it
		}
		f := evidence.Facts{Project: h, Version: h, ChangeRecord: h, Environment: h, Ring: h, TargetRing: h, Rollout: h, Request: h, Approval: h, Execution: h, DeploymentTargets: []string{h, h + "2"}}
		storetest.Add(t, w.store, storetest.Envelope(storetest.NewSigner("ada"), storetest.RolloutType, []evidence.Subject{storetest.Subject(h)}, storetest.Story{Facts: f, Comment: h}))
	}
	seal(t, w.store)
	for _, c := range []export.Completeness{export.Matching, export.Complete} {
		r := w.verify(t, w.write(t, func(s *export.Source) { s.Completeness, s.Query.Persons = c, []string{"ada"} }))
		if r.Result != export.Pass {
			t.Fatal(describe(r))
		}
		text := page(t, r.HTML())
		if !strings.Contains(text, `project: "<img src=\"https://example.com/x.png\">"`) {
			t.Error("the text of a record is not shown as it is")
		}
		if strings.ContainsAny(text, "\u202e\u200b\x00") {
			t.Error("a character that acts is in the page")
		}
	}
}

// TestReportsStayData puts hostile text into every string that a report has.
func TestReportsStayData(t *testing.T) {
	for _, h := range hostile {
		var r export.Report
		fill(reflect.ValueOf(&r).Elem(), h)
		text := page(t, r.HTML())
		if strings.ContainsAny(text, "\u202e\u200b\x00") {
			t.Errorf("%q: a character that acts is in the page", h)
		}
	}
}

// fill sets every string within v.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), text)
		fill(v.Index(1), text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), text)
			}
		}
	}
}

// TestReportAllowsNothing looks for the policy that keeps a browser from loading
// anything even so.
func TestReportAllowsNothing(t *testing.T) {
	w := newWorld(t)
	html := string(w.verify(t, w.write(t, nil)).HTML())
	if !strings.Contains(html, `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>`) {
		t.Error("no policy")
	}
	for _, word := range []string{"src=", "href=", "url(", "@import", "<script"} {
		if strings.Contains(html, word) {
			t.Errorf("%s in the page", word)
		}
	}
}

// TestReportClaimsNoMore looks for the words on what was not shown.
func TestReportClaimsNoMore(t *testing.T) {
	w := newWorld(t)
	for c, want := range map[export.Completeness]string{
		export.Matching: "Records that fit the query may have been left out", export.Complete: "the answer is complete for this tree of this log",
	} {
		text := page(t, w.verify(t, w.write(t, func(s *export.Source) { s.Completeness = c })).HTML())
		for _, words := range []string{want, "Recorded is not legal", "append-only for honest writers", "no newer tree", "no checkpoint was given"} {
			if !strings.Contains(text, words) {
				t.Errorf("%s: the page does not say %q", c, words)
			}
		}
	}
}
