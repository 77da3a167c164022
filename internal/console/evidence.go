package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// A field is a filter of the search form.
type field struct {
	Name, Label string
	Values      []string
	Choices     []choice
}

type choice struct {
	Value  string
	Chosen bool
}

type evidenceBody struct {
	Text, Since, Until string
	Illegal, Oldest    bool
	Kinds              []choice
	Fields             []field
	Filtered           bool // something beside free text is set
	Saved              []link
	Questions          []questionLink
	Records            []evidence.RecordLine
	Caption            string
	First, Next        string // addresses, "" for none
	CSV, JSON, Command string
}

// saved are the searches that auditors make first.
var saved = []link{
	{Name: "Everything, newest first", Address: "/evidence"},
	{Name: "Acts that did not count", Address: "/evidence?illegal=1"},
	{Name: "Promotions", Address: "/evidence?metadata-kind=rollout-promotion-execution"},
	{Name: "Rollbacks", Address: "/evidence?metadata-kind=rollout-rollback-execution"},
	{Name: "Broken glass", Address: "/evidence?approval-state=break-glass"},
	{Name: "Denials", Address: "/evidence?approval-state=denied"},
	{Name: "Revoked approvals", Address: "/evidence?approval-state=revoked"},
	{Name: "Rules and holds", Address: "/evidence?metadata-kind=policy&metadata-kind=hold"},
	{Name: "Without a signature that counts", Address: "/evidence?metadata-kind=unverified"},
	{Name: "The last 7 days", Address: "/evidence?since=7d"},
}

func (c *Console) search(r *http.Request) (evidence.SearchDocument, error) {
	q, err := readQuery(r.URL.Query(), c.Now())
	if err != nil {
		return evidence.SearchDocument{}, err
	}
	return c.of(r).Search(r.Context(), q)
}

func (c *Console) evidence(w http.ResponseWriter, r *http.Request) {
	page, err := c.search(r)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	values := r.URL.Query()
	kept := given(values)
	b := evidenceBody{
		Text: values.Get("q"), Since: values.Get("since"), Until: values.Get("until"), Illegal: values.Get("illegal") != "", Oldest: values.Get("order") == string(evidence.OldestFirst),
		Kinds: kindChoices(values["metadata-kind"]), Fields: searchFields(values), Records: page.Records,
		CSV: at("/evidence.csv", kept), JSON: at("/evidence.json", kept), Command: searchCommand(values, c.Server),
		Caption: plural(len(page.Records), "record", "records") + " on this page, newest first",
	}
	if b.Oldest {
		b.Caption = plural(len(page.Records), "record", "records") + " on this page, oldest first"
	}
	for name := range kept {
		b.Filtered = b.Filtered || name != "q"
	}
	b.Saved, b.Questions = slices.Clone(saved), auditors()
	for i := range b.Saved {
		b.Saved[i].Here = b.Saved[i].Address == at("/evidence", kept)
	}
	if values.Get("cursor") != "" {
		b.First = at("/evidence", kept)
	}
	if page.Next != "" {
		b.Next = at("/evidence", with(kept, "cursor", page.Next))
	}
	v := c.view(r, "Evidence", "Evidence")
	v.Body = b
	c.page(w, r, "evidence", "", v)
}

func kindChoices(chosen []string) []choice {
	var list []choice
	for _, k := range evidence.Kinds {
		list = append(list, choice{string(k), slices.Contains(chosen, string(k))})
	}
	return list
}

func searchFields(values url.Values) []field {
	var list []field
	for _, f := range filters {
		shown := field{Name: f.name, Label: f.label, Values: given(values)[f.name]}
		for _, value := range f.choices {
			shown.Choices = append(shown.Choices, choice{value, slices.Contains(shown.Values, value)})
		}
		if len(shown.Values) == 0 {
			shown.Values = []string{""}
		}
		list = append(list, shown)
	}
	return list
}

func at(path string, values url.Values) string {
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

func with(values url.Values, name, value string) url.Values {
	more := url.Values{}
	for k, list := range values {
		more[k] = slices.Clone(list)
	}
	more.Set(name, value)
	return more
}

func (c *Console) evidenceJSON(w http.ResponseWriter, r *http.Request) {
	page, err := c.search(r)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	data, err := envelope.Encode(page)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	attach(w, "evidence.json", "application/json")
	_, _ = w.Write(data)
}

// evidenceCSV writes the records of one page; the link to the next one is a header,
// as in RFC 8288.
func (c *Console) evidenceCSV(w http.ResponseWriter, r *http.Request) {
	page, err := c.search(r)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	attach(w, "evidence.csv", "text/csv; charset=utf-8")
	if page.Next != "" {
		w.Header().Set("Link", "<"+at("/evidence.csv", with(given(r.URL.Query()), "cursor", page.Next))+`>; rel="next"`)
	}
	out := csv.NewWriter(w)
	_ = out.Write(cells(evidence.RecordLine{}, 0))
	for _, l := range page.Records {
		_ = out.Write(cells(l, 1))
	}
	out.Flush() // the reader may be gone
}

// cells returns the names of a record's fields (0) or their values (1).
func cells(l evidence.RecordLine, i int) []string {
	var list []string
	for _, f := range l.Fields() {
		list = append(list, cell(f[i]))
	}
	return list
}

// cell keeps a spreadsheet from reading a text as a formula.
func cell(text string) string {
	shown, err := printable(text)
	if err != nil {
		return ""
	}
	if s := shown.(string); s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return shown.(string)
}

// attach makes an answer a file with a name of ours.
func attach(w http.ResponseWriter, name, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+fileName(name)+`"`)
}

// fileName keeps of a name what stands for itself in a header and on every system.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("._+-", r) {
			return r
		}
		return '_'
	}, name)
	return strings.TrimLeft(name[:min(len(name), 150)], ".")
}
