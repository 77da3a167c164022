package rollout

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Windows say when something may happen in a ring: where one of Allow, or Allow is
// empty, and neither Deny nor Freezes reach.
type Windows struct {
	Allow   []Window `json:"allow" yaml:"allow"`
	Deny    []Window `json:"deny" yaml:"deny"`
	Freezes []Freeze `json:"freezes" yaml:"freezes"`
}

// A Window is a time of day, on some days, in one time zone. It does not cross
// midnight: two windows do.
type Window struct {
	Days     []string `json:"days" yaml:"days"`          // mon to sun, in this order; empty for every day
	Dates    []string `json:"dates" yaml:"dates"`        // 2026-03-02, sorted; empty for every date
	From     string   `json:"from" yaml:"from"`          // HH:MM, included
	To       string   `json:"to" yaml:"to"`              // HH:MM to 24:00, not included
	TimeZone string   `json:"timeZone" yaml:"time_zone"` // UTC, +02:00, or a name of the time zone database
}

// A Freeze is a span of whole days.
type Freeze struct {
	From     string `json:"from" yaml:"from"` // 2026-12-20, included
	To       string `json:"to" yaml:"to"`     // included
	TimeZone string `json:"timeZone" yaml:"time_zone"`
	Reason   string `json:"reason" yaml:"reason"`
}

// UnmarshalYAML gives lists that a draft leaves out their exact form.
func (w *Windows) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Windows
	p := plain{[]Window{}, []Window{}, []Freeze{}}
	if err := unmarshal(&p); err != nil {
		return err
	}
	*w = Windows(p)
	return nil
}

// UnmarshalYAML gives what a draft leaves out its widest value: every day, all day,
// UTC.
func (w *Window) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Window
	p := plain{[]string{}, []string{}, "00:00", "24:00", "UTC"}
	if err := unmarshal(&p); err != nil {
		return err
	}
	*w = Window(p)
	return nil
}

// UnmarshalYAML gives a freeze without a time zone UTC.
func (f *Freeze) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Freeze
	p := plain{TimeZone: "UTC"}
	if err := unmarshal(&p); err != nil {
		return err
	}
	*f = Freeze(p)
	return nil
}

var (
	weekdays   = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	clockForm  = regexp.MustCompile(`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`)
	offsetForm = regexp.MustCompile(`^[+-](0[0-9]|1[0-4]):[0-5][0-9]$`)
	zoneForm   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)
)

func (w Windows) check() error {
	if w.Allow == nil || w.Deny == nil || w.Freezes == nil {
		return errors.New("windows: a list is null, expected []")
	}
	for _, x := range slices.Concat(w.Allow, w.Deny) {
		if err := x.check(); err != nil {
			return fmt.Errorf("window %s to %s: %w", x.From, x.To, err)
		}
	}
	for _, f := range w.Freezes {
		if err := f.check(); err != nil {
			return fmt.Errorf("freeze %s to %s: %w", f.From, f.To, err)
		}
	}
	return nil
}

func (w Window) check() error {
	last := -1
	for _, d := range w.Days {
		i := slices.Index(weekdays, d)
		if i <= last {
			return fmt.Errorf("days %s: expected some of %s, each once and in this order", quoted(w.Days), quoted(weekdays))
		}
		last = i
	}
	if w.Days == nil || w.Dates == nil || !increasing(w.Dates) {
		return errors.New("dates are not sorted, one stands twice, or a list is null")
	}
	for _, d := range w.Dates {
		if err := checkDate(d); err != nil {
			return err
		}
	}
	if !clockForm.MatchString(w.From) || !clockForm.MatchString(w.To) || w.From >= w.To {
		return errors.New("expected HH:MM, the first before the second, at most 24:00")
	}
	return checkZone(w.TimeZone)
}

func (f Freeze) check() error {
	if err := checkDate(f.From); err != nil {
		return err
	}
	if err := checkDate(f.To); err != nil {
		return err
	}
	if f.To < f.From {
		return errors.New("it ends before it begins")
	}
	if err := checkReason(f.Reason); err != nil {
		return err
	}
	return checkZone(f.TimeZone)
}

func checkDate(text string) error {
	if t, err := time.Parse(time.DateOnly, text); err != nil || t.Format(time.DateOnly) != text {
		return fmt.Errorf("date %q: expected one such as 2026-03-02", text)
	}
	return nil
}

func checkZone(name string) error {
	if name != "UTC" && !offsetForm.MatchString(name) && !zoneForm.MatchString(name) || name == "Local" || len(name) > 64 {
		return fmt.Errorf("time zone %q: expected UTC, an offset such as +02:00, or a name such as Europe/Berlin", name)
	}
	return nil
}

// zones finds time zones. Names of the time zone database go to the function that
// the caller gave, and are unknown without one.
type zones func(name string) (*time.Location, error)

func (z zones) find(name string) (*time.Location, error) {
	switch {
	case name == "UTC":
		return time.UTC, nil
	case offsetForm.MatchString(name):
		t, err := time.Parse("-07:00", name)
		if err != nil {
			return nil, err
		}
		_, offset := t.Zone()
		return time.FixedZone(name, offset), nil
	case z == nil:
		return nil, fmt.Errorf("time zone %s: no time zone database was given", name)
	}
	loc, err := z(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %s: %w", name, err)
	}
	return loc, nil
}

// contains reports whether t lies in the window.
func (w Window) contains(t time.Time, z zones) (bool, error) {
	loc, err := z.find(w.TimeZone)
	if err != nil {
		return false, err
	}
	t = t.In(loc)
	day, clock := weekdays[(int(t.Weekday())+6)%7], t.Format("15:04")
	return (len(w.Days) == 0 || slices.Contains(w.Days, day)) &&
		(len(w.Dates) == 0 || slices.Contains(w.Dates, t.Format(time.DateOnly))) &&
		w.From <= clock && clock < w.To, nil
}

func (f Freeze) contains(t time.Time, z zones) (bool, error) {
	loc, err := z.find(f.TimeZone)
	if err != nil {
		return false, err
	}
	day := t.In(loc).Format(time.DateOnly)
	return f.From <= day && day <= f.To, nil
}

// Closed says why a time does not lie in the windows, "" for one that does. An error
// says that a time zone cannot be found by locate, which may be nil where no window
// names one of the time zone database.
func (w Windows) Closed(t time.Time, locate func(string) (*time.Location, error)) (string, error) {
	for _, f := range w.Freezes {
		if in, err := f.contains(t, locate); err != nil || in {
			return fmt.Sprintf("frozen from %s to %s: %s", f.From, f.To, f.Reason), err
		}
	}
	for _, d := range w.Deny {
		if in, err := d.contains(t, locate); err != nil || in {
			return "denied by the window " + d.String(), err
		}
	}
	for _, a := range w.Allow {
		if in, err := a.contains(t, locate); err != nil || in {
			return "", err
		}
	}
	if len(w.Allow) == 0 {
		return "", nil
	}
	return "outside of " + listed(w.Allow), nil
}

// listed lists windows for a message.
func listed(windows []Window) string {
	var list []string
	for _, w := range windows {
		list = append(list, w.String())
	}
	return quoted(list)
}

// String returns the window as people read it: "mon tue 09:00-17:00 UTC".
func (w Window) String() string {
	text := ""
	for _, x := range slices.Concat(w.Days, w.Dates) {
		text += x + " "
	}
	return text + w.From + "-" + w.To + " " + w.TimeZone
}

// maxPlanned is the longest planned window; it is looked at minute by minute.
const maxPlanned = 7 * 24 * time.Hour

// closedDuring says why some minute of a planned window lies outside of the windows.
func (w Windows) closedDuring(p Planned, z zones) (string, error) {
	for t := p.From; t.Before(p.To); t = t.Add(time.Minute) {
		why, err := w.Closed(t, z)
		if err != nil || why != "" {
			return stamp(t) + ": " + why, err
		}
	}
	return "", nil
}
