package osv

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollproof/rollproof/release/archive"
)

// An entry is the part of an OSV entry that is used. The format is other people's:
// fields that are not known are left alone, as its versioning wants it.
type entry struct {
	SchemaVersion    string          `json:"schema_version"`
	ID               string          `json:"id"`
	Modified         string          `json:"modified"`
	Withdrawn        string          `json:"withdrawn"`
	Aliases          []string        `json:"aliases"`
	Summary          string          `json:"summary"`
	Details          string          `json:"details"`
	Severity         []severity      `json:"severity"`
	Affected         []affected      `json:"affected"`
	DatabaseSpecific json.RawMessage `json:"database_specific"`

	modified time.Time
	level    Level // that the database gives in words
}

type severity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

type affected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Severity          []severity      `json:"severity"`
	Ranges            []versionRange  `json:"ranges"`
	Versions          []string        `json:"versions"`
	EcosystemSpecific json.RawMessage `json:"ecosystem_specific"`
	DatabaseSpecific  json.RawMessage `json:"database_specific"`

	packages []string // import paths
}

type versionRange struct {
	Type   string  `json:"type"`
	Events []event `json:"events"`
}

// An event has one of its fields.
type event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
	Limit        string `json:"limit"`
}

// idPattern holds the identifiers of every database that the specification lists.
var idPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,199}$`) })

// parseEntry reads an entry. One that has nothing of the Go ecosystem is nil.
func parseEntry(data []byte) (*entry, error) {
	var e entry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("no OSV entry: %s", archive.Printable(err.Error()))
	}
	if e.ID == "" {
		return nil, errors.New("no OSV entry: it has no id")
	}
	if v := e.SchemaVersion; v != "" && !strings.HasPrefix(v, "1.") {
		return nil, fmt.Errorf("schema_version is %.40q, expected 1.x", v)
	}
	e.Affected = slices.DeleteFunc(e.Affected, func(a affected) bool { return a.Package.Ecosystem != "Go" })
	if len(e.Affected) == 0 {
		return nil, nil
	}
	return &e, e.check()
}

func (e *entry) check() error {
	for _, id := range append([]string{e.ID}, e.Aliases...) {
		if !idPattern().MatchString(id) {
			return fmt.Errorf("id or alias %.100q: expected at most 200 letters, digits and . _ : / + -", id)
		}
	}
	var err error
	if e.modified, err = parseTime("modified", e.Modified); err != nil {
		return err
	}
	if e.Withdrawn != "" {
		if _, err := parseTime("withdrawn", e.Withdrawn); err != nil {
			return err
		}
	}
	e.level = wordLevel(e.DatabaseSpecific)
	for i := range e.Affected {
		a := &e.Affected[i]
		if a.Package.Name == "" {
			return errors.New("affected package has no name")
		}
		a.packages = importsOf(a.EcosystemSpecific)
		e.level = max(e.level, wordLevel(a.DatabaseSpecific))
	}
	return nil
}

// parseTime reads a time of RFC 3339 that has four digits for its year in UTC as well.
func parseTime(field, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if year := t.UTC().Year(); err != nil || year < 1 || year > 9999 {
		return t, fmt.Errorf("%s is %.40q, expected a time of RFC 3339 from the year 1 to 9999", field, text)
	}
	return t, nil
}

// wordLevel reads the word that databases keep in database_specific.severity. What is
// written there is each database's own affair, so that anything else is unknown.
func wordLevel(specific json.RawMessage) Level {
	var words struct {
		Severity any `json:"severity"`
	}
	if json.Unmarshal(specific, &words) != nil {
		return Unknown
	}
	word, _ := words.Severity.(string)
	word = strings.ToLower(word)
	if word == "moderate" {
		word = "medium"
	}
	level, err := ParseLevel(word)
	if err != nil {
		return Unknown
	}
	return level
}

// importsOf lists the packages that the Go database names in ecosystem_specific.
func importsOf(specific json.RawMessage) []string {
	var fields struct {
		Imports []struct {
			Path string `json:"path"`
		} `json:"imports"`
	}
	if json.Unmarshal(specific, &fields) != nil {
		return nil
	}
	var paths []string
	for _, i := range fields.Imports {
		if i.Path != "" {
			paths = append(paths, i.Path)
		}
	}
	return paths
}
