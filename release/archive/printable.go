package archive

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unseen lists the characters that act on a terminal, reorder text or take no
// room: categories Cc and Cf, the line and paragraph separators, and everything
// else with the property Default_Ignorable_Code_Point, unassigned ones included.
// The list is our own, as of Unicode 15, and not a table of the toolchain, so
// that one text prints the same from every build.
var unseen = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x0000, Hi: 0x001f, Stride: 1}, // C0 controls
		{Lo: 0x007f, Hi: 0x009f, Stride: 1}, // DEL, C1 controls
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1}, // soft hyphen
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // combining grapheme joiner
		{Lo: 0x0600, Hi: 0x0605, Stride: 1}, // Arabic number signs
		{Lo: 0x061c, Hi: 0x061c, Stride: 1}, // Arabic letter mark
		{Lo: 0x06dd, Hi: 0x06dd, Stride: 1}, // Arabic end of ayah
		{Lo: 0x070f, Hi: 0x070f, Stride: 1}, // Syriac abbreviation mark
		{Lo: 0x0890, Hi: 0x0891, Stride: 1}, // Arabic currency marks
		{Lo: 0x08e2, Hi: 0x08e2, Stride: 1}, // Arabic disputed end of ayah
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, // Mongolian selectors
		{Lo: 0x200b, Hi: 0x200f, Stride: 1}, // zero width space and joiners, direction marks
		{Lo: 0x2028, Hi: 0x202e, Stride: 1}, // separators, embeddings and overrides
		{Lo: 0x2060, Hi: 0x206f, Stride: 1}, // word joiner, invisible operators, isolates
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, // variation selectors
		{Lo: 0xfeff, Hi: 0xfeff, Stride: 1}, // byte order mark
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // halfwidth Hangul filler
		{Lo: 0xfff0, Hi: 0xfffb, Stride: 1}, // interlinear annotation
	},
	R32: []unicode.Range32{
		{Lo: 0x110bd, Hi: 0x110bd, Stride: 1}, // Kaithi number sign
		{Lo: 0x110cd, Hi: 0x110cd, Stride: 1}, // Kaithi number sign above
		{Lo: 0x13430, Hi: 0x1343f, Stride: 1}, // Egyptian hieroglyph format controls
		{Lo: 0x1bca0, Hi: 0x1bca3, Stride: 1}, // shorthand format controls
		{Lo: 0x1d173, Hi: 0x1d17a, Stride: 1}, // musical format controls
		{Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}, // tags, more variation selectors
	},
	LatinOffset: 3,
}

// Printable returns s, safe to print in one line: control, bidirectional and
// zero-width characters become \u{…} and bytes that are not UTF-8 become \x{…},
// in lower-case hex. Line breaks and tabs are control characters too. Everything
// else, a backslash included, stays: the result is for reading, and applying
// Printable again changes nothing.
func Printable(s string) string {
	plain := 0
	for plain < len(s) && s[plain] >= ' ' && s[plain] < 0x7f {
		plain++
	}
	if plain == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:plain])
	for s = s[plain:]; s != ""; {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x{%02x}`, s[0])
		case unicode.Is(unseen, r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		s = s[n:]
	}
	return b.String()
}
