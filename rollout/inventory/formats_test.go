package inventory_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"github.com/rollproof/rollproof/rollout/inventory"
)

const (
	workstation = "systemd-linux-amd64-workstation"
	mac         = "jamf-darwin-arm64"
	newDigest   = "4f1c0a9b2d3e5f604f1c0a9b2d3e5f604f1c0a9b2d3e5f604f1c0a9b2d3e5f60"
	oldDigest   = "66eeeb85f1bdae0b9fd3dfe2d75d265b2a7d97246934c00e6805797a3a9eb2f5"
	hello       = "/usr/local/bin/hello"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

var (
	early = at("2026-11-19T22:40:31Z")
	late  = at("2026-11-20T08:15:00Z") // unix 1795162500
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// fill puts the digests into a text.
func fill(text string) string {
	return strings.NewReplacer("$NEW", newDigest, "$OLD", oldDigest).Replace(text)
}

var formats = map[string]struct {
	text    string
	options inventory.Options
	want    inventory.List
}{
	"csv": {
		text: "id,owner,target,sha256,seen_at\n" +
			"host-002.example.com,grace,systemd-linux-amd64-workstation,,2026-11-19T23:40:31+01:00\n" +
			"host-001.example.com,\"Lovelace, Ada\",systemd-linux-amd64-workstation,$NEW,2026-11-20T08:15:00Z\n",
		want: inventory.List{Format: inventory.CSV, Newest: late, Oldest: early, Endpoints: []inventory.Endpoint{
			{ID: "host-001.example.com", Target: workstation, SHA256: newDigest, SeenAt: late},
			{ID: "host-002.example.com", Target: workstation, SeenAt: early},
		}},
	},
	"csv of Windows, with defaults": {
		text:    "\ufeff\"id\", sha256 ,\r\n host-001.example.com ,\"" + strings.ToUpper(newDigest) + " \",\r\nhost-002.example.com,,\r\n",
		options: inventory.Options{Target: workstation, SeenAt: late.Add(999 * time.Millisecond).In(time.FixedZone("", 3600))},
		want: inventory.List{Format: inventory.CSV, Newest: late, Oldest: late, Endpoints: []inventory.Endpoint{
			{ID: "host-001.example.com", Target: workstation, SHA256: newDigest, SeenAt: late},
			{ID: "host-002.example.com", Target: workstation, SeenAt: late},
		}},
	},
	"csv without times": {
		text: "id,target,sha256\nb,t2,$NEW\nc,t1,$OLD\na,t2,$NEW\na,t1,$NEW\n",
		want: inventory.List{Format: inventory.CSV, Endpoints: []inventory.Endpoint{
			{ID: "a", Target: "t1", SHA256: newDigest}, {ID: "c", Target: "t1", SHA256: oldDigest},
			{ID: "a", Target: "t2", SHA256: newDigest}, {ID: "b", Target: "t2", SHA256: newDigest},
		}},
	},
	"csv, one digest twice": {
		text: "id,target,sha256,seen_at\na,t,$NEW,2026-11-19T22:40:31Z\na,t,$NEW,2026-11-20T08:15:00Z\na,t,$NEW,\n",
		want: inventory.List{Format: inventory.CSV, Newest: late, Oldest: late, Endpoints: []inventory.Endpoint{
			{ID: "a", Target: "t", SHA256: newDigest, SeenAt: late}}},
	},
	"csv with columns of its own": {
		text: "Host,Where,Hash,When,File\na,t,$NEW,2026-11-20 09:15:00,/opt/hello\na,t,$OLD,2026-11-20 09:15:00,/opt/other\n",
		options: inventory.Options{Path: "/opt/hello", Location: time.FixedZone("", 3600),
			Columns: map[string]string{"id": "Host", "target": "Where", "sha256": "Hash", "seen_at": "When", "path": "File"},
			Format:  inventory.CSV},
		want: inventory.List{Format: inventory.CSV, Newest: late, Oldest: late, Endpoints: []inventory.Endpoint{
			{ID: "a", Target: "t", SHA256: newDigest, SeenAt: late}}},
	},
	"csv, newest last": {
		text: "id,target,sha256,seen_at\na,t,,2026-11-19T22:40:31Z\nb,t,,2026-11-20T08:15:00Z\n",
		want: inventory.List{Format: inventory.CSV, Newest: late, Oldest: early, Endpoints: []inventory.Endpoint{
			{ID: "a", Target: "t", SeenAt: early}, {ID: "b", Target: "t", SeenAt: late}}},
	},
	"csv without rows": {text: "id,target,sha256\n", want: inventory.List{Format: inventory.CSV}},
	"jsonl": {
		text: "\ufeff{\"id\":\"host-001.example.com\",\"target\":\"t\",\"sha256\":\"$NEW\",\"seen_at\":\"2026-11-20T08:15:00.9Z\",\"tags\":[{\"a\":1,\"a\":2}]}\r\n" +
			"\n  { \"seen_at\" : null, \"sha256\" : null, \"target\" : \"t\", \"id\" : \"h\\u00f6st\" }",
		want: inventory.List{Format: inventory.JSONLines, Newest: late, Endpoints: []inventory.Endpoint{
			{ID: "host-001.example.com", Target: "t", SHA256: newDigest, SeenAt: late}, {ID: "höst", Target: "t"}}},
	},
	"jsonl without rows": {options: inventory.Options{Format: inventory.JSONLines}, want: inventory.List{Format: inventory.JSONLines}},
	"osqueryi": {
		text: "[\n" +
			`  {"hostname":"host-001.example.com","path":"/usr/local/bin/hello","sha256":"$NEW","unix_time":"1795162500"},` + "\n" +
			`  {"hostname":"host-001.example.com","path":"/usr/local/bin/other","sha256":"$OLD","unix_time":"1795162500"},` + "\n" +
			`  {"hostname":"host-002.example.com","path":"","sha256":"","unix_time":1795128031}` + "\n]\n",
		options: inventory.Options{Target: workstation, Path: hello},
		want: inventory.List{Format: inventory.Osquery, Newest: late, Oldest: early, Endpoints: []inventory.Endpoint{
			{ID: "host-001.example.com", Target: workstation, SHA256: newDigest, SeenAt: late},
			{ID: "host-002.example.com", Target: workstation, SeenAt: early}}},
	},
	"osqueryi without rows": {text: "[\n\n]\n", options: inventory.Options{Target: "t"}, want: inventory.List{Format: inventory.Osquery}},
	"osqueryd, differential": {
		text: `{"name":"hello","hostIdentifier":"host-001.example.com","calendarTime":"Thu Nov 19 22:40:31 2026 UTC","unixTime":1795128031,"epoch":0,"counter":0,"numerics":false,"action":"added","columns":{"path":"/usr/local/bin/hello","sha256":"$OLD"}}` + "\n" +
			`{"name":"hello","hostIdentifier":"host-001.example.com","calendarTime":"Fri Nov 20 08:15:00 2026 UTC","unixTime":1795162500,"epoch":0,"counter":1,"numerics":false,"action":"added","columns":{"path":"/usr/local/bin/hello","sha256":"$NEW"}}` + "\n" +
			`{"name":"hello","hostIdentifier":"host-001.example.com","calendarTime":"Fri Nov 20 08:15:00 2026 UTC","unixTime":1795162500,"epoch":0,"counter":1,"numerics":false,"action":"removed","columns":{"path":"/usr/local/bin/hello","sha256":"$OLD"}}` + "\n" +
			`{"name":"hello","hostIdentifier":"host-002.example.com","unixTime":"1795162500","action":"removed","columns":{"path":"/usr/local/bin/hello","sha256":"$NEW"}}` + "\n" +
			`{"name":"hello","hostIdentifier":"host-002.example.com","unixTime":"1795128031","action":"added","columns":{"path":"/usr/local/bin/hello","sha256":"$NEW"}}` + "\n",
		options: inventory.Options{Target: workstation},
		want: inventory.List{Format: inventory.Osquery, Newest: late, Oldest: late, Endpoints: []inventory.Endpoint{
			{ID: "host-001.example.com", Target: workstation, SHA256: newDigest, SeenAt: late},
			{ID: "host-002.example.com", Target: workstation, SeenAt: late}}},
	},
	"osqueryd, snapshots": {
		text: `{"snapshot":[{"path":"/usr/local/bin/hello","sha256":"$OLD"}],"action":"snapshot","name":"hello","hostIdentifier":"host-001.example.com","unixTime":1795128031}` + "\n" +
			`{"snapshot":[{"path":"/usr/local/bin/other","sha256":"$OLD"},{"path":"/usr/local/bin/hello","sha256":"$NEW"}],"action":"snapshot","name":"hello","hostIdentifier":"host-001.example.com","unixTime":1795162500}` + "\n" +
			`{"snapshot":[],"action":"snapshot","name":"hello","hostIdentifier":"host-002.example.com","unixTime":1795128031}` + "\n" +
			`{"snapshot":[{"path":"/usr/local/bin/other","sha256":"$OLD"}],"action":"snapshot","name":"hello","hostIdentifier":"host-003.example.com","unixTime":1795162500}` + "\n",
		options: inventory.Options{Target: workstation, Path: hello},
		want: inventory.List{Format: inventory.Osquery, Newest: late, Oldest: early, Endpoints: []inventory.Endpoint{
			{ID: "host-001.example.com", Target: workstation, SHA256: newDigest, SeenAt: late},
			{ID: "host-002.example.com", Target: workstation, SeenAt: early},
			{ID: "host-003.example.com", Target: workstation, SeenAt: late}}},
	},
	"osqueryd, named by a decoration": {
		text: `{"name":"hello","hostIdentifier":"host-001","unixTime":1795162500,"decorations":{"host_uuid":"4AB2906D-5516"},"action":"added","columns":{"path":"/usr/local/bin/hello","sha256":"$NEW","target":"t"}}` + "\n" +
			`{"name":"hello","hostIdentifier":"host-001","unixTime":1795162500,"decorations":{"host_uuid":"5BC3017E-6627","target":"t"},"action":"snapshot","snapshot":[]}`,
		options: inventory.Options{Columns: map[string]string{"id": "host_uuid"}},
		want: inventory.List{Format: inventory.Osquery, Newest: late, Oldest: late, Endpoints: []inventory.Endpoint{
			{ID: "4AB2906D-5516", Target: "t", SHA256: newDigest, SeenAt: late}, {ID: "5BC3017E-6627", Target: "t", SeenAt: late}}},
	},
	"jamf": {
		text: "Computer Name,Serial Number,Last Inventory Update,Operating System Version,rollproof sha256\n" +
			"Ada's MacBook,C02EXAMPLE01,2026-11-20T08:15:00Z,26.1,$NEW\n" +
			"Grace's MacBook,C02EXAMPLE02,1795128031000,26.1,\n" +
			"Build Mac,C02EXAMPLE03,2026-11-20 08:15:00,26.1,$OLD\n",
		options: inventory.Options{Target: mac, Location: time.UTC},
		want: inventory.List{Format: inventory.Jamf, Newest: late, Oldest: early, Endpoints: []inventory.Endpoint{
			{ID: "C02EXAMPLE01", Target: mac, SHA256: newDigest, SeenAt: late},
			{ID: "C02EXAMPLE02", Target: mac, SeenAt: early},
			{ID: "C02EXAMPLE03", Target: mac, SHA256: oldDigest, SeenAt: late}}},
	},
	"jamf by name": {
		text:    "Computer Name,Last Inventory Update,Hello digest\nAda's MacBook,2026-11-20T08:15:00Z,$NEW\n",
		options: inventory.Options{Target: mac, Columns: map[string]string{"sha256": "Hello digest"}},
		want: inventory.List{Format: inventory.Jamf, Newest: late, Oldest: late, Endpoints: []inventory.Endpoint{
			{ID: "Ada's MacBook", Target: mac, SHA256: newDigest, SeenAt: late}}},
	},
	"intune, devices": {
		text: "\ufeffDevice ID,Device name,Last check-in,PreRemediationDetectionScriptOutput\r\n" +
			"0f8fad5b-d9cb-469f-a165-70867728950e,PC-001,2026-11-20 08:15:00.0000000,sha256=$NEW\r\n" +
			"7c9e6679-7425-40de-944b-e07fc1f90ae7,PC-002,0001-01-01 00:00:00.0000000,\r\n" +
			"8a6e0804-2bd0-4672-b79d-d97027f9071a,PC-003,2026-11-20 08:15:00.9999999,\"hello 1.4.2\r\nsha256=" + strings.ToUpper(oldDigest) + " \"\r\n",
		options: inventory.Options{Target: "t", Location: time.UTC, SeenAt: late},
		want: inventory.List{Format: inventory.Intune, Newest: late, Endpoints: []inventory.Endpoint{
			{ID: "0f8fad5b-d9cb-469f-a165-70867728950e", Target: "t", SHA256: newDigest, SeenAt: late},
			{ID: "7c9e6679-7425-40de-944b-e07fc1f90ae7", Target: "t"},
			{ID: "8a6e0804-2bd0-4672-b79d-d97027f9071a", Target: "t", SHA256: oldDigest, SeenAt: late}}},
	},
	"intune, remediation": {
		text: "DeviceId,DeviceName,ModifiedTime,PreRemediationDetectionScriptOutput,Last check-in\n" +
			"0f8fad5b,PC-001,2026-11-19 22:40:31.0000000,$NEW,2026-11-20 08:15:00.0000000\n7c9e6679,PC-002,2026-11-19 22:40:31,sha256=,\n",
		options: inventory.Options{Target: "t", Location: time.UTC},
		want: inventory.List{Format: inventory.Intune, Newest: early, Oldest: early, Endpoints: []inventory.Endpoint{
			{ID: "0f8fad5b", Target: "t", SHA256: newDigest, SeenAt: early}, {ID: "7c9e6679", Target: "t", SeenAt: early}}},
	},
}

// Each format is read alike whether it is named or guessed, and what was read is
// read back from its normal form.
func TestReadFormats(t *testing.T) {
	for name, test := range formats {
		t.Run(name, func(t *testing.T) {
			for _, format := range []inventory.Format{test.options.Format, test.want.Format} {
				o := test.options
				o.Format = format
				got, err := inventory.Read(strings.NewReader(fill(test.text)), o)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("format %q: -want +got\n%s", format, diff)
				}
				roundTrip(t, got)
			}
		})
	}
}

// roundTrip reads a list's normal form and writes it again.
func roundTrip(t *testing.T, l inventory.List) {
	t.Helper()
	written := l.JSONLines()
	again, err := inventory.Read(strings.NewReader(string(written)), inventory.Options{Format: inventory.JSONLines})
	if err != nil {
		t.Fatalf("%v in the normal form\n%s", err, written)
	}
	if got := again.JSONLines(); string(got) != string(written) {
		t.Errorf("the normal form\n%sbecomes\n%s", written, got)
	}
	l.Format = inventory.JSONLines
	if diff := cmp.Diff(l, again); diff != "" {
		t.Errorf("the normal form\n%slost something: -want +got\n%s", written, diff)
	}
}

func TestLocalTimes(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for name, test := range map[string]struct {
		text string
		zone *time.Location
		want string // a time, or part of an error
	}{
		"winter":                 {"2026-11-20 09:15:00", berlin, "2026-11-20T08:15:00Z"},
		"summer":                 {"2026-07-20 09:15:00", berlin, "2026-07-20T07:15:00Z"},
		"twice, the earlier":     {"2026-10-25 02:30:00", berlin, "2026-10-25T00:30:00Z"},
		"never":                  {"2026-03-29 02:30:00", berlin, `time "2026-03-29 02:30:00" was never shown by a clock in Europe/Berlin`},
		"around the world":       {"2026-11-20 22:15:00", zone(t, "Pacific/Kiritimati"), "2026-11-20T08:15:00Z"},
		"fraction":               {"2026-11-20 08:15:00.9999999", time.UTC, "2026-11-20T08:15:00Z"},
		"no zone":                {"2026-11-20 09:15:00", nil, "has no zone, and none was given"},
		"zone of its own":        {"2026-11-20T09:15:00+01:00", time.UTC, "2026-11-20T08:15:00Z"},
		"T without a zone":       {"2026-11-20T09:15:00", berlin, "expected RFC 3339 or"},
		"one digit":              {"2026-11-20 9:15:00", berlin, "expected RFC 3339 or"},
		"comma":                  {"2026-11-20 09:15:00,5", berlin, "expected RFC 3339 or"},
		"no such day":            {"2026-02-30 09:15:00", berlin, "expected RFC 3339 or"},
		"no such hour":           {"2026-02-20T25:15:00Z", berlin, "expected RFC 3339 or"},
		"American":               {"11/20/2026 09:15", berlin, "expected RFC 3339 or"},
		"unix":                   {"1795162500", berlin, "expected RFC 3339 or"},
		"year 1":                 {"0001-01-01T00:00:00Z", nil, "expected a year from 2000 to 9999"},
		"year 1, local":          {"0001-01-01 00:00:00", time.UTC, "expected a year from 2000 to 9999"},
		"1999":                   {"1999-12-31T23:59:59Z", nil, "expected a year from 2000 to 9999"},
		"2000":                   {"2000-01-01T00:00:00Z", nil, "2000-01-01T00:00:00Z"},
		"year 10000 in UTC":      {"9999-12-31T23:59:59-01:00", nil, "expected a year from 2000 to 9999"},
		"escaped in the message": {"\u202e2026", nil, `time "\u202e2026"`},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := inventory.Read(strings.NewReader("id,sha256,seen_at\nh,,\""+test.text+"\"\n"), inventory.Options{Target: "t", Location: test.zone})
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = l.Newest.Format(time.RFC3339)
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestReadIDs(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		options inventory.Options
		want    map[string][]string
	}{
		"csv":                       {"id,target,note\nb,t1,x\na,t1,y\nb,t2,\nb,t1,z\n", inventory.Options{}, map[string][]string{"t1": {"a", "b"}, "t2": {"b"}}},
		"csv, one target":           {"id\r\nb\r\n a \r\n", inventory.Options{Target: "t"}, map[string][]string{"t": {"a", "b"}}},
		"list":                      {"host-002.example.com\nhost-001.example.com\n\nhost-002.example.com\n", inventory.Options{Target: "t"}, map[string][]string{"t": {"host-001.example.com", "host-002.example.com"}}},
		"list of Windows":           {"\ufeffhost-002\r\nhost-001", inventory.Options{Target: "t"}, map[string][]string{"t": {"host-001", "host-002"}}},
		"own column":                {"Host,Role\na,x\n", inventory.Options{Target: "t", Columns: map[string]string{"id": "Host", "sha256": "unused"}, Format: inventory.CSV}, map[string][]string{"t": {"a"}}},
		"jamf":                      {"Serial Number\nC02EXAMPLE01\n", inventory.Options{Target: "t"}, map[string][]string{"t": {"C02EXAMPLE01"}}},
		"intune":                    {"Device name,OS\nPC-001,Windows\n", inventory.Options{Target: "t"}, map[string][]string{"t": {"PC-001"}}},
		"jsonl":                     {`{"id":"a","target":"t","sha256":7}`, inventory.Options{}, map[string][]string{"t": {"a"}}},
		"osqueryi":                  {`[{"hostname":"a"}]`, inventory.Options{Target: "t"}, map[string][]string{"t": {"a"}}},
		"osqueryd":                  {`{"name":"q","hostIdentifier":"a","action":"snapshot","snapshot":[]}`, inventory.Options{Target: "t", Path: hello}, map[string][]string{"t": {"a"}}},
		"osqueryd, other path":      {`{"name":"q","hostIdentifier":"a","action":"snapshot","snapshot":[{"target":"t","path":"/q"}]}`, inventory.Options{Path: hello}, map[string][]string{"t": {"a"}}},
		"digests that do not agree": {"id,target,sha256\na,t,$NEW\na,t,$OLD\n", inventory.Options{}, map[string][]string{"t": {"a"}}},
		"header alone":              {"id,target\n", inventory.Options{}, map[string][]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inventory.ReadIDs(strings.NewReader(fill(test.text)), test.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestReadIDsRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		options inventory.Options
		want    string
	}{
		"list without a target":  {"host-001\n", inventory.Options{}, `csv (no column for id`},
		"list with a comma":      {"host-001\nhost-002,host-003\n", inventory.Options{Target: "t"}, "line 2: 2 cells, expected 1"},
		"two cells":              {"host-001,a\nhost-002,b\n", inventory.Options{Target: "t"}, "no column for id"},
		"list with a hidden id":  {"host-001\nhost-0\u200b02\n", inventory.Options{Target: "t"}, "U+200B"},
		"header in another case": {"ID\nhost-001\n", inventory.Options{Target: "t"}, `expected "id", found "ID"`},
		"header of osquery":      {"Hostname\nhost-001\n", inventory.Options{Target: "t"}, `no column for id`},
		"two formats":            {"id,Serial Number\na,b\n", inventory.Options{Target: "t"}, "columns fit both csv and jamf"},
		"empty":                  {"", inventory.Options{Target: "t"}, "empty"},
		"bad default":            {"a\n", inventory.Options{Target: "t\n"}, "inventory option Target"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inventory.ReadIDs(strings.NewReader(test.text), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, want an error with %s", got, err, test.want)
			}
		})
	}
}

// JSONLines has one order, whoever made the list.
func TestJSONLinesSorts(t *testing.T) {
	l := inventory.List{Endpoints: []inventory.Endpoint{
		{ID: "b", Target: "t", SHA256: newDigest, SeenAt: late.In(time.FixedZone("", 3600))}, {ID: "<a&>", Target: "t"}, {ID: "c", Target: "s"}}}
	want := fill(`{"id":"c","target":"s","sha256":"","seen_at":""}
{"id":"<a&>","target":"t","sha256":"","seen_at":""}
{"id":"b","target":"t","sha256":"$NEW","seen_at":"2026-11-20T08:15:00Z"}
`)
	if got := string(l.JSONLines()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if l.Endpoints[0].ID != "b" {
		t.Error("the caller's list was sorted, too")
	}
}

// The vector was made with openssl dgst -sha256 -mac HMAC.
func TestPseudonym(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	const want = "5c9dd65069a3d32e2ad484abccb5d1b9d37113b8f0be1ace48936f4c0c925aff"
	for _, id := range []string{"host-001.example.com", " host-001.example.com\r\n"} {
		if got, err := inventory.Pseudonym(key, id); err != nil || got != want {
			t.Errorf("Pseudonym(%q) = %s, %v, want %s", id, got, err, want)
		}
	}
	if got, _ := inventory.Pseudonym([]byte("0123456789abcdef0123456789abcdeF"), "host-001.example.com"); got == want {
		t.Error("another key makes the same pseudonym")
	}
	var option *inventory.OptionError
	for _, short := range [][]byte{nil, key[:31]} {
		if got, err := inventory.Pseudonym(short, "h"); !errors.As(err, &option) || got != "" {
			t.Errorf("a key of %d bytes: %q, %v", len(short), got, err)
		}
	}
	var format *inventory.FormatError
	for _, id := range []string{"", " ", "a\u202eb", "h\xf6st", strings.Repeat("a", inventory.MaxID+1)} {
		if got, err := inventory.Pseudonym(key, id); !errors.As(err, &format) || got != "" {
			t.Errorf("Pseudonym(%q) = %q, %v", id, got, err)
		}
	}
}
