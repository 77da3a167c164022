package rollout

import (
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
)

// Markdown renders the statement of a capture for people. It is never read back.
func Markdown(s evidence.Statement[Rollout]) []byte {
	var b strings.Builder
	r := s.Predicate
	fmt.Fprintf(&b, "# Rollout %s\n\nRendered from %s, which is what counts.\n\n", release.EscapeMarkdown(r.ID), EvidenceFile)
	writeTable(&b, [][2]string{
		{"project", r.Project}, {"version", r.Release.Version}, {"module", r.Release.Module},
		{"source", r.Release.Source.URI}, {"commit", r.Release.Source.GitCommit},
		{"manifest", r.Manifest.String()}, {"closing statement", r.Package.String()},
		{"environment", r.Environment}, {"ring", r.Ring}, {"change record", r.ChangeRecord}, {"status", string(r.Status)},
		{"planned", r.Window.words()}, {"promotion", r.Execution},
		{"operator (claimed)", r.Actor.Person + " with " + r.Actor.KeyID}, {"time (claimed)", stamp(r.Claimed)},
		{"trust", fmt.Sprintf("version %d, %s", r.Trust.Version, r.Trust.Digest)}, {"log seen", seenWords(r.Seen)},
	})
	b.WriteString("\n## Targets\n\n| target | platform | binary | sha256 | installed at | goes back to |\n|---|---|---|---|---|---|\n")
	for _, t := range r.Targets {
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` | %s | %s |\n", release.EscapeMarkdown(t.ID), release.EscapeMarkdown(t.Platform.String()),
			release.EscapeMarkdown(t.Binary), t.SHA256, release.EscapeMarkdown(t.InstallPath), release.EscapeMarkdown(t.Rollback.words()))
	}
	b.WriteString("\n## Verification of the package\n\n| check | subject | result |\n|---|---|---|\n")
	for _, c := range r.Verification {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", release.EscapeMarkdown(c.ID), release.EscapeMarkdown(c.Subject), release.EscapeMarkdown(string(c.Result)))
	}
	return []byte(b.String())
}

// writeTable writes rows of two cells and leaves out those without a value.
func writeTable(b *strings.Builder, rows [][2]string) {
	b.WriteString("| | |\n|---|---|\n")
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(b, "| %s | %s |\n", row[0], release.EscapeMarkdown(row[1]))
		}
	}
}

func (p *Planned) words() string {
	if p == nil {
		return ""
	}
	return stamp(p.From) + " to " + stamp(p.To)
}

func (r Rollback) words() string {
	if r.Manifest == "" {
		return "nothing that the log knew"
	}
	return r.Version + " (" + r.Manifest + ")"
}

func seenWords(c *evidence.Checkpoint) string {
	if c == nil {
		return "none"
	}
	return fmt.Sprintf("%d records of %s with root %s", c.Size, c.Origin, c.Root)
}
