package upgrade

import (
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// Markdown renders the report for a change record. It is never read back.
func (r *Report) Markdown() []byte {
	w := &page{}
	w.line("# Upgrade of %s: %s to %s", text(r.New.Project), text(r.Old.Version), text(r.New.Version))
	w.line("")
	w.line("**Result: %s.** %s, %s, %s.", r.Result, count(r.Failed, "finding fails", "findings fail"),
		count(r.Warned, "finding to look at", "findings to look at"), count(r.Noted, "finding for information", "findings for information"))
	w.line("")
	w.sides(r)
	w.findings("What fails", r.of(Fail))
	w.findings("What to look at", r.of(Warn))
	w.table("What else changes", r.of(Info))
	w.sizes(r.Sizes)
	w.rules(r.Rules)
	return []byte(w.String())
}

func (r *Report) of(s Severity) []Finding {
	var list []Finding
	for _, f := range r.Findings {
		if f.Severity == s {
			list = append(list, f)
		}
	}
	return list
}

// A page is Markdown that grows.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func text(s string) string { return release.EscapeMarkdown(s) }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (p *page) sides(r *Report) {
	p.line("| | old | new |\n|---|---|---|")
	for _, row := range [][3]string{
		{"version", r.Old.Version, r.New.Version},
		{"module", r.Old.Module, r.New.Module},
		{"source", r.Old.Source, r.New.Source},
		{"commit", r.Old.Commit, r.New.Commit},
		{"commit time (claimed)", r.Old.CommitTime, r.New.CommitTime},
		{"Go", r.Old.Toolchain, r.New.Toolchain},
		{"licence", license(r.Old.License), license(r.New.License)},
		{"manifest", r.Old.ManifestDigest, r.New.ManifestDigest},
		{"signed by", signers(r.Old), signers(r.New)},
	} {
		p.line("| %s | %s | %s |", row[0], text(row[1]), text(row[2]))
	}
}

func signers(s Side) string {
	if len(s.Signers) == 0 {
		return "nobody"
	}
	return strings.Join(s.Signers, ", ")
}

// findings writes a sentence for each finding.
func (p *page) findings(title string, list []Finding) {
	if len(list) == 0 {
		return
	}
	p.line("\n## %s\n", title)
	for _, f := range list {
		where := ""
		if len(f.Binaries) > 0 {
			where = " In " + text(strings.Join(f.Binaries, ", ")) + "."
		}
		p.line("- **%s** (%s): %s%s", titles[f.ID], f.ID, text(f.Text), where)
	}
}

// table writes a row for each finding.
func (p *page) table(title string, list []Finding) {
	if len(list) == 0 {
		return
	}
	p.line("\n## %s\n\n| | | old | new | binaries |\n|---|---|---|---|---|", title)
	for _, f := range list {
		where := ""
		if len(f.Binaries) > 0 {
			where = strings.Join(f.Binaries, ", ")
		}
		p.line("| %s | %s | %s | %s | %s |", titles[f.ID], text(f.Subject), text(f.Old), text(f.New), text(where))
	}
}

func (p *page) sizes(list []Size) {
	if len(list) == 0 {
		return
	}
	p.line("\n## Sizes\n\n| binary | old bytes | new bytes | change |\n|---|---:|---:|---:|")
	for _, s := range list {
		p.line("| %s | %d | %d | %+d (%+.1f %%) |", text(s.Binary), s.Old, s.New, s.New-s.Old, s.Percent)
	}
}

func (p *page) rules(list []ChangedRule) {
	if len(list) == 0 {
		return
	}
	p.line("\n## Rules that differ from their defaults\n\n| rule | severity | default |\n|---|---|---|")
	for _, r := range list {
		p.line("| %s | %s | %s |", r.ID, r.Severity, r.Default)
	}
}
