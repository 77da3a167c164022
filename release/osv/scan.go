package osv

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release/archive"
)

// Options say what a scan lets pass.
type Options struct {
	// FailAt is the lowest level that fails. The zero value fails at any.
	FailAt Level
}

// Scan matches what is in the binaries against a database. A database without an
// entry about Go is an error, because it finds nothing whatever is linked.
func Scan(d *Database, f Facts, opts Options) (*Report, error) {
	if len(d.lines) == 0 {
		return nil, errors.New("the database has no entry about Go: nothing could be found")
	}
	if len(f.Binaries) == 0 {
		return nil, errors.New("no binaries to scan")
	}
	r := &Report{
		Schema: ReportSchema, Release: f.Release, ManifestDigest: f.ManifestDigest, Database: d.Source(),
		Binaries: []Scanned{}, Findings: []Finding{}, NotChecked: []Undecided{},
	}
	for _, b := range f.Binaries {
		r.Binaries = append(r.Binaries, Scanned{b.Path, b.SHA256})
	}
	for _, c := range f.codes() {
		r.Codes++
		d.match(r, c)
	}
	r.conclude(opts.FailAt)
	return r, nil
}

// A match is an entry that says that a piece of code is affected.
type match struct {
	candidate
	ruling
}

func (d *Database) match(r *Report, c *code) {
	var matches []match
	for _, x := range d.modules[c.module] {
		switch ruling := x.affected.rule(c.semantic); {
		case ruling.affected:
			matches = append(matches, match{x, ruling})
		case ruling.undecided != "":
			r.undecided(c, x.entry, ruling.undecided)
		}
	}
	for _, group := range groups(matches) {
		r.Findings = append(r.Findings, newFinding(c, group))
	}
	if c.kind == KindDependency || c.kind == KindRelease {
		d.matchBelow(r, c)
	}
}

// matchBelow looks at entries that name a package of a module as if it were one. They
// may as well mean another module of that path.
func (d *Database) matchBelow(r *Report, c *code) {
	for _, name := range d.below(c.module) {
		for _, x := range d.modules[name] {
			if ruling := x.affected.rule(c.semantic); ruling.affected || ruling.undecided != "" {
				r.undecided(c, x.entry, fmt.Sprintf("it is about %s, a package or another module below this one", name))
			}
		}
	}
}

// below lists the names in the database that lie below a module path, without those
// that lie there with a major version, which are other modules.
func (d *Database) below(module string) []string {
	if d.names == nil {
		d.names = sortedKeys(d.modules)
	}
	start, _ := slices.BinarySearch(d.names, module+"/")
	var names []string
	for _, name := range d.names[start:] {
		rest, below := strings.CutPrefix(name, module+"/")
		if !below {
			break
		}
		if first, _, _ := strings.Cut(rest, "/"); !isMajor(first) {
			names = append(names, name)
		}
	}
	return names
}

// isMajor reports whether a path element is a major version: v2, v3, …
func isMajor(element string) bool {
	digits := strings.TrimPrefix(element, "v")
	return digits != element && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// groups joins matches whose entries share a name, directly or through another one.
func groups(matches []match) [][]match {
	parent := make([]int, len(matches))
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	firstOf := map[string]int{} // by name
	for i, m := range matches {
		parent[i] = i
		for _, name := range append([]string{m.entry.ID}, m.entry.Aliases...) {
			if first, known := firstOf[name]; known {
				parent[find(i)] = find(first)
			} else {
				firstOf[name] = i
			}
		}
	}
	members := map[int][]match{}
	for i, m := range matches {
		members[find(i)] = append(members[find(i)], m)
	}
	var list [][]match
	for i := range matches {
		if find(i) == i {
			list = append(list, members[i])
		}
	}
	return list
}

// newFinding is what the entries of one vulnerability say of a piece of code.
func newFinding(c *code, group []match) Finding {
	slices.SortFunc(group, func(a, b match) int { return compareIDs(a.entry.ID, b.entry.ID) })
	f := Finding{
		Kind: c.kind, Module: c.module, Version: plain(c.version), Replaces: plain(c.replaces), Binaries: c.binaries,
		Aliases: []string{}, Severities: []Severity{}, FixedIn: []string{}, Packages: []string{},
	}
	var names []string
	for _, m := range group {
		names = append(append(names, m.entry.ID), m.entry.Aliases...)
		f.FixedIn = append(f.FixedIn, m.fixedIn...)
		for _, p := range m.candidate.affected.packages {
			f.Packages = append(f.Packages, plain(p))
		}
		f.rate(m)
		if f.Summary == "" {
			f.Summary = summaryOf(m.entry)
		}
	}
	slices.SortFunc(names, compareIDs)
	names = slices.Compact(names)
	f.ID, f.Aliases = names[0], append(f.Aliases, names[1:]...)
	f.FixedIn, f.Packages = unique(f.FixedIn), unique(f.Packages)
	return f
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// rate adds the severities of a match.
func (f *Finding) rate(m match) {
	f.Level = max(f.Level, m.entry.level)
	for _, s := range slices.Concat(m.entry.Severity, m.candidate.affected.Severity) {
		x := Severity{Method: plain(s.Type), Vector: plain(s.Score)}
		if s.Type == "CVSS_V3" {
			if tenths, err := baseScore(s.Score); err == nil {
				x.Score = fmt.Sprintf("%d.%d", tenths/10, tenths%10)
				f.Level = max(f.Level, levelOf(tenths))
			}
		}
		if !slices.Contains(f.Severities, x) {
			f.Severities = append(f.Severities, x)
		}
	}
}

// summaryOf is the first line that says something.
func summaryOf(e *entry) string {
	for _, text := range []string{e.Summary, e.Details} {
		line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
		if line != "" {
			return plain(line)
		}
	}
	return ""
}

// maxText is the length in bytes of the longest text that a report takes from
// elsewhere.
const maxText = 500

// plain makes text printable and bounds it.
func plain(text string) string {
	text = archive.Printable(text)
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// idOrder says which name of a vulnerability is shown first.
var idOrder = []string{"GO-", "CVE-", "GHSA-"}

func compareIDs(a, b string) int {
	return cmp.Or(idRank(a)-idRank(b), strings.Compare(a, b))
}

func idRank(id string) int {
	if i := slices.IndexFunc(idOrder, func(prefix string) bool { return strings.HasPrefix(id, prefix) }); i >= 0 {
		return i
	}
	return len(idOrder)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
