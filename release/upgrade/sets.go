package upgrade

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// compareBinaries names platforms and binaries that only one release has. Where a
// whole platform is gone its binaries are not listed one by one.
func (c *comparison) compareBinaries() {
	lost := func(id, kind string) func(string) {
		return func(name string) {
			c.add(id, name, name, "", "", fmt.Sprintf("The old release has the %s %s, the new one has not.", kind, name))
		}
	}
	gained := func(id, kind string) func(string) {
		return func(name string) {
			c.add(id, name, "", name, "", fmt.Sprintf("The new release has the %s %s, the old one had not.", kind, name))
		}
	}
	before, after := platformsOf(c.old), platformsOf(c.now)
	each(before, after, lost("platform-dropped", "platform"), gained("platform-added", "platform"))
	onBoth := func(f Facts) []string {
		var keys []string
		for _, b := range f.Binaries {
			if p := b.Platform.String(); slices.Contains(before, p) && slices.Contains(after, p) {
				keys = append(keys, b.Key())
			}
		}
		return keys
	}
	each(onBoth(c.old), onBoth(c.now), lost("binary-dropped", "binary"), gained("binary-added", "binary"))
}

func platformsOf(f Facts) []string {
	var list []string
	for _, b := range f.Binaries {
		list = append(list, b.Platform.String())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// each calls lost with what is only in before, and gained with what is only in after.
func each(before, after []string, lost, gained func(string)) {
	for _, x := range before {
		if !slices.Contains(after, x) {
			lost(x)
		}
	}
	for _, x := range after {
		if !slices.Contains(before, x) {
			gained(x)
		}
	}
}

// compareControls names what was checked or carried and no longer is.
func (c *comparison) compareControls() {
	each(c.old.Controls, c.now.Controls, func(id string) {
		c.add("control-dropped", id, id, "", "", fmt.Sprintf("The old release has %s, which the new one lacks.", id))
	}, func(id string) {
		c.add("control-added", id, "", id, "", fmt.Sprintf("The new release has %s, which the old one lacks.", id))
	})
	a, b := slices.Sorted(slices.Values(c.old.Signers)), slices.Sorted(slices.Values(c.now.Signers))
	old, now := strings.Join(a, ", "), strings.Join(b, ", ")
	switch {
	case len(b) < len(a):
		c.add("signers-fewer", "signers", old, now, "", fmt.Sprintf("%d releasers signed, before %d.", len(b), len(a)))
	case !slices.Equal(a, b):
		c.add("signers-changed", "signers", old, now, "", fmt.Sprintf("Signed by %s, before by %s.", now, old))
	}
	each(hazardLines(c.old.Hazards), hazardLines(c.now.Hazards), func(h string) {
		c.add("hazard-gone", hazardID(h), h, "", "", fmt.Sprintf("A hazard of the old release is gone: %s.", strings.TrimSuffix(h, ".")))
	}, func(h string) {
		c.add("hazard-added", hazardID(h), "", h, "", fmt.Sprintf("The new release has a hazard: %s.", strings.TrimSuffix(h, ".")))
	})
}

func hazardLines(hazards []release.Hazard) []string {
	var lines []string
	for _, h := range hazards {
		lines = append(lines, h.ID+": "+h.Detail)
	}
	return lines
}

func hazardID(line string) string {
	id, _, _ := strings.Cut(line, ":")
	return id
}

// compareTargets compares deployment targets by id.
func (c *comparison) compareTargets() {
	before, after := targetsByID(c.old.Targets), targetsByID(c.now.Targets)
	for _, id := range unionKeys(before, after) {
		old, had := before[id]
		now, has := after[id]
		switch {
		case !has:
			c.add("target-lost", id, old.InstallPath, "", "", fmt.Sprintf("The deployment target %s (%s, %s) no longer receives a binary.", id, old.Channel, old.Platform))
		case !had:
			c.add("target-added", id, "", now.InstallPath, "", fmt.Sprintf("The deployment target %s (%s, %s) is new.", id, now.Channel, now.Platform))
		default:
			c.compareTarget(old, now)
		}
	}
}

func targetsByID(targets []release.DeploymentTarget) map[string]release.DeploymentTarget {
	byID := map[string]release.DeploymentTarget{}
	for _, t := range targets {
		byID[t.ID] = t
	}
	return byID
}

func (c *comparison) compareTarget(old, now release.DeploymentTarget) {
	if old.InstallPath != now.InstallPath {
		c.add("target-path", now.ID, old.InstallPath, now.InstallPath, "", fmt.Sprintf("%s installs to %s, before to %s: what runs the old path must be told.", now.ID, now.InstallPath, old.InstallPath))
	}
	each(old.RequiredEvidence, now.RequiredEvidence, func(e string) {
		c.add("target-evidence", now.ID, e, "", "", fmt.Sprintf("%s no longer requires %s.", now.ID, e))
	}, func(e string) {
		c.add("target-changed", now.ID, "", e, "", fmt.Sprintf("%s requires %s as well.", now.ID, e))
	})
	for _, f := range []struct{ what, old, now string }{
		{"binary", c.old.binaryName(old.Binary), c.now.binaryName(now.Binary)},
		{"platform", old.Platform.String(), now.Platform.String()},
		{"surface", old.Surface, now.Surface},
		{"channel", old.Channel, now.Channel},
		{"tool", old.Tool, now.Tool},
		{"rollout gate", old.RolloutGate, now.RolloutGate},
		{"rollback steps", steps(old), steps(now)},
	} {
		if f.old != f.now {
			c.add("target-changed", now.ID, f.old, f.now, "", fmt.Sprintf("The %s of %s is %q, before %q.", f.what, now.ID, f.now, f.old))
		}
	}
}

// steps are the rollback steps without the install path, which is a finding of its own.
func steps(t release.DeploymentTarget) string {
	return strings.ReplaceAll(strings.Join(t.RollbackSteps, "; "), t.InstallPath, "the install path")
}

// binaryName returns the name of the binary at a path, which holds the version.
func (f Facts) binaryName(path string) string {
	for _, b := range f.Binaries {
		if b.Path == path {
			return b.Name
		}
	}
	return path
}
