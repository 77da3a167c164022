// Package license tells which license a directory's license files state.
//
// [Detect] gets the regular files of one directory, the root of a module or of
// a repository, and answers with an SPDX license expression (SPDX 2.3, Annex
// D), the copyright lines, and the text of every license that has no SPDX
// identifier. It reads bytes and returns facts: no file, no network, no clock.
//
// # Which files count
//
// Names are compared without regard to case. A file is a license file when its
// name is LICENSE, LICENCE, LICENSES, COPYING, COPYRIGHT, UNLICENSE or
// UNLICENCE, or begins with one of them followed by ".", "-" or "_"
// (LICENSE-MIT, COPYING.LESSER, LICENSE.third_party), or ends in one of the
// first two after "-" or "_" (MIT-LICENSE.txt); unless its extension says that
// it is code, data or an image (license.go). NOTICE and PATENTS are no
// licenses; copyright lines are taken from NOTICE as well. A name with a slash
// lies in a subdirectory, whose license is that directory's affair.
//
// # From text to expression
//
// A file stands for the SPDX identifiers of the licenses found in it, when
// these cover at least 95 percent of its words and each has an SPDX
// identifier. A license that is only named by its address does not count. Any
// other file stands for LicenseRef- and the first 16 hexadecimal digits of the
// sha256 of its text, and the text goes along: nothing is guessed.
//
// All that is found is joined with AND, sorted by identifier. Two files, or
// two licenses in one file, may be meant as a choice, but only a person can
// read that from prose; whoever keeps the terms of all of them is safe under
// either reading. A file named COPYRIGHT without a known license in it states
// copyright only and adds no license where another license file exists.
//
// The text of the GNU licenses does not say whether later versions are
// allowed. Where no other words do, it stands for the form that ends in -only,
// as in the SPDX list, whose short form GPL-2.0 means "version 2.0 only".
//
// # Text
//
// Published text is valid UTF-8 with LF line ends: a byte order mark is
// dropped, CR LF and CR become LF, invalid bytes become U+FFFD.
//
// # Example
//
// The files LICENSE-APACHE and LICENSE-MIT with the well-known texts give
//
//	Apache-2.0 AND MIT
//
// and a file LICENSE that reads "Ask Ada.\n" gives
//
//	LicenseRef-5ac51d93297ba76a
package license

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"

	"github.com/google/licensecheck"
)

// coverage is how much of a file, in percent of its words, known licenses must
// account for before the file is named by their identifiers.
const coverage = 95

// A File is a file of the directory that is asked about.
type File struct {
	Name string // base name
	Data []byte
}

// A Result is what the license files of a directory say.
type Result struct {
	Expression string // SPDX license expression; "" when there is no license file
	Copyright  string // copyright lines joined with LF; "" when there is none
	Extracted  []Text // the text behind each LicenseRef of Expression, sorted by ID
}

// A Text is a license that has no SPDX identifier.
type Text struct {
	ID   string // "LicenseRef-" and the first 16 hex of the sha256 of Text
	Text string // valid UTF-8 with LF line ends
}

// Detect reads the license files among files. The order of files does not
// matter; when several have one name, all of them count.
func Detect(files []File) Result {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	var terms []string
	var bare []Text // texts of COPYRIGHT files in which no license was recognized
	refs := map[string]string{}
	var lines copyrightLines
	for _, f := range files {
		kind := kindOf(f.Name)
		if kind == other {
			continue
		}
		text := normalize(f.Data)
		lines.collect(text)
		if kind == notice || strings.TrimSpace(text) == "" {
			continue
		}
		found := identify(text)
		switch {
		case found != nil:
			terms = append(terms, found...)
		case kind == copyright:
			bare = append(bare, reference(text))
		default:
			ref := reference(text)
			terms, refs[ref.ID] = append(terms, ref.ID), ref.Text
		}
	}
	if terms == nil {
		for _, ref := range bare {
			terms, refs[ref.ID] = append(terms, ref.ID), ref.Text
		}
	}
	return Result{Expression: join(terms), Copyright: lines.String(), Extracted: sorted(refs)}
}

// identify returns the expression terms for the licenses that make up text, or
// nil when text is not, or not only, made of licenses with an SPDX identifier.
func identify(text string) []string {
	if term := usualLicense(text); term != "" {
		return []string{term}
	}
	found := licensecheck.Scan([]byte(text))
	if found.Percent < coverage {
		return nil
	}
	var terms []string
	for _, m := range found.Match {
		term := spdxTerm(m.ID)
		if term == "" {
			return nil
		}
		if !m.IsURL {
			terms = append(terms, term)
		}
	}
	return terms
}

// usual are the licenses of most Go modules. A scanner that knows these alone is
// made in a twentieth of the time of one that knows all.
var usual = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

var usualScanner = sync.OnceValues(func() (*licensecheck.Scanner, error) {
	all := licensecheck.BuiltinLicenses()
	return licensecheck.NewScanner(slices.DeleteFunc(all, func(l licensecheck.License) bool {
		return l.LRE == "" || !slices.Contains(usual, l.ID)
	}))
})

// usualLicense returns the term for a text that is one of the usual licenses from its
// first word to its last, "" for any other. No license can match more than all, so
// that a scanner which knows more finds the same.
func usualLicense(text string) string {
	scanner, err := usualScanner()
	if err != nil {
		return ""
	}
	found := scanner.Scan([]byte(text))
	if found.Percent < 100 || len(found.Match) != 1 || found.Match[0].IsURL {
		return ""
	}
	return spdxTerm(found.Match[0].ID)
}

// join sorts terms and joins them with AND.
func join(terms []string) string {
	terms = settleLater(terms)
	slices.Sort(terms)
	terms = slices.Compact(terms)
	if len(terms) > 1 {
		for i, t := range terms {
			if strings.Contains(t, " OR ") {
				terms[i] = "(" + t + ")"
			}
		}
	}
	return strings.Join(terms, " AND ")
}

// reference makes the LicenseRef that stands for text.
func reference(text string) Text {
	sum := sha256.Sum256([]byte(text))
	return Text{ID: "LicenseRef-" + hex.EncodeToString(sum[:8]), Text: text}
}

func sorted(refs map[string]string) []Text {
	var texts []Text
	for id, text := range refs {
		texts = append(texts, Text{ID: id, Text: text})
	}
	slices.SortFunc(texts, func(a, b Text) int { return strings.Compare(a.ID, b.ID) })
	return texts
}

// normalize turns the bytes of a file into text that can be published.
func normalize(data []byte) string {
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	return strings.ToValidUTF8(text, "\ufffd")
}
