package license

import (
	"slices"
	"strings"
)

// notSPDX holds the names of the scanner that the SPDX license list does not
// have. Text that matches one of them is published as text.
var notSPDX = map[string]bool{
	"Aladdin-9":                true,
	"Anti996":                  true,
	"BSD-1-Clause-Clear":       true,
	"BSD-3-Clause-NoTrademark": true,
	"CC-BY-NC-SA-3.0-US":       true,
	"CommonsClause":            true,
	"GooglePatentClause":       true,
	"GooglePatentsFile":        true,
	"MIT-NoAd":                 true,
	"Prosperity-3.0.0":         true,
}

// unversioned holds the names under which the scanner reports the text of a
// GNU license itself. The SPDX list knows them too, as deprecated short forms
// of the identifiers that end in -only.
var unversioned = []string{
	"AGPL-1.0", "AGPL-3.0",
	"GFDL-1.1", "GFDL-1.2", "GFDL-1.3",
	"GPL-1.0", "GPL-2.0", "GPL-3.0",
	"LGPL-2.0", "LGPL-2.1", "LGPL-3.0",
}

// spdxTerm translates a name of the scanner into a term of an SPDX license
// expression. It returns "" for a license that the SPDX list does not have. An
// unversioned GNU license stays as it is: settleLater decides.
func spdxTerm(id string) string {
	switch {
	case notSPDX[id]:
		return ""
	case id == "GPL-2.0-or-3.0":
		return "GPL-2.0-only OR GPL-3.0-only"
	}
	return id
}

// settleLater replaces the term for the bare text of a GNU license: by nothing
// where another term says which versions are allowed, else by the -only form.
func settleLater(terms []string) []string {
	var settled []string
	for _, t := range terms {
		switch {
		case !slices.Contains(unversioned, t):
			settled = append(settled, t)
		case !slices.ContainsFunc(terms, func(other string) bool { return states(other, t) }):
			settled = append(settled, t+"-only")
		}
	}
	return settled
}

// states reports whether term says under which versions the license text may
// be used: GPL-2.0-or-later for GPL-2.0.
func states(term, text string) bool {
	return slices.ContainsFunc(strings.Split(term, " OR "), func(id string) bool { return strings.HasPrefix(id, text+"-") })
}
