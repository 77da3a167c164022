package upgrade

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/rollproof/rollproof/release"
)

// Whatever a package says in free text, the report is a document of its schema, and
// its Markdown has the lines that harmless text would give.
func FuzzTextOfAPackageStaysText(f *testing.F) {
	f.Add("example.com/dep", "v1.0.0", "MIT")
	f.Add("a|b\n# c", "<b>\u202e", strings.Repeat("\x00", 3000))
	f.Fuzz(func(t *testing.T, a, b, c string) {
		lines := func(a, b, c string) int {
			old, now := older(), newer()
			addModule(&now, Module{Path: a, Version: b, License: c})
			setModule(&now, func(m *Module) { m.Replacement = "x" + b })
			now.Hazards = slices.Concat(now.Hazards, []release.Hazard{{ID: "x" + a, Detail: c}})
			now.Targets = append(slices.Clone(now.Targets), release.DeploymentTarget{ID: "x" + c, Channel: a, InstallPath: b})
			r := compare(t, old, now, nil)
			md := string(r.Markdown())
			if i := strings.IndexFunc(md, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) }); i >= 0 {
				t.Errorf("Markdown holds %q", md[i:min(i+8, len(md))])
			}
			return strings.Count(md, "\n")
		}
		if a == "example.com/dep" || a == "example.com/old" || c == "MIT" || c == "" {
			return // these give other findings
		}
		if got, want := lines(a, b, c), lines("z", "z", "z"); got != want {
			t.Errorf("%d lines, expected %d", got, want)
		}
	})
}
