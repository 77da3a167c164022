package service

import "testing"

// No spreadsheet reads a cell as a formula, and no cell hides characters.
func TestCSVCells(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "",
		"age":               "age",
		"=HYPERLINK(\"x\")": "'=HYPERLINK(\"x\")",
		"+1":                "'+1",
		"-1":                "'-1",
		"@SUM(A1)":          "'@SUM(A1)",
		"a=b":               "a=b",
		"\t=1":              `\u{9}=1`,
		"\r=1":              `\u{d}=1`,
		"\u202e=1":          `\u{202e}=1`,
	} {
		if got := Cell(text); got != want {
			t.Errorf("%q: %q, expected %q", text, got, want)
		}
	}
}
