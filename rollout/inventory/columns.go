package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A field is something a row may say.
type field int

const (
	id field = iota
	target
	filePath
	sha256sum
	seenAt
	fields
)

// fieldNames are the keys of Options.Columns and the columns of our own formats.
var fieldNames = [fields]string{"id", "target", "path", "sha256", "seen_at"}

// An event says how a row follows on earlier ones about the same endpoint.
type event int

const (
	states  event = iota // this is what the endpoint has
	removes              // the endpoint had this and has it no more
)

// A row is what a line, a record or an element says, each text without spaces
// around.
type row struct {
	number int // of the line or element, from 1
	event  event
	text   [fields]string
	has    [fields]bool // there is a column for it
}

// A kind is a way to name columns and to write what is in them.
type kind struct {
	names   [fields][]string // in order of preference
	epoch   time.Duration    // unit of times that are plain numbers; 0 takes none
	never   bool             // times of the year 1 stand for none
	output  bool             // the digest stands in the output of a script
	log     bool             // rows are events, a newer one supersedes
	ofFiles bool             // a path is always needed
}

var (
	ours = kind{names: [fields][]string{{"id"}, {"target"}, {"path"}, {"sha256"}, {"seen_at"}}}

	osqueryRows = kind{
		names:   [fields][]string{{"hostname"}, {"target"}, {"path"}, {"sha256"}, {"unix_time"}},
		epoch:   time.Second,
		ofFiles: true,
	}
	osqueryLog = kind{
		names:   [fields][]string{{"hostIdentifier"}, {"target"}, {"path"}, {"sha256"}, {"unixTime"}},
		epoch:   time.Second,
		log:     true,
		ofFiles: true,
	}
	jamf = kind{
		names: [fields][]string{
			{"Serial Number", "Computer Name"}, {"target"}, {"path"}, {"rollproof sha256"}, {"Last Inventory Update"}},
		epoch: time.Millisecond,
	}
	intune = kind{
		names: [fields][]string{
			{"Device ID", "DeviceId", "Device name", "DeviceName"}, {"target"}, {"path"},
			{"PreRemediationDetectionScriptOutput"}, {"ModifiedTime", "Last check-in"}},
		never:  true,
		output: true,
	}
)

// A layout is a kind's columns under some options.
type layout struct {
	names  [fields][]string
	needed [fields]bool
}

// layout returns the columns of a kind; without digests only those of ids and
// targets.
func (k kind) layout(o Options, digests bool) layout {
	l := layout{names: k.names}
	l.needed[id] = true
	l.needed[target] = o.Target == ""
	l.needed[filePath] = k.ofFiles || o.Path != ""
	l.needed[sha256sum] = true
	l.needed[seenAt] = k.log
	for f, name := range fieldNames {
		if column, ok := o.Columns[name]; ok {
			l.names[f], l.needed[f] = []string{strings.TrimSpace(column)}, true
		}
	}
	if !digests {
		for _, f := range []field{filePath, sha256sum, seenAt} {
			l.names[f], l.needed[f] = nil, false
		}
	}
	return l
}

// choose returns the column of each field, "" where there is none. It fails if a
// needed one is missing; found is asked for the columns there are only then.
func (l layout) choose(has func(column string) bool, found func() []string) (columns [fields]string, err error) {
	for f, names := range l.names {
		i := slices.IndexFunc(names, has)
		if i >= 0 {
			columns[f] = names[i]
		} else if l.needed[f] {
			return columns, missing(fieldNames[f], names, found())
		}
	}
	return columns, nil
}

// missing tells that no column holds something, which names were looked for, which
// columns there are and which of them is nearest.
func missing(what string, names, found []string) error {
	const most = 32
	text := "no column for " + what + ": expected " + list(names, " or ")
	if len(found) == 0 {
		return fmt.Errorf("%s, found none", text)
	}
	text += ", found " + list(found[:min(len(found), most)], ", ")
	if len(found) > most {
		text += fmt.Sprintf(" and %d more", len(found)-most)
	}
	if near := nearest(names, found); near != "" {
		text += ", nearest " + shown(near)
	}
	return fmt.Errorf("%s", text)
}

// list joins names for a message.
func list(names []string, separator string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = shown(name)
	}
	return strings.Join(quoted, separator)
}

// check refuses options that can't be followed.
func (o Options) check() error {
	switch {
	case o.Format != "" && !slices.Contains(Formats, o.Format):
		known := make([]string, len(Formats))
		for i, f := range Formats {
			known[i] = string(f)
		}
		return &OptionError{"Format", fmt.Sprintf("%s, expected one of %s", shown(string(o.Format)), strings.Join(known, ", "))}
	case o.Target != "" && !isTarget(o.Target):
		return &OptionError{"Target", badTarget(o.Target).Error()}
	case !o.SeenAt.IsZero() && !plausible(o.SeenAt):
		return &OptionError{"SeenAt", fmt.Sprintf("%v, expected a year from 2000 to 9999", o.SeenAt.UTC())}
	}
	return checkMapping(o.Columns)
}

// checkMapping refuses unknown keys, empty columns and one column for two things.
func checkMapping(columns map[string]string) error {
	taken := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(columns)) {
		column := strings.TrimSpace(columns[key])
		switch {
		case !slices.Contains(fieldNames[:], key):
			text := fmt.Sprintf("%s, expected one of %s", shown(key), strings.Join(fieldNames[:], ", "))
			if near := nearest([]string{key}, fieldNames[:]); near != "" {
				text += ", nearest " + near
			}
			return &OptionError{"Columns", text}
		case column == "":
			return &OptionError{"Columns", "no column named for " + key}
		case taken[column] != "":
			return &OptionError{"Columns", fmt.Sprintf("column %s for both %s and %s", shown(column), taken[column], key)}
		}
		taken[column] = key
	}
	return nil
}
