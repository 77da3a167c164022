package archive_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rollproof/rollproof/release/archive"
)

func TestPrintable(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", `bin/age 100% "ok" \u{202e} ~`, `bin/age 100% "ok" \u{202e} ~`},
		{"other scripts", "Grüße, Ελλάδα, 日本語, 🚀", "Grüße, Ελλάδα, 日本語, 🚀"},
		{"combining accent", "e\u0301", "e\u0301"},
		{"replacement character", "\ufffd", "\ufffd"},
		{"line break and tab", "a\r\n\tb", `a\u{d}\u{a}\u{9}b`},
		{"NUL", "a\x00", `a\u{0}`},
		{"clear the screen", "\x1b[2J", `\u{1b}[2J`},
		{"DEL", "\x7f", `\u{7f}`},
		{"C1 control", "\u009b2J", `\u{9b}2J`},
		{"right-to-left override", "gpj\u202e.exe", `gpj\u{202e}.exe`},
		{"isolates", "\u2066x\u2069", `\u{2066}x\u{2069}`},
		{"zero width", "a\u200bb\u200dc\ufeff", `a\u{200b}b\u{200d}c\u{feff}`},
		{"soft hyphen", "a\u00adb", `a\u{ad}b`},
		{"separators", "\u2028\u2029", `\u{2028}\u{2029}`},
		{"Hangul filler", "\u3164", `\u{3164}`},
		{"variation selectors", "\ufe0f\U000e0100", `\u{fe0f}\u{e0100}`},
		{"tags", "\U000e0041", `\u{e0041}`},
		{"stray bytes", "a\xff\xfeb", `a\x{ff}\x{fe}b`},
		{"C1 control as a byte", "\x9b", `\x{9b}`},
		{"surrogate", "\xed\xa0\x80", `\x{ed}\x{a0}\x{80}`},
		{"overlong slash", "\xc0\xaf", `\x{c0}\x{af}`},
		{"cut short", "é"[:1], `\x{c3}`},
	}
	for _, test := range tests {
		if got := archive.Printable(test.in); got != test.want {
			t.Errorf("%s: %q prints as %s, expected %s", test.name, test.in, got, test.want)
		}
	}
}

// hidden is what Printable must escape, by the toolchain's own tables.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Bidi_Control, unicode.Join_Control, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// TestPrintableKnowsUnicode fails when a new Unicode version brings characters
// that our own list does not have, and when the list has any that one can see.
func TestPrintableKnowsUnicode(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		escaped := archive.Printable(string(r)) != string(r)
		if hidden(r) && !escaped {
			t.Errorf("%U is not escaped", r)
		}
		if escaped && !hidden(r) && unicode.IsGraphic(r) {
			t.Errorf("%U can be seen and is escaped", r)
		}
	}
}

// FuzzPrintableIsPlain: the result is UTF-8 without hidden characters, doing it
// again changes nothing, and a text without hidden characters stays.
func FuzzPrintableIsPlain(f *testing.F) {
	for _, seed := range []string{"", "plain", "\x1b[2J", "a\u202eb", "\xff", "\xed\xa0\x80", `\u{202e}`, "日本\u200b語"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := archive.Printable(s)
		switch {
		case !utf8.ValidString(p) || strings.ContainsFunc(p, hidden):
			t.Errorf("%q prints as %q", s, p)
		case archive.Printable(p) != p:
			t.Errorf("%q prints as %q, and that as %q", s, p, archive.Printable(p))
		case p != s && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || hidden(r) }):
			t.Errorf("%q is plain and prints as %q", s, p)
		}
	})
}
