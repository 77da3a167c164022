package export

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"

	"github.com/rollproof/rollproof/release/archive"
)

//go:embed report.html.tmpl
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"text": text, "sayings": sayings, "signer": signerOf,
}).Parse(page))

// HTML returns the report as one page for people and printers, which loads nothing and
// runs nothing. It is well-formed XML too. All that comes out of an export is data:
// control, bidirectional and invisible characters are shown as \u{…}.
func (r *Report) HTML() []byte {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, r); err != nil {
		panic(err) // the template is constant and its data are strings and numbers
	}
	return b.Bytes()
}

// text makes any string, number or digest safe to be read.
func text(v any) string { return archive.Printable(fmt.Sprint(v)) }

// A saying is a named value of a query or of facts, as compact JSON: quotes keep a
// value from looking like the next name.
type saying struct{ Name, Value string }

// sayings returns what a query or facts say, by name.
func sayings(v any) []saying {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	var fields map[string]json.RawMessage
	if enc.Encode(v) != nil || json.Unmarshal(b.Bytes(), &fields) != nil {
		return nil
	}
	var list []saying
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		list = append(list, saying{name, archive.Printable(string(fields[name]))})
	}
	return list
}

func signerOf(r RecordResult) string {
	s := r.Signer
	switch {
	case s.Person != "":
		return archive.Printable(fmt.Sprintf("%s (%s), %s", s.Person, s.Role, s.KeyID))
	case s.KeyID != "":
		return archive.Printable("names " + s.KeyID)
	}
	return "nobody"
}
