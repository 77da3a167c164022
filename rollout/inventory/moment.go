package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	localTime = "2006-01-02 15:04:05"
	never     = "0001-01-01 00:00:00" // how .NET writes a date that was not set
)

// errForm is for text that is no time.
var errForm = errors.New("not a time")

// moment reads a time, in UTC and whole seconds: a fraction is cut, so that nothing
// was seen later than the source says.
func (k kind) moment(text string, o Options) (time.Time, error) {
	var t time.Time
	var err error
	switch {
	case text == "" && k.log:
		return t, errors.New("no time")
	case text == "":
		t = o.SeenAt
	case k.never && (text == never || strings.HasPrefix(text, never+".")):
		return t, nil // not the default: the endpoint was never seen
	case k.epoch != 0 && strings.Trim(text, "0123456789") == "":
		t, err = k.number(text)
	case strings.Contains(text, "T"):
		if t.UnmarshalText([]byte(text)) != nil { // stricter on RFC 3339 than time.Parse
			err = errForm
		}
	default:
		t, err = local(text, o.Location)
	}
	switch {
	case errors.Is(err, errForm):
		return t, fmt.Errorf("time %s, expected %s", shown(text), k.times())
	case err != nil:
		return t, fmt.Errorf("time %s %w", shown(text), err)
	case text != "" && !plausible(t):
		return t, fmt.Errorf("time %s, expected a year from 2000 to 9999", shown(text))
	}
	return t.UTC().Truncate(time.Second), nil
}

// times names the ways to write a time.
func (k kind) times() string {
	const both = "RFC 3339 or " + localTime
	switch k.epoch {
	case time.Second:
		return both + " or unix seconds"
	case time.Millisecond:
		return both + " or unix milliseconds"
	}
	return both
}

func (k kind) number(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errForm
	}
	if k.epoch == time.Millisecond {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}

// plausible keeps out zeros of other epochs, and years that RFC 3339 can't write.
func plausible(t time.Time) bool {
	return t.After(time.Date(1999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)) && t.Before(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
}

// local reads a time without a zone. One that a clock showed twice is taken as the
// earlier; one that it never showed is an error.
func local(text string, zone *time.Location) (time.Time, error) {
	wall, err := time.Parse(localTime, text)
	switch {
	case err != nil, !strings.HasPrefix(text, wall.Format(localTime)), strings.Contains(text, ","):
		return wall, errForm // time.Parse takes one digit for hours, and a comma
	case zone == nil:
		return wall, errors.New("has no zone, and none was given")
	}
	var earliest time.Time
	shownOnce := false
	for _, side := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(side).In(zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if _, there := t.In(zone).Zone(); there == offset && (!shownOnce || t.Before(earliest)) {
			earliest, shownOnce = t, true
		}
	}
	if !shownOnce {
		return wall, fmt.Errorf("was never shown by a clock in %v", zone)
	}
	return earliest, nil
}
