package trust

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Patterns with counts take long to compile, and most runs need none of them.
var (
	personID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,63}$`) })
	// scopeName is the strict pattern of projects, environments and rings.
	scopeName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`) })
	// emailForm is narrower than RFC 5321: no quoting, no comments, ASCII alone.
	emailForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
	})
	// originForm is a name that can stand in a checkpoint's first line and in a
	// signed note (C2SP signed-note): no space, no plus.
	originForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[!-*,-~]{1,255}$`) })
)

const maxName = 128 // bytes

// checkName refuses names that could pass for another's: not in NFC, of mixed
// scripts, or with characters that do not show.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return fmt.Errorf("a name of %d bytes, expected 1 to %d", len(name), maxName)
	case !utf8.ValidString(name):
		return errors.New("a name that is not UTF-8")
	case !norm.NFC.IsNormalString(name):
		return fmt.Errorf("name %+q is not in Unicode's form NFC", name)
	case strings.TrimSpace(name) != name || strings.Contains(name, "  "):
		return fmt.Errorf("name %+q has spaces at an end or two together", name)
	}
	return checkLetters(name)
}

func checkLetters(name string) error {
	found := map[string]rune{}
	for _, r := range name {
		switch {
		case strings.ContainsRune(" '-.,()’·", r) || r >= '0' && r <= '9':
		case unicode.IsLetter(r) || unicode.IsMark(r):
			if compatible(r) {
				return fmt.Errorf("name %+q holds %U, another form of %+q", name, r, norm.NFKC.String(string(r)))
			}
			if s := script(r); s != "Common" && s != "Inherited" {
				found[s] = r
			}
		default:
			return fmt.Errorf("name %+q holds %U, which is no letter", name, r)
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("name %+q has no letter", name)
	}
	if len(found) > 1 && !together(found) {
		scripts := slices.Sorted(maps.Keys(found))
		return fmt.Errorf("name %+q mixes scripts: %U is %s, %U is %s", name, found[scripts[0]], scripts[0], found[scripts[1]], scripts[1])
	}
	return nil
}

// compatible reports whether r is a form of other letters (wide, mathematical, a
// ligature), which NFC keeps apart and people do not. Sara am of Thai and Lao has
// such a mapping and is an ordinary letter.
func compatible(r rune) bool {
	return r != 'ำ' && r != 'ຳ' && !norm.NFKC.IsNormalString(string(r))
}

// script returns the Unicode script of a letter.
func script(r rune) string {
	if r < utf8.RuneSelf {
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "Unknown"
}

// together reports whether scripts are written together in one language (UTS #39
// section 5.1: Japanese, Korean, and Chinese with Bopomofo).
func together(found map[string]rune) bool {
	for _, system := range [][]string{{"Han", "Hiragana", "Katakana"}, {"Han", "Hangul"}, {"Han", "Bopomofo"}} {
		all := true
		for s := range found {
			all = all && slices.Contains(system, s)
		}
		if all {
			return true
		}
	}
	return false
}

func checkEmail(email string) error {
	if email != "" && (len(email) > 254 || !emailForm().MatchString(email)) {
		return fmt.Errorf("e-mail %+q is not of the form name@host in ASCII", email)
	}
	return nil
}
