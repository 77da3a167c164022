package translog

import (
	"regexp"
	"strings"
)

// MaxName is the length in bytes of the longest origin or cosigner's name.
const MaxName = 128

// randomDigits is how many hex digits end an origin.
const randomDigits = 16

var hexDigits = regexp.MustCompile(`^[0-9a-f]+$`)

// NewOrigin returns the origin of a new log: name, "-" and random, which is 16
// lower-case hex digits that the caller has drawn. The digits make the logs of two
// stores with one name two logs. It fails with a [*FormatError].
func NewOrigin(name, random string) (string, error) {
	if len(random) != randomDigits || !hexDigits.MatchString(random) {
		return "", malformed("name", "random part %s of an origin, expected %d lower-case hex digits", shown(random), randomDigits)
	}
	if err := CheckName(name); err != nil {
		return "", err
	}
	origin := name + "-" + random
	if err := CheckName(origin); err != nil {
		return "", err
	}
	return origin, nil
}

// CheckName tells whether name may be an origin or a cosigner's name: 1 to MaxName
// bytes of visible ASCII without "+". C2SP signed-note forbids Unicode spaces and
// "+" in key names; here all that could look like another name is refused too. It
// fails with a [*FormatError].
func CheckName(name string) error {
	switch {
	case name == "":
		return malformed("name", "empty")
	case len(name) > MaxName:
		return malformed("name", "%s, expected at most %d", shown(name), MaxName)
	case !visible(name):
		return malformed("name", "%s, expected visible ASCII without spaces", shown(name))
	case strings.Contains(name, "+"):
		return malformed("name", `%s, expected no "+"`, shown(name))
	}
	return nil
}

// visible reports whether s holds nothing but visible ASCII; spaces are not.
func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
