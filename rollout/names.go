package rollout

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// Limits in bytes. A rollout's id is the name of a directory, of at most 200 bytes:
// change record, version (100), ring, 8 digits and what joins them.
const (
	maxChange = 50
	maxRing   = 32
	maxReason = 2000
	maxID     = 200
)

var (
	personForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,63}$`)
	hexForm    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// checkName holds a name that can stand in an id or a command line to its pattern.
func checkName(what, name string, limit int) error {
	if err := release.CheckName(what, name); err != nil {
		return err
	}
	if len(name) > limit {
		return fmt.Errorf("%s %q: %d bytes, expected at most %d", what, name, len(name), limit)
	}
	return nil
}

// checkPlace holds the names of an environment and a ring to their pattern.
func checkPlace(environment, ring string) error {
	if err := checkName("environment", environment, maxRing); err != nil {
		return err
	}
	return checkName("ring", ring, maxRing)
}

func checkChange(record string) error {
	if record == "" {
		return nil
	}
	return checkName("change record", record, maxChange)
}

func checkReason(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("no reason is given")
	case len(text) > maxReason:
		return fmt.Errorf("a reason of %d bytes, expected at most %d", len(text), maxReason)
	case !utf8.ValidString(text):
		return errors.New("a reason that is not UTF-8")
	}
	return nil
}

// checkEndpointID refuses ids that could pass for others in a list, or break it.
func checkEndpointID(id string) error {
	if id == "" || len(id) > maxID || archive.Printable(id) != id || strings.TrimSpace(id) != id {
		return fmt.Errorf("endpoint %q: expected 1 to %d bytes without control or invisible characters or spaces at its ends", archive.Printable(id), maxID)
	}
	return nil
}

func checkHex(what, text string) error {
	if !hexForm.MatchString(text) {
		return fmt.Errorf("%s %q: expected 64 lower-case hex digits", what, archive.Printable(text))
	}
	return nil
}

// checkOptional checks a digest that may be missing.
func checkOptional(what, digest string) error {
	if digest != "" && !digestForm.MatchString(digest) {
		return fmt.Errorf("%s %q: expected sha256:… or nothing", what, archive.Printable(digest))
	}
	return nil
}

// checkTime wants whole seconds in UTC, so that a moment has one notation.
func checkTime(what string, t time.Time) error {
	if t.Location() != time.UTC || t.Nanosecond() != 0 || t.Year() < 2000 || t.Year() > 9999 {
		return fmt.Errorf("%s %s: expected whole seconds in UTC (2026-03-02T00:00:00Z)", what, t.Format(time.RFC3339Nano))
	}
	return nil
}

func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// stamp is a time in a message.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// increasing reports whether names are sorted and each stands once.
func increasing(names []string) bool {
	for i := range len(names) - 1 {
		if names[i] >= names[i+1] {
			return false
		}
	}
	return true
}

func quoted(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// unknown says that a word is none of those that are known, with the nearest.
func unknown(what, word string, known []string) string {
	text := fmt.Sprintf("%s %q is not known", what, archive.Printable(word))
	if near := envelope.Nearest(word, known); near != "" {
		return text + fmt.Sprintf(", the nearest known is %q", near)
	}
	return text + ", expected one of " + quoted(known)
}

// actSubject is the subject by which a statement stands on an act.
func actSubject(name string, act evidence.Digest) evidence.Subject {
	return evidence.FileSubject(name, act.Hex())
}

func sameSubjects(a, b []evidence.Subject) bool {
	return slices.EqualFunc(a, b, func(x, y evidence.Subject) bool {
		return x.Name == y.Name && len(x.Digest) == 1 && len(y.Digest) == 1 && x.Digest["sha256"] == y.Digest["sha256"]
	})
}
