package inventory_test

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rollproof/rollproof/rollout/inventory"
)

var (
	targetPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`) // of schemas/endpoint-deployment
	digestPattern = regexp.MustCompile(`^([0-9a-f]{64})?$`)
)

// seeds adds a source of each format, and hostile ones.
func seeds(f *testing.F) {
	for _, test := range formats {
		f.Add([]byte(fill(test.text)), string(test.options.Format), test.options.Path)
	}
	for _, test := range hostile {
		if len(test.text) < 1000 {
			f.Add([]byte(fill(test.text)), string(test.options.Format), test.options.Path)
		}
	}
}

func fuzzed(format, path string) inventory.Options {
	return inventory.Options{Format: inventory.Format(format), Path: path, Target: workstation, Location: time.UTC}
}

func wellFormedID(t *testing.T, id string) {
	t.Helper()
	if id == "" || len(id) > inventory.MaxID || strings.TrimSpace(id) != id || !utf8.ValidString(id) ||
		strings.ContainsFunc(id, func(r rune) bool {
			return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar
		}) {
		t.Errorf("accepted the id %q", id)
	}
}

// Whatever is read, every endpoint keeps the rules of the package comment, no pair
// of target and id is there twice, and there are no more endpoints than rows fit in.
func FuzzReadIsBoundedAndClean(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte, format, path string) {
		l, err := inventory.Read(bytes.NewReader(data), fuzzed(format, path))
		if err != nil {
			sound(t, err)
			return
		}
		if len(l.Endpoints) > len(data)/2 || !slices.Contains(inventory.Formats, l.Format) {
			t.Errorf("%d endpoints of %q in %d bytes", len(l.Endpoints), l.Format, len(data))
		}
		for i, e := range l.Endpoints {
			wellFormedID(t, e.ID)
			if !targetPattern.MatchString(e.Target) || !digestPattern.MatchString(e.SHA256) {
				t.Errorf("accepted %+v", e)
			}
			if e.SeenAt.Location() != time.UTC || e.SeenAt.Nanosecond() != 0 || e.SeenAt.Before(l.Oldest) || e.SeenAt.After(l.Newest) {
				t.Errorf("accepted %+v between %v and %v", e, l.Oldest, l.Newest)
			}
			if i > 0 && l.Endpoints[i-1].Target+"\x00"+l.Endpoints[i-1].ID >= e.Target+"\x00"+e.ID {
				t.Errorf("%+v after %+v", e, l.Endpoints[i-1])
			}
		}
	})
}

// What is read in any format comes back from the normal form as it was, and the
// normal form has one encoding.
func FuzzJSONLinesRoundTrip(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte, format, path string) {
		if l, err := inventory.Read(bytes.NewReader(data), fuzzed(format, path)); err == nil {
			roundTrip(t, l)
		}
	})
}

// The order of rows, and how many bytes a reader gives at once, change nothing.
func FuzzOrderOfLinesDoesNotMatter(f *testing.F) {
	f.Add("a,t,,", "b,t,$NEW,2026-11-20T08:15:00Z", "a,t,,2026-11-19T22:40:31Z")
	f.Add("a,t,$NEW,", "a,t,$OLD,", "b,t,,")
	f.Fuzz(func(t *testing.T, x, y, z string) {
		if strings.ContainsAny(x+y+z, "\"\r\n") {
			t.Skip("more than one line")
		}
		read := func(lines ...string) (string, error) {
			text := header + fill(strings.Join(lines, "\n")) + "\n"
			l, err := inventory.Read(oneByte{strings.NewReader(text)}, inventory.Options{Format: inventory.CSV})
			return string(l.JSONLines()), err
		}
		want, wantErr := read(x, y, z)
		for _, order := range [][]string{{z, y, x}, {y, x, z}, {x, z, y}} {
			if got, err := read(order...); got != want || (err == nil) != (wantErr == nil) {
				t.Errorf("%q gives\n%s%v\n%q gives\n%s%v", []string{x, y, z}, want, wantErr, order, got, err)
			}
		}
	})
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

// Ids come back sorted, each once and well-formed, and reading them again as a list
// gives the same.
func FuzzIDsAreASet(f *testing.F) {
	seeds(f)
	f.Add([]byte("host-002\nhost-001\n"), "", "")
	f.Fuzz(func(t *testing.T, data []byte, format, path string) {
		o := fuzzed(format, path)
		ids, err := inventory.ReadIDs(bytes.NewReader(data), o)
		if err != nil {
			sound(t, err)
			return
		}
		for target, list := range ids {
			if len(list) == 0 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
				t.Errorf("target %q has %q", target, list)
			}
			for _, id := range list {
				wellFormedID(t, id)
			}
		}
		// A row of which Read makes an endpoint is a row of an id.
		l, err := inventory.Read(bytes.NewReader(data), o)
		if err != nil {
			return
		}
		for _, e := range l.Endpoints {
			if _, found := slices.BinarySearch(ids[e.Target], e.ID); !found {
				t.Errorf("Read has %s of %s, ReadIDs has not", e.ID, e.Target)
			}
		}
	})
}

// Pseudonyms of two ids differ, and one that is short of a rule gets none.
func FuzzPseudonymIsOfOneID(f *testing.F) {
	key := bytes.Repeat([]byte{7}, 32)
	f.Add("host-001", "host-002")
	f.Add(" host-001", "host-001\t")
	f.Add("a\u202eb", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		first, err := inventory.Pseudonym(key, a)
		var format *inventory.FormatError
		if err != nil {
			if !errors.As(err, &format) || first != "" {
				t.Errorf("Pseudonym(%q) = %q, %v", a, first, err)
			}
			return
		}
		wellFormedID(t, strings.TrimSpace(a))
		second, err := inventory.Pseudonym(key, b)
		if err == nil && (first == second) != (strings.TrimSpace(a) == strings.TrimSpace(b)) {
			t.Errorf("%q and %q are %s and %s", a, b, first, second)
		}
	})
}
