package inventory_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/rollproof/rollproof/rollout/inventory"
)

const header = "id,target,sha256,seen_at\n"

func jsonLine(id, digest string) string {
	return fmt.Sprintf(`{"id":%q,"target":"t","sha256":%q}`+"\n", id, digest)
}

func logLine(host string, unix int, rest string) string {
	return fmt.Sprintf(`{"name":"q","hostIdentifier":%q,"unixTime":%d,%s}`+"\n", host, unix, rest)
}

func toUTF16(text string, high, low int) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		pair := [2]byte{}
		pair[high], pair[low] = byte(u>>8), byte(u)
		b = append(b, pair[:]...)
	}
	return string(b)
}

var hostile = map[string]struct {
	text    string
	options inventory.Options
	want    string
}{
	// Two truths about one endpoint.
	"two digests": {header + "a,t,$NEW,\nb,t,,\na,t,$OLD,2026-11-20T08:15:00Z\n", inventory.Options{},
		`endpoint "a" of target t has sha256 4f1c0a9b2d3e… on line 2 and sha256 66eeeb85f1bd… on line 4`},
	"a digest and none":        {header + "a,t,$NEW,\na,t,,\n", inventory.Options{}, `sha256 4f1c0a9b2d3e… on line 2 and no file on line 3`},
	"same id with spaces":      {header + "a,t,$NEW,\n\"a \",t,$OLD,\n", inventory.Options{}, `endpoint "a" of target t has`},
	"lines after quoted ones":  {header + "a,t,$NEW,\"\n\n\"\n\nb,t,nothex,\n", inventory.Options{}, `line 6: sha256 "nothex"`},
	"osqueryi, two digests":    {`[{"hostname":"a","path":"/p","sha256":"$NEW"},{"hostname":"a","path":"/p","sha256":"$OLD"}]`, inventory.Options{Target: "t"}, "on row 1 and"},
	"log, two at one time":     {logLine("a", 1795162500, `"action":"added","columns":{"path":"/p","sha256":"$NEW"}`) + logLine("a", 1795162500, `"action":"added","columns":{"path":"/p","sha256":"$OLD"}`), inventory.Options{Target: "t"}, "on line 1 and"},
	"snapshot, two rows":       {logLine("a", 1795162500, `"action":"snapshot","snapshot":[{"path":"/p","sha256":"$NEW"},{"path":"/p","sha256":"$OLD"}]`), inventory.Options{Target: "t"}, "on line 1 and"},
	"two paths":                {"id,path,sha256\na,/p,$NEW\nb,/q,$NEW\n", inventory.Options{Target: "t"}, `line 3: path "/q", on line 2 it is "/p"`},
	"osqueryi, two paths":      {`[{"hostname":"a","path":"/p","sha256":"$NEW"},{"hostname":"b","path":"/q","sha256":"$OLD"}]`, inventory.Options{Target: "t"}, `row 2: path "/q", on row 1 it is "/p"`},
	"digest of no path":        {"id,path,sha256\na,,$NEW\n", inventory.Options{Target: "t"}, "line 2: sha256 of no path"},
	"path wanted, no column":   {"id,sha256\na,$NEW\n", inventory.Options{Target: "t", Path: "/p", Format: inventory.CSV}, `no column for path: expected "path"`},
	"two queries":              {logLine("a", 1795162500, `"action":"added","columns":{"path":"/p","sha256":"$NEW"}`) + strings.Replace(logLine("b", 1795162500, `"action":"snapshot","snapshot":[]`), `"q"`, `"uptime"`, 1), inventory.Options{Target: "t"}, `line 2: query "uptime", earlier lines are of "q"`},
	"nameless query":           {`{"hostIdentifier":"a","unixTime":1795162500,"action":"snapshot","snapshot":[]}`, inventory.Options{Target: "t"}, `"name" is "", expected a string`},
	"log without a time":       {`{"name":"q","hostIdentifier":"a","action":"snapshot","snapshot":[]}`, inventory.Options{Target: "t", SeenAt: late}, "no column for seen_at"},
	"log with an empty time":   {`{"name":"q","hostIdentifier":"a","unixTime":"","action":"snapshot","snapshot":[]}`, inventory.Options{Target: "t", SeenAt: late}, "no time"},
	"log without a host":       {`{"name":"q","unixTime":1795162500,"action":"snapshot","snapshot":[]}`, inventory.Options{Target: "t", Format: inventory.Osquery}, "no column for id"},
	"batch format":             {logLine("a", 1795162500, `"diffResults":{"added":[],"removed":[]},"action":""`), inventory.Options{Target: "t"}, "batch format"},
	"unknown action":           {logLine("a", 1795162500, `"action":"moved","columns":{}`), inventory.Options{Target: "t"}, `action "moved"`},
	"null snapshot":            {logLine("a", 1795162500, `"action":"snapshot","snapshot":null`), inventory.Options{Target: "t"}, `snapshot is "null"`},
	"snapshot of a text":       {logLine("a", 1795162500, `"action":"snapshot","snapshot":["x"]`), inventory.Options{Target: "t"}, "not a JSON object"},
	"host named in the row":    {logLine("a", 1795162500, `"action":"added","columns":{"hostIdentifier":"b","path":"/p","sha256":"$NEW"}`), inventory.Options{Target: "t"}, `column "hostIdentifier" is in the row and around it`},
	"host named by decoration": {logLine("a", 1795162500, `"decorations":{"hostIdentifier":"b"},"action":"snapshot","snapshot":[]`), inventory.Options{Target: "t"}, "hostIdentifier is a decoration, too"},
	"row without a digest":     {logLine("a", 1795162500, `"action":"added","columns":{"path":"/p","sha-256":"$NEW"}`), inventory.Options{Target: "t"}, `no column for sha256: expected "sha256", found "hostIdentifier", "path", "sha-256", "unixTime", nearest "sha-256"`},

	// Ids that a reader can't tell apart, or that act on his terminal.
	"control character":  {header + "a\x1b[2Jb,t,$NEW,\n", inventory.Options{}, `line 2: id "a\x1b[2Jb" has the character U+001B`},
	"NUL":                {header + "a\x00b,t,$NEW,\n", inventory.Options{}, "U+0000"},
	"line end in an id":  {header + "\"a\nb\",t,$NEW,\n", inventory.Options{}, "U+000A"},
	"bidirectional":      {header + "a\u202eb,t,$NEW,\n", inventory.Options{}, `"a\u202eb" has the character U+202E`},
	"isolate":            {header + "a\u2066b,t,$NEW,\n", inventory.Options{}, "U+2066"},
	"zero width":         {header + "a\u200bb,t,$NEW,\n", inventory.Options{}, "U+200B"},
	"mark amid the text": {header + "\ufeffa,t,$NEW,\n", inventory.Options{}, "U+FEFF"},
	"soft hyphen":        {header + "a\u00adb,t,$NEW,\n", inventory.Options{}, "U+00AD"},
	"no-break space":     {header + "a\u00a0b,t,$NEW,\n", inventory.Options{}, "U+00A0"},
	"Hangul filler":      {header + "a\u3164b,t,$NEW,\n", inventory.Options{}, "U+3164"},
	"variation selector": {header + "a\ufe0fb,t,$NEW,\n", inventory.Options{}, "U+FE0F"},
	"tag character":      {header + "a\U000e0041b,t,$NEW,\n", inventory.Options{}, "U+E0041"},
	"line separator":     {header + "a\u2028b,t,$NEW,\n", inventory.Options{}, "U+2028"},
	"private use":        {header + "a\ue000b,t,$NEW,\n", inventory.Options{}, "U+E000"},
	"lone surrogate":     {`{"id":"a\ud800","target":"t","sha256":""}`, inventory.Options{}, "U+FFFD"},
	"escaped control":    {jsonLine("a\x07", ""), inventory.Options{Format: inventory.JSONLines}, "not JSON"},
	"escaped zero width": {`{"id":"a\u200db","target":"t","sha256":""}`, inventory.Options{}, "U+200D"},
	"no id":              {header + " ,t,$NEW,\n", inventory.Options{}, "line 2: no id"},
	"long id":            {header + strings.Repeat("a", inventory.MaxID+1) + ",t,$NEW,\n", inventory.Options{}, "(257 bytes), expected at most 256 bytes"},
	"number as an id":    {`{"id":7,"target":"t","sha256":""}`, inventory.Options{}, `"id" is "7", expected a string`},
	"object as an id":    {`{"id":{"$ref":1},"target":"t","sha256":""}`, inventory.Options{}, `"id" is "{\"$ref\":1}", expected a string`},
	"bad target":         {header + "a,../t,$NEW,\n", inventory.Options{}, `target "../t", expected 1 to 100 letters`},
	"target of a flag":   {header + "a,-t,$NEW,\n", inventory.Options{}, `target "-t", expected 1 to 100 letters`},
	"row without a path": {`[{"hostname":"a","sha256":"$NEW"}]`, inventory.Options{Target: "t"}, "row 1: no column for path"},
	"long target":        {header + "a," + strings.Repeat("t", 101) + ",$NEW,\n", inventory.Options{}, "expected 1 to 100 letters"},
	"no target":          {header + "a,,$NEW,\n", inventory.Options{}, "line 2: no target"},

	// Digests.
	"short digest":       {header + "a,t,4f1c,\n", inventory.Options{}, `line 2: sha256 "4f1c", expected 64 hex digits`},
	"long digest":        {header + "a,t,$NEW0,\n", inventory.Options{}, "expected 64 hex digits"},
	"longer digest":      {header + "a,t,$NEW00,\n", inventory.Options{}, "expected 64 hex digits"},
	"no hex":             {header + "a,t," + strings.Repeat("g", 64) + ",\n", inventory.Options{}, "expected 64 hex digits"},
	"algorithm before":   {header + "a,t,sha256:$NEW,\n", inventory.Options{}, "expected 64 hex digits"},
	"missing as a word":  {header + "a,t,N/A,\n", inventory.Options{}, `sha256 "N/A", expected 64 hex digits`},
	"number as a digest": {`{"id":"a","target":"t","sha256":0}`, inventory.Options{}, `"sha256" is "0", expected a string`},
	"script that failed": {"Device ID,PreRemediationDetectionScriptOutput\na,access denied\n", inventory.Options{Target: "t"}, `sha256 "access denied", expected 64 hex digits`},
	"script with two":    {"Device ID,PreRemediationDetectionScriptOutput\na,sha256=$NEW sha256=$OLD\n", inventory.Options{Target: "t"}, "has sha256= 2 times"},
	"= outside intune":   {header + "a,t,sha256=$NEW,\n", inventory.Options{}, "expected 64 hex digits"},

	// Columns.
	"no digests":         {"id,target,sha-256\na,t,$NEW\n", inventory.Options{Format: inventory.CSV}, `line 1: no column for sha256: expected "sha256", found "id", "target", "sha-256", nearest "sha-256"`},
	"no targets":         {"id,sha256\na,$NEW\n", inventory.Options{Format: inventory.CSV}, `no column for target: expected "target", found "id", "sha256"`},
	"other case":         {"ID,target,sha256\na,t,$NEW\n", inventory.Options{Format: inventory.CSV}, `expected "id", found "ID", "target", "sha256", nearest "ID"`},
	"semicolons":         {"id;target;sha256\na;t;$NEW\n", inventory.Options{Format: inventory.CSV}, `found "id;target;sha256"`},
	"column twice":       {"id,target,sha256,sha256\na,t,$NEW,$OLD\n", inventory.Options{}, `line 1: column "sha256" twice, in places 3 and 4`},
	"twice but for case": {"id,target,sha256,SHA256 \na,t,$NEW,$OLD\n", inventory.Options{}, `column "SHA256" twice`},
	"jamf, no attribute": {"Serial Number,Last Inventory Update\na,\n", inventory.Options{Format: inventory.Jamf, Target: "t"}, `expected "rollproof sha256"`},
	"jamf, seconds":      {"Serial Number,Last Inventory Update,rollproof sha256\na,1795162500,\n", inventory.Options{Target: "t"}, "expected a year from 2000"},
	"jamf, display date": {"Serial Number,Last Inventory Update,rollproof sha256\na,11/20/2026 at 8:15 AM,\n", inventory.Options{Target: "t"}, "unix milliseconds"},
	"osquery, zero":      {`[{"hostname":"a","path":"","sha256":"","unix_time":0}]`, inventory.Options{Target: "t"}, "expected a year from 2000"},
	"osquery, huge":      {`[{"hostname":"a","path":"","sha256":"","unix_time":9223372036854775807}]`, inventory.Options{Target: "t"}, "expected a year from 2000"},
	"osquery, larger":    {`[{"hostname":"a","path":"","sha256":"","unix_time":9223372036854775808}]`, inventory.Options{Target: "t"}, "unix seconds"},
	"osquery, exponent":  {`[{"hostname":"a","path":"","sha256":"","unix_time":1.8e9}]`, inventory.Options{Target: "t"}, "unix seconds"},
	"osquery, negative":  {`[{"hostname":"a","path":"","sha256":"","unix_time":-1}]`, inventory.Options{Target: "t"}, "unix seconds"},
	"intune, no zone":    {"Device ID,Last check-in,PreRemediationDetectionScriptOutput\na,2026-11-20 08:15:00.0000000,\n", inventory.Options{Target: "t"}, "has no zone"},
	"cells missing":      {header + "a,t\n", inventory.Options{}, "line 2: 2 cells, expected 4"},
	"cells too many":     {header + "a,t,$NEW,,x\n", inventory.Options{}, "line 2: 5 cells, expected 4"},
	"fits two formats": {"id,target,sha256,Serial Number,rollproof sha256\na,t,$NEW,b,$OLD\n", inventory.Options{},
		"columns fit both csv and jamf"},
	"fits none":      {"name,digest\na,$NEW\n", inventory.Options{Target: "t"}, `tried csv (no column for id: expected "id", found "name", "digest"); jamf (`},
	"object of none": {`{"host":"a","sha256":"$NEW"}`, inventory.Options{Target: "t"}, `tried jsonl (no column for id: expected "id", found "host", "sha256"); osquery (`},

	// Bytes that are none of the formats.
	"UTF-16 with a mark":     {"\xff\xfe" + toUTF16(header, 1, 0), inventory.Options{}, "UTF-16, expected UTF-8"},
	"UTF-16, big end first":  {"\xfe\xff" + toUTF16(header, 0, 1), inventory.Options{}, "UTF-16, expected UTF-8"},
	"UTF-16 without a mark":  {toUTF16(header, 1, 0), inventory.Options{}, "as in UTF-16, expected UTF-8"},
	"UTF-16 without, big":    {toUTF16(header, 0, 1), inventory.Options{}, "as in UTF-16, expected UTF-8"},
	"Latin-1":                {header + "h\xf6st,t,$NEW,\n", inventory.Options{}, `line 2: cell "h\xf6st" is not UTF-8`},
	"Latin-1 in the header":  {"id,target,sha256,gr\xf6\xdfe\n", inventory.Options{}, "line 1: cell"},
	"Latin-1 in JSON":        {`{"id":"h` + "\xf6" + `st","target":"t","sha256":""}`, inventory.Options{}, "line 1: not UTF-8"},
	"Latin-1 in an array":    {`[{"hostname":"h` + "\xf6" + `st","path":"","sha256":""}]`, inventory.Options{Target: "t"}, "row 1: not UTF-8"},
	"empty":                  {"", inventory.Options{}, "empty, expected a header or JSON"},
	"blank":                  {"\ufeff\r\n\r\n", inventory.Options{}, "empty, expected a header or JSON"},
	"open quote":             {header + "\"a,t,$NEW,\nb,t,$NEW,\n", inventory.Options{}, "line 2: extraneous or missing"},
	"quote amid a cell":      {header + "a\"b,t,$NEW,\n", inventory.Options{}, "line 2: bare"},
	"text":                   {"not an inventory", inventory.Options{Target: "t"}, "of no known format"},
	"JSON string":            {`"a"` + "\n", inventory.Options{Format: inventory.JSONLines}, "line 1:"},
	"JSON number":            {"7\n", inventory.Options{Format: inventory.JSONLines}, `line 1: "7" is not a JSON object`},
	"JSON null":              {"null\n", inventory.Options{Format: inventory.JSONLines}, `line 1: "null" is not a JSON object`},
	"JSON array":             {"[]\n", inventory.Options{Format: inventory.JSONLines}, `line 1: "[]" is not a JSON object`},
	"second line no object":  {jsonLine("a", newDigest) + "[]\n", inventory.Options{}, `line 2: "[]" is not a JSON object`},
	"two objects on a line":  {`{"id":"a","target":"t","sha256":""}{"id":"b","target":"t","sha256":"$NEW"}`, inventory.Options{}, "line 1: more than one JSON object"},
	"junk after an object":   {`{"id":"a","target":"t","sha256":""}}`, inventory.Options{}, "line 1: more than one JSON object"},
	"object over two lines":  {"{\"id\":\"a\",\n\"target\":\"t\",\"sha256\":\"\"}", inventory.Options{}, "line 1: not JSON"},
	"key twice":              {`{"id":"a","target":"t","sha256":"$NEW","sha256":"$OLD"}`, inventory.Options{}, `line 1: key "sha256" twice`},
	"key twice, escaped":     {`{"id":"a","target":"t","sha256":"$NEW","sha25\u0036":"$OLD"}`, inventory.Options{}, `key "sha256" twice`},
	"key in another case":    {`{"id":"a","target":"t","SHA256":"$NEW"}`, inventory.Options{Format: inventory.JSONLines}, `no column for sha256: expected "sha256", found "SHA256", "id", "target", nearest "SHA256"`},
	"key twice in an array":  {`[{"hostname":"a","hostname":"b","path":"","sha256":""}]`, inventory.Options{Target: "t"}, `row 1: key "hostname" twice`},
	"truncated array":        {`[{"hostname":"a","path":"","sha256":""},`, inventory.Options{Target: "t"}, "ends in the middle"},
	"unclosed array":         {`[{"hostname":"a","path":"","sha256":""}`, inventory.Options{Target: "t"}, "ends in the middle"},
	"empty object":           {`{}`, inventory.Options{Format: inventory.JSONLines}, "no column for id: expected \"id\", found none"},
	"many columns":           {"idd" + strings.Repeat(",", 40) + "\n", inventory.Options{Format: inventory.CSV}, `"", "" and 9 more, nearest "idd"`},
	"query without a name":   {`{"name":null,"hostIdentifier":"a","unixTime":1795162500,"action":"snapshot","snapshot":[]}`, inventory.Options{Target: "t"}, "name of the query is empty"},
	"log without an action":  {`{"name":"q","hostIdentifier":"a","unixTime":1795162500,"snapshot":[]}`, inventory.Options{Target: "t"}, `"action" is "", expected a string`},
	"decorations of a text":  {logLine("a", 1795162500, `"decorations":"x","action":"snapshot","snapshot":[]`), inventory.Options{Target: "t"}, "decorations: "},
	"truncated element":      {`[{"hostname":"a","pa`, inventory.Options{Target: "t"}, "ends in the middle"},
	"array of arrays":        {`[[{"hostname":"a"}]]`, inventory.Options{Target: "t"}, "row 1:"},
	"more after the array":   {`[][]`, inventory.Options{Target: "t"}, "more after the end"},
	"junk after the array":   {`[] x`, inventory.Options{Target: "t"}, "not JSON"},
	"junk in the array":      {`[{"hostname":"a","path":"","sha256":""} {}]`, inventory.Options{Target: "t"}, "not JSON"},
	"deep JSON":              {`{"id":"a","target":"t","sha256":"","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}", inventory.Options{}, "not JSON"},
	"log that is no log":     {"id,target,sha256\na,t,$NEW\n", inventory.Options{Format: inventory.Osquery}, "not a JSON object"},
	"messages stay in ASCII": {"\u202e,target\n", inventory.Options{Format: inventory.CSV}, `found "\u202e", "target"`},

	// Options.
	"unknown format":    {header, inventory.Options{Format: "xls"}, `inventory option Format: "xls", expected one of csv, jsonl, osquery, jamf, intune`},
	"unknown mapping":   {header, inventory.Options{Columns: map[string]string{"sha-256": "x"}}, `inventory option Columns: "sha-256", expected one of id, target, path, sha256, seen_at, nearest sha256`},
	"mapped to nothing": {header, inventory.Options{Columns: map[string]string{"id": " "}}, "no column named for id"},
	"mapped twice":      {header, inventory.Options{Columns: map[string]string{"id": "x", "target": "x "}}, `column "x" for both id and target`},
	"mapped, not there": {header, inventory.Options{Format: inventory.CSV, Columns: map[string]string{"seen_at": "when"}}, `no column for seen_at: expected "when"`},
	"bad default":       {header, inventory.Options{Target: "a b"}, "inventory option Target"},
	"date before 2000":  {header, inventory.Options{SeenAt: time.Unix(1, 0)}, "inventory option SeenAt"},
}

func TestReadRefuses(t *testing.T) {
	for name, test := range hostile {
		t.Run(name, func(t *testing.T) {
			l, err := inventory.Read(strings.NewReader(fill(test.text)), test.options)
			if err == nil {
				t.Fatalf("accepted as %s: %v", l.Format, l.Endpoints)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant  %s", err, test.want)
			}
			sound(t, err)
			if l.Format != "" || l.Endpoints != nil {
				t.Errorf("a refused input still yields %v", l)
			}
		})
	}
}

// sound fails unless an error is one of this package's and prints as plain ASCII.
func sound(t *testing.T, err error) {
	t.Helper()
	var format *inventory.FormatError
	var option *inventory.OptionError
	if !errors.As(err, &format) && !errors.As(err, &option) {
		t.Errorf("%T: %v", err, err)
	}
	for _, r := range err.Error() {
		if (r < ' ' || r > '~') && r != '…' {
			t.Errorf("%+q has %U", err.Error(), r)
		}
	}
}

// endless repeats a text after a head, and counts what was taken of it.
type endless struct {
	head, text string
	taken      int
	stop       int // bytes, 0 for never
}

func (e *endless) Read(p []byte) (int, error) {
	if e.stop > 0 && e.taken >= e.stop {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		if e.taken < len(e.head) {
			c := copy(p[n:], e.head[e.taken:])
			n, e.taken = n+c, e.taken+c
			continue
		}
		c := copy(p[n:], e.text[(e.taken-len(e.head))%len(e.text):])
		n, e.taken = n+c, e.taken+c
	}
	return n, nil
}

// A row without an end is given up after MaxLine bytes and what buffers hold.
func TestReadTakesNoEndlessRow(t *testing.T) {
	for name, test := range map[string]endless{
		"cell":              {head: header, text: "a"},
		"quoted cell":       {head: header + `"`, text: "a\n"},
		"cells":             {head: header, text: ","},
		"header":            {head: "id", text: ",x"},
		"blank lines":       {head: header, text: "\n"},
		"blank before":      {text: "\r\n"},
		"line":              {head: jsonLine("a", newDigest), text: " "},
		"line of JSON":      {head: `{"id":"`, text: "a"},
		"log":               {head: logLine("a", 1795162500, `"action":"snapshot","snapshot":[]`) + `{"name":[`, text: "{},"},
		"element":           {head: `[{"hostname":"a","path":"","sha256":""},{"hostname":"`, text: "a"},
		"element of arrays": {head: `[`, text: "["},
		"space in an array": {head: `[{"hostname":"a","path":"","sha256":""}`, text: " "},
		"space after it":    {head: `[]`, text: "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := inventory.Read(&test, inventory.Options{Target: "t"})
			if err == nil {
				t.Fatalf("accepted %v", l.Endpoints)
			}
			sound(t, err)
			if test.taken > inventory.MaxLine+128<<10 {
				t.Errorf("took %d bytes: %v", test.taken, err)
			}
		})
	}
}

// A record may be as long as MaxLine, and no byte longer.
func TestReadTakesTheLongestRow(t *testing.T) {
	for name, test := range map[string]struct{ before, start, end string }{
		"csv":   {"id,target,sha256,note\n", "a,t,,", "\n"},
		"array": {"[", `{"hostname":"a","path":"","sha256":"","x":"`, `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			for extra, good := range map[int]bool{0: true, 1: false} {
				row := test.start + strings.Repeat("x", inventory.MaxLine+extra-len(test.start)-len(test.end)) + test.end
				after := map[string]string{"csv": "b,t,,\n", "array": "]"}[name]
				_, err := inventory.Read(strings.NewReader(test.before+row+after), inventory.Options{Target: "t"})
				if good && err != nil {
					t.Errorf("%d bytes: %v", len(row), err)
				}
				if name == "csv" && good {
					row = strings.TrimSuffix(row, "\n") + "x"
					if _, err := inventory.Read(strings.NewReader(test.before+row), inventory.Options{Target: "t"}); err != nil {
						t.Errorf("%d bytes at the end: %v", len(row), err)
					}
				}
				if !good && (err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes")) {
					t.Errorf("%d bytes: %v", len(row), err)
				}
			}
		})
	}
}

// More rows than MaxRows are given up on, even where none of them counts.
func TestReadTakesMaxRows(t *testing.T) {
	for name, test := range map[string]*endless{
		"csv":         {head: "id,path,sha256\n", text: "a,/q,\n"},
		"blank lines": {head: jsonLine("a", ""), text: "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			o := inventory.Options{Target: "t", Path: "/p"}
			if name == "blank lines" {
				o.Path = ""
			}
			// With an end, so that the test comes back where the limit is gone.
			test.stop = len(test.head) + (inventory.MaxRows+10)*len(test.text)
			_, err := inventory.Read(test, o)
			if err == nil || !strings.Contains(err.Error(), "more than 2000000") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What is kept of a row does not keep the row.
func TestReadKeepsNoRows(t *testing.T) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const rows, size = 400, 100 << 10
	var b bytes.Buffer
	b.WriteString("note,id,path,sha256,target\n")
	for i := range rows {
		fmt.Fprintf(&b, "%s,host-%03d,/p,%064x,t%d\n", strings.Repeat("x", size), i, i, i)
	}
	before := heap()
	l, err := inventory.Read(&b, inventory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if after := heap(); after > before+rows*size/10 {
		t.Errorf("%d endpoints keep %d bytes", len(l.Endpoints), after-before)
	}
	runtime.KeepAlive(l)
	runtime.KeepAlive(&b)
}

// A failing reader fails once, and then behaves as if that had been the end.
type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) {
	err := f.err
	f.err = io.EOF
	return 0, err
}

// A reader's error is neither the end of the inventory nor the inventory's fault.
func TestReadTellsItsReadersErrors(t *testing.T) {
	broken := errors.New("cable unplugged")
	if _, err := inventory.Read(&failing{broken}, inventory.Options{}); !errors.Is(err, broken) {
		t.Errorf("at once: %v", err)
	}
	for name, head := range map[string]string{
		"first":  "",
		"csv":    header + "a,t,,\n",
		"jsonl":  jsonLine("a", ""),
		"array":  `[{"hostname":"a","path":"","sha256":""}`,
		"closed": `[{"hostname":"a","path":"","sha256":""}]`,
	} {
		t.Run(name, func(t *testing.T) {
			// The first peek takes 512 bytes; blanks let the format be found before the end.
			head += strings.Repeat("\n", 5000)
			l, err := inventory.Read(io.MultiReader(strings.NewReader(head), &failing{broken}), inventory.Options{Target: "t"})
			var format *inventory.FormatError
			if !errors.Is(err, broken) || errors.As(err, &format) {
				t.Errorf("got %v, %v", l, err)
			}
		})
	}
}
