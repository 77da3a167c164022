package osv

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/semver"
	"pgregory.net/rapid"
)

func TestRanges(t *testing.T) {
	intro := func(v string) event { return event{Introduced: v} }
	fix := func(v string) event { return event{Fixed: v} }
	last := func(v string) event { return event{LastAffected: v} }
	limit := func(v string) event { return event{Limit: v} }
	branches := []event{intro("0"), fix("1.21.8"), intro("1.22.0-0"), fix("1.22.1")}
	for name, tc := range map[string]struct {
		events  []event
		version string
		want    bool
		fixed   string
	}{
		"all":                         {[]event{intro("0")}, "v0.0.0-20200101000000-abcdefabcdef", true, ""},
		"before the first":            {[]event{intro("1.0.0")}, "v0.9.9", false, ""},
		"the first":                   {[]event{intro("1.0.0")}, "v1.0.0", true, ""},
		"the last before the fix":     {[]event{intro("0"), fix("1.2.3")}, "v1.2.2", true, "v1.2.3"},
		"the fix":                     {[]event{intro("0"), fix("1.2.3")}, "v1.2.3", false, ""},
		"a pre-release of the fix":    {[]event{intro("0"), fix("1.2.3")}, "v1.2.3-rc.1", true, "v1.2.3"},
		"the pseudo-version before":   {[]event{intro("0"), fix("1.2.3")}, "v1.2.3-0.20260101000000-abcdefabcdef", true, "v1.2.3"},
		"last affected":               {[]event{intro("0"), last("1.2.3")}, "v1.2.3", true, ""},
		"after last affected":         {[]event{intro("0"), last("1.2.3")}, "v1.2.4", false, ""},
		"a v in front":                {[]event{intro("v1.0.0"), fix("v1.2.0")}, "v1.1.0", true, "v1.2.0"},
		"incompatible":                {[]event{intro("2.0.0"), fix("2.1.0")}, "v2.0.5+incompatible", true, "v2.1.0"},
		"the incompatible fix":        {[]event{intro("2.0.0"), fix("2.1.0+incompatible")}, "v2.1.0+incompatible", false, ""},
		"old branch":                  {branches, "v1.21.7", true, "v1.21.8"},
		"old branch, fixed":           {branches, "v1.21.8", false, ""},
		"new branch, candidate":       {branches, "v1.22.0-rc.2", true, "v1.22.1"},
		"new branch, fixed":           {branches, "v1.22.1", false, ""},
		"events in disorder":          {[]event{branches[3], branches[1], branches[2], branches[0]}, "v1.21.9", false, ""},
		"events in disorder, inside":  {[]event{branches[3], branches[1], branches[2], branches[0]}, "v1.22.0", true, "v1.22.1"},
		"fixed and introduced at one": {[]event{intro("1.2.0"), fix("1.2.0"), intro("0")}, "v1.2.0", true, ""},
		"ten after nine":              {[]event{intro("0"), fix("1.10.0")}, "v1.9.0", true, "v1.10.0"},
		"below the limit":             {[]event{intro("0"), limit("2.0.0")}, "v1.9.0", true, ""},
		"at the limit":                {[]event{intro("0"), limit("2.0.0")}, "v2.0.0", false, ""},
		"any of two limits":           {[]event{intro("0"), limit("1.0.0"), limit("*")}, "v2.0.0", true, ""},
	} {
		got, fixed, err := versionRange{Type: "SEMVER", Events: tc.events}.contains(tc.version)
		if err != nil || got != tc.want || tc.want && fixed != tc.fixed {
			t.Errorf("%s: %t, fixed %q, %v", name, got, fixed, err)
		}
	}
}

func TestExplicitVersions(t *testing.T) {
	for version, want := range map[string]bool{"v1.0.0": true, "v1.0.1": false, "v1.5.0": true} {
		a := affected{Versions: []string{"1.0.0"}, Ranges: []versionRange{{Type: "ECOSYSTEM", Events: []event{{Introduced: "1.4.0"}}}}}
		if got := a.rule(version); got.affected != want || got.undecided != "" {
			t.Errorf("%s: %+v", version, got)
		}
	}
	a := affected{Versions: []string{"1.0.0"}}
	if got := a.rule("v1.0.1"); got.affected || got.undecided != "" {
		t.Errorf("versions alone: %+v", got)
	}
	if got := (&affected{}).rule("v1.0.1"); !got.affected {
		t.Errorf("neither ranges nor versions: %+v", got)
	}
	mixed := affected{Ranges: []versionRange{{Type: "SEMVER", Events: []event{{Fixed: "1.0.0"}}}, {Type: "SEMVER", Events: []event{{Introduced: "0"}}}}}
	if got := mixed.rule("v1.0.1"); !got.affected || got.undecided != "" {
		t.Errorf("one good range: %+v", got)
	}
}

func TestGoVersions(t *testing.T) {
	for release, want := range map[string]string{
		"go1.26.8": "v1.26.8", "go1.26": "v1.26.0", "go1.27rc1": "v1.27.0-rc.1", "go1.9beta2": "v1.9.0-beta.2", "go1.26.8 X:boringcrypto": "v1.26.8",
		"go1.22.1-vendor.3": "v1.22.1", "devel go1.27-0123456": "", "go1": "", "1.26.8": "", "go1.026.8": "", "": "", "go1.26.8\n": "",
	} {
		if got := goVersion(release); got != want {
			t.Errorf("%q: %q, expected %q", release, got, want)
		}
	}
}

// For ranges without contradiction the evaluation is the same as membership in one of
// the half-open intervals that the events spell, in whatever order they stand.
func TestRangesAreIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cuts := rapid.SliceOfNDistinct(rapid.IntRange(0, 40), 1, 8, rapid.ID[int]).Draw(t, "cuts")
		slices.Sort(cuts)
		name := func(n int) string { return fmt.Sprintf("1.%d.0", n) }
		var events []event
		for i, c := range cuts {
			if i%2 == 0 {
				events = append(events, event{Introduced: name(c)})
			} else {
				events = append(events, event{Fixed: name(c)})
			}
		}
		at := rapid.IntRange(0, 41).Draw(t, "version")
		want := false
		for i := 0; i < len(cuts); i += 2 {
			want = want || at >= cuts[i] && (i+1 == len(cuts) || at < cuts[i+1])
		}
		got, _, err := versionRange{Type: "SEMVER", Events: rapid.Permutation(events).Draw(t, "order")}.contains("v" + name(at))
		if err != nil || got != want {
			t.Fatalf("%v at %d: %t, expected %t, %v", cuts, at, got, want, err)
		}
	})
}

// Whatever an entry holds, reading and matching it ends, and a version that it calls
// fixed is one, and newer.
func FuzzEntriesAreReadOrRefused(f *testing.F) {
	f.Add(`{"id":"F-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"example.com/dep"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.1.1"}]}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var d Database
		if d.Add("fuzz", strings.NewReader(text)) != nil || d.Source().Entries == 0 {
			return
		}
		r := scan(t, &d, facts(), Options{})
		for _, finding := range r.Findings {
			for _, v := range finding.FixedIn {
				if finding.Kind == KindDependency && (!semver.IsValid(v) || semver.Compare(v, finding.Version) <= 0) {
					t.Errorf("%s is fixed in %q", finding.Version, v)
				}
			}
		}
		if r.Result == "pass" && len(r.Findings)+len(r.NotChecked) > 0 {
			t.Errorf("passes with %+v", r)
		}
	})
}
