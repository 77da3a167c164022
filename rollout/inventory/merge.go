package inventory

import (
	"cmp"
	"slices"
	"time"
)

// merge sorts what was found by target and id, and makes one of several rows about
// one endpoint and target.
func (in *input) merge(all []found) ([]Endpoint, error) {
	slices.SortStableFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.ID, b.ID))
	})
	var endpoints []Endpoint
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Target == all[0].Target && all[n].ID == all[0].ID {
			n++
		}
		same := all[:n]
		all = all[n:]
		if in.kind.log {
			same = latest(same)
		}
		e, err := in.one(same)
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, e)
	}
	return endpoints, nil
}

// one makes an endpoint of rows that have to agree on what it has.
func (in *input) one(same []found) (Endpoint, error) {
	e := same[0].Endpoint
	for _, f := range same[1:] {
		if f.SHA256 != e.SHA256 {
			return e, malformed("endpoint %s of target %s has %s on %s %d and %s on %s %d",
				shown(e.ID), e.Target, had(e.SHA256), in.unit, same[0].number, had(f.SHA256), in.unit, f.number)
		}
		if f.SeenAt.After(e.SeenAt) {
			e.SeenAt = f.SeenAt
		}
	}
	return e, nil
}

// latest returns the events that hold now: those of the newest time. A removal
// counts only if nothing was stated at that time, since a change of the file is
// logged as both.
func latest(events []found) []found {
	var newest time.Time
	for _, f := range events {
		if f.SeenAt.After(newest) {
			newest = f.SeenAt
		}
	}
	var stated, removed []found
	for _, f := range events {
		switch {
		case !f.SeenAt.Equal(newest):
		case f.event == states:
			stated = append(stated, f)
		default:
			f.SHA256 = ""
			removed = append(removed, f)
		}
	}
	if len(stated) == 0 {
		return removed
	}
	return stated
}

func had(digest string) string {
	if digest == "" {
		return "no file"
	}
	return "sha256 " + digest[:12] + "…"
}
