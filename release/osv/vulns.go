package osv

import (
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// VulnsType is the in-toto predicate type of a scan's result
// (https://github.com/in-toto/attestation/blob/main/spec/predicates/vulns_02.md).
const VulnsType = "https://in-toto.io/attestation/vulns/v0.2"

// scannerURI names the scanner.
const scannerURI = "https://github.com/rollproof/rollproof"

// A Vulns is the predicate. Its result lists every finding, and as well what could not
// be decided, because an empty list means that nothing was found.
type Vulns struct {
	Scanner  Scanner  `json:"scanner"`
	Metadata Metadata `json:"metadata"`
}

// A Scanner says who looked, with what data, and what he found.
type Scanner struct {
	URI     string        `json:"uri"`
	Version string        `json:"version"`
	DB      VulnsDatabase `json:"db"`
	Result  []VulnsResult `json:"result"`
}

// A VulnsDatabase is the data: its version is its digest.
type VulnsDatabase struct {
	Version    string `json:"version"`
	LastUpdate string `json:"lastUpdate"`
}

// A VulnsResult is one vulnerability of one piece of code.
type VulnsResult struct {
	ID          string              `json:"id"`
	Severity    []VulnsSeverity     `json:"severity"`
	Annotations []map[string]string `json:"annotations"`
}

// A VulnsSeverity is a score, a vector or a word, as its method says.
type VulnsSeverity struct {
	Method string `json:"method"`
	Score  string `json:"score"`
}

// Metadata says when the scan was made, RFC 3339 in UTC.
type Metadata struct {
	ScanStartedOn  string `json:"scanStartedOn"`
	ScanFinishedOn string `json:"scanFinishedOn"`
}

// NewStatement returns the statement about a report whose subjects are the binaries.
// tool is rollproof's own version; the times are the scanner's claim and kept in whole
// seconds.
func NewStatement(r *Report, tool string, started, finished time.Time) evidence.Statement[Vulns] {
	var subjects []evidence.Subject
	for _, b := range r.Binaries {
		subjects = append(subjects, evidence.FileSubject(b.Path, b.SHA256))
	}
	v := Vulns{
		Scanner:  Scanner{scannerURI, tool, VulnsDatabase{r.Database.Digest, r.Database.LastUpdate}, []VulnsResult{}},
		Metadata: Metadata{stamp(started), stamp(finished)},
	}
	for _, f := range r.Findings {
		v.Scanner.Result = append(v.Scanner.Result, VulnsResult{f.ID, f.vulnsSeverities(), []map[string]string{annotations(
			"aliases", strings.Join(f.Aliases, " "), "kind", f.Kind, "module", f.Module, "version", f.Version, "replaces", f.Replaces,
			"fixedIn", strings.Join(f.FixedIn, " "), "binaries", strings.Join(f.Binaries, " "), "decision", "affected")}})
	}
	for _, u := range r.NotChecked {
		v.Scanner.Result = append(v.Scanner.Result, VulnsResult{u.ID, []VulnsSeverity{}, []map[string]string{annotations(
			"aliases", strings.Join(u.Aliases, " "), "kind", u.Kind, "module", u.Module, "version", u.Version,
			"binaries", strings.Join(u.Binaries, " "), "decision", "not-checked", "reason", u.Reason)}})
	}
	return evidence.NewStatement(VulnsType, subjects, v)
}

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// annotations maps names to values, without those that have none.
func annotations(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			m[pairs[i]] = pairs[i+1]
		}
	}
	return m
}

func (f Finding) vulnsSeverities() []VulnsSeverity {
	list := []VulnsSeverity{{"level", f.Level.String()}}
	for _, s := range f.Severities {
		list = append(list, VulnsSeverity{strings.ToLower(s.Method) + "_vector", s.Vector})
		if s.Score != "" {
			list = append(list, VulnsSeverity{strings.ToLower(s.Method) + "_score", s.Score})
		}
	}
	return list
}
