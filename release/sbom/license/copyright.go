package license

import (
	"regexp"
	"slices"
	"strings"
)

// Bounds of Result.Copyright. Real modules have one to ten lines; a collection
// of other people's licenses may have hundreds.
const (
	maxLines = 200
	maxRunes = 300 // of one line
)

var (
	// A sign or a year makes any line that begins with the word a statement.
	signed = regexp.MustCompile(`(?i)^(portions )?copyright:?\s+((\(c\)|©)|(\p{L}+\s+)?\d{4}\b)`)
	// Without them the word must be followed by a name: "Copyright The Example Authors".
	named = regexp.MustCompile(`^(Portions )?Copyright:?\s+(by\s+)?(the\s+)?\p{Lu}`)
	sign  = regexp.MustCompile(`^©\s*\S|^\([cC]\)\s*([cC]opyright\b|.*\b(19|20)\d\d\b)`) // a bare (c) may number a list
	// Words of license texts that follow "Copyright" at the beginning of a line.
	legal = regexp.MustCompile(`(?i)^copyright:?\s+(the\s+)?(holders?|owners?|notices?|licen[sc]e\w*|laws?|act|and|or|statement|interest|protection)\b`)
	// A place to fill in: [yyyy], <year>, {name of author}.
	blank = regexp.MustCompile(`(?i)[\[<{]{1,2}\s*(yyyy|year|name|owner|author|copyright|full)`)
	// What stands before the text of a line in comments and lists.
	leader = regexp.MustCompile(`^(?://+|/\*+|#+|\*+|;+|--|>)\s*`)
)

type copyrightLines []string

// collect adds the lines of text that state a copyright and are not known yet.
func (c *copyrightLines) collect(text string) {
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		line = strings.TrimSpace(leader.ReplaceAllString(line, ""))
		if len(*c) == maxLines {
			return
		}
		if !statesCopyright(line) {
			continue
		}
		if runes := []rune(line); len(runes) > maxRunes {
			line = string(runes[:maxRunes])
		}
		if !slices.Contains(*c, line) {
			*c = append(*c, line)
		}
	}
}

func statesCopyright(line string) bool {
	if blank.MatchString(line) {
		return false
	}
	return signed.MatchString(line) || sign.MatchString(line) || named.MatchString(line) && !legal.MatchString(line)
}

func (c copyrightLines) String() string { return strings.Join(c, "\n") }
