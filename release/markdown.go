package release

import (
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/release/archive"
)

// Markdown renders release-evidence.md. It is never read back.
func (m *Manifest) Markdown() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\n", EscapeMarkdown(m.Release.Project), EscapeMarkdown(m.Release.Version))
	if m.DryRun {
		b.WriteString("**Dry run: unsigned, never to be rolled out.**\n\n")
	}
	b.WriteString("Rendered from release-evidence.json, which is what counts.\n\n| | |\n|---|---|\n")
	for _, row := range [][2]string{
		{"module", m.Release.Module},
		{"source", m.Release.Source.URI},
		{"directory", m.Release.Source.Directory},
		{"commit", m.Release.Source.GitCommit},
		{"tree", m.Release.Source.GitTree},
		{"commit time (claimed)", m.Release.Source.CommitTime},
		{"toolchain", m.Toolchain},
		{"signed by", m.KeyID},
	} {
		if row[1] != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", row[0], EscapeMarkdown(row[1]))
		}
	}
	b.WriteString("\n## Hazards\n\n")
	if len(m.Hazards) == 0 {
		b.WriteString("None that follows from the commit.\n")
	}
	for _, h := range m.Hazards {
		fmt.Fprintf(&b, "- %s: %s\n", EscapeMarkdown(h.ID), EscapeMarkdown(h.Detail))
	}
	b.WriteString("\n## Binaries\n\n| binary | platform | main package | version in build info |\n|---|---|---|---|\n")
	for _, x := range m.Binaries {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", EscapeMarkdown(x.Path), EscapeMarkdown(x.Platform.String()), EscapeMarkdown(x.Main), EscapeMarkdown(x.GoVersion))
	}
	b.WriteString("\n## Files\n\n| file | role | bytes | sha256 |\n|---|---|---:|---|\n")
	for _, f := range m.Files {
		fmt.Fprintf(&b, "| %s | %s | %d | `%s` |\n", EscapeMarkdown(f.Path), f.Role, f.Size, f.SHA256)
	}
	return []byte(b.String())
}

// EscapeMarkdown returns text as Markdown that renders as just that text: control,
// bidirectional and zero-width characters are spelled out, special ones escaped.
func EscapeMarkdown(text string) string {
	var b strings.Builder
	for i, r := range archive.Printable(text) {
		if strings.ContainsRune("\\`*_[]<>|~&", r) || i == 0 && strings.ContainsRune("#+-=", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
