package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

type ringsBody struct {
	Board   rollout.Rings
	Columns []column
	Command string
}

// A column of the board is a ring, what it holds and what is on its way.
type column struct {
	rollout.RingView
	First    bool // nobody promotes into it
	Held     []heldTarget
	Underway []underway
	Asked    []rollout.RequestStatus // open requests into this ring
	Dates    []rollout.Due           // beside the ends of requests, which stand with them
}

type heldTarget struct {
	rollout.HeldTarget
	Age  string
	Bars *coverage // nil where nobody has seen it there
}

// An underway is a rollout of the ring that has not ended, or one that could go on.
type underway struct {
	service.RolloutLine
	Grade string // readiness, "" where it was not asked
	Next  string
}

func (c *Console) rings(w http.ResponseWriter, r *http.Request) {
	project := r.PathValue("project")
	board, err := c.of(r).Rings(r.Context(), project)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	b := ringsBody{Board: board, Command: c.command("release", "rings")}
	if b.Columns, err = c.columns(r, board); err != nil {
		c.unable(w, r, err)
		return
	}
	remember(w, r, projectCookie, project)
	v := c.view(r, "Rings", "Rings")
	v.Title, v.Body = "Rings of "+project, b
	c.page(w, r, "rings", project, v)
}

func (c *Console) columns(r *http.Request, board rollout.Rings) ([]column, error) {
	list, err := c.of(r).Rollouts(r.Context(), board.Project)
	if err != nil {
		return nil, err
	}
	requests, err := c.of(r).Requests(r.Context(), board.Project)
	if err != nil {
		return nil, err
	}
	var columns []column
	for i, ring := range board.Rings {
		col := column{RingView: ring, First: i == 0}
		for _, d := range ring.Due {
			if d.What != rollout.DueRequest {
				col.Dates = append(col.Dates, d)
			}
		}
		for _, t := range ring.Targets {
			col.Held = append(col.Held, held(t, c.Now()))
		}
		for _, q := range requests.Requests {
			if q.TargetRing == ring.Name && isOpen(q.State) {
				col.Asked = append(col.Asked, q)
			}
		}
		if col.Underway, err = c.underway(r, ring.Name, list.Rollouts, requests.Requests); err != nil {
			return nil, err
		}
		columns = append(columns, col)
	}
	return columns, nil
}

func isOpen(state string) bool {
	return state == rollout.RequestPending || state == rollout.RequestApproved || state == rollout.RequestRevoked
}

// maxUnderway is how many rollouts of a ring the board asks about.
const maxUnderway = 6

// underway are the rollouts of a ring that have not ended, and of those that succeeded
// the newest, unless it was promoted.
func (c *Console) underway(r *http.Request, ring string, rollouts []service.RolloutLine, requests []rollout.RequestStatus) ([]underway, error) {
	var out []underway
	newest := true
	for _, l := range newestFirst(rollouts) {
		if l.Ring != ring || len(out) == maxUnderway {
			continue
		}
		going := l.Status == rollout.StatusPlanned || l.Status == rollout.StatusStaged
		done := l.Status == rollout.StatusSucceeded && newest
		newest = newest && l.Status != rollout.StatusSucceeded
		if !going && !done || promoted(l.ID, requests) {
			continue
		}
		view, err := c.of(r).Rollout(r.Context(), l.ID)
		if err != nil {
			return nil, err
		}
		u := underway{l, string(view.Readiness.Grade), view.Readiness.NextRing}
		if u.Next != "" || going {
			out = append(out, u)
		}
	}
	return out, nil
}

func newestFirst(list []service.RolloutLine) []service.RolloutLine {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b service.RolloutLine) int { return int(b.Index - a.Index) })
	return list
}

func promoted(id string, requests []rollout.RequestStatus) bool {
	return slices.ContainsFunc(requests, func(q rollout.RequestStatus) bool {
		return q.Kind == rollout.KindPromotion && q.Rollout == id && q.ExecutedBy != ""
	})
}

func held(t rollout.HeldTarget, now time.Time) heldTarget {
	h := heldTarget{HeldTarget: t, Age: age(t.Since, now)}
	if o := t.Observed; o != nil {
		h.Bars = barsOf(o.Population, []bar{{Class: "c-match", Word: "of " + strconv.Itoa(o.Population) + " seen with it", Count: o.Matches}, {Class: "c-missing", Word: "not", Count: o.Population - o.Matches}})
	}
	return h
}

// age is how long ago an instant was, in its largest unit.
func age(stamp string, now time.Time) string {
	t, ok := parseInstant(stamp)
	if !ok {
		return ""
	}
	switch d := now.Sub(t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute", "minutes") + " ago"
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour", "hours") + " ago"
	default:
		return plural(int(d.Hours()/24), "day", "days") + " ago"
	}
}

type targetBody struct {
	History rollout.History
	Command string
}

func (c *Console) target(w http.ResponseWriter, r *http.Request) {
	project, ring, target := r.PathValue("project"), r.PathValue("ring"), r.PathValue("target")
	history, err := c.of(r).History(r.Context(), project, "", ring, target)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	slices.Reverse(history.Placements)
	v := c.view(r, target, "Rings")
	v.Crumbs = []link{{Name: "Rings", Address: "/rings/" + pathWord(project)}, {Name: ring}}
	v.Body = targetBody{history, "rollproof release history " + strings.Join([]string{quote(target), "--ring", quote(ring)}, " ")}
	c.page(w, r, "target", project, v)
}
