package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/service"
)

type releaseBody struct {
	service.Release
	Changes  []moduleChange
	Compared string // the version that it is compared with, "" for none
	Unread   string // why it could not be compared
	Command  string
}

// A moduleChange is a module that is linked into one of two releases alone, or in
// another version or under other terms.
type moduleChange struct {
	Path, What         string // added, removed, changed
	Before, After      string // versions
	TermsWere, TermsBe string
}

func (c *Console) release(w http.ResponseWriter, r *http.Request) {
	rel, err := c.releaseOf(r, r.PathValue("id"))
	if err != nil {
		c.unable(w, r, err)
		return
	}
	b := releaseBody{Release: rel, Command: "rollproof release verify-package DIR|ZIP"}
	if rel.Before != nil {
		b.Compared = rel.Before.Facts.Version
		before, err := c.of(r).Release(r.Context(), rel.Before.ID.String())
		switch known := service.Explain(err); {
		case err == nil:
			b.Changes = compareModules(before.Modules, rel.Modules)
		case known != nil:
			b.Unread = known.Message
		default:
			c.unable(w, r, err)
			return
		}
	}
	f := rel.Record.Facts
	v := c.view(r, f.Project+" "+f.Version, "Evidence")
	v.Crumbs = []link{{Name: "Evidence", Address: "/evidence"}, {Name: "Record", Address: "/record/" + rel.Record.ID.Hex()}}
	v.Body = b
	c.page(w, r, "release", f.Project, v)
}

// releaseOf finds a release by its record, or by its manifest, which acts name it by.
func (c *Console) releaseOf(r *http.Request, id string) (service.Release, error) {
	rel, err := c.of(r).Release(r.Context(), id)
	if err == nil || !isMissing(err) {
		return rel, err
	}
	page, failed := c.of(r).Search(r.Context(), evidence.Query{Digests: []string{id}, Kinds: []evidence.Kind{evidence.KindReleasePackage}, Order: evidence.OldestFirst, Limit: 1})
	if failed != nil {
		return rel, failed
	}
	if len(page.Records) == 0 {
		return rel, err
	}
	return c.of(r).Release(r.Context(), page.Records[0].ID.String())
}

// compareModules lists the differences by path.
func compareModules(before, after []service.Module) []moduleChange {
	was := map[string]service.Module{}
	for _, m := range before {
		was[m.Path] = m
	}
	var list []moduleChange
	for _, m := range after {
		old, known := was[m.Path]
		delete(was, m.Path)
		switch {
		case !known:
			list = append(list, moduleChange{Path: m.Path, What: "added", After: m.Version, TermsBe: m.License})
		case old.Version != m.Version || old.License != m.License || old.Sum != m.Sum:
			list = append(list, moduleChange{m.Path, "changed", old.Version, m.Version, old.License, m.License})
		}
	}
	for _, m := range was {
		list = append(list, moduleChange{Path: m.Path, What: "removed", Before: m.Version, TermsWere: m.License})
	}
	slices.SortFunc(list, func(a, b moduleChange) int { return strings.Compare(a.Path, b.Path) })
	return list
}
