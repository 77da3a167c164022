package license

import "strings"

// A kind is what the name of a file promises.
type kind int

const (
	other     kind = iota
	license        // states a license
	copyright      // COPYRIGHT: often a license, often only whose work it is
	notice         // states copyright, never a license
)

var stems = []struct {
	name string
	kind kind
}{
	{"license", license},
	{"licence", license},
	{"licenses", license},
	{"licences", license},
	{"copying", license},
	{"unlicense", license},
	{"unlicence", license},
	{"copyright", copyright},
	{"notice", notice},
}

// notText holds extensions of files that are named after a license but are
// code, data, images or templates.
var notText = map[string]bool{
	".go": true, ".c": true, ".cc": true, ".cpp": true, ".h": true, ".java": true, ".js": true, ".ts": true, ".css": true,
	".py": true, ".rb": true, ".rs": true, ".sh": true, ".bash": true, ".ps1": true, ".bat": true, ".pl": true,
	".json": true, ".yaml": true, ".yml": true, ".toml": true, ".xml": true, ".csv": true, ".tsv": true, ".lock": true, ".spdx": true,
	".png": true, ".svg": true, ".jpg": true, ".jpeg": true, ".gif": true, ".pdf": true, ".docx": true,
	".tmpl": true, ".tpl": true, ".template": true, ".gotmpl": true, ".in": true,
	".asc": true, ".sig": true, ".sha256": true, ".zip": true, ".gz": true,
}

// IsFile reports whether [Detect] reads a file of this name, so that a caller
// need not load the others.
func IsFile(name string) bool { return kindOf(name) != other }

func kindOf(name string) kind {
	name = strings.ToLower(name)
	if strings.ContainsAny(name, `/\`) || notText[extension(name)] {
		return other
	}
	for _, s := range stems {
		rest, ok := strings.CutPrefix(name, s.name)
		if ok && (rest == "" || strings.ContainsRune(".-_", rune(rest[0]))) {
			return s.kind
		}
	}
	stem, _, _ := strings.Cut(name, ".")
	for _, end := range []string{"-license", "_license", "-licence", "_licence"} {
		if strings.HasSuffix(stem, end) {
			return license
		}
	}
	return other
}

func extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i:]
	}
	return ""
}
