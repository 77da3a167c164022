package gobuild

import (
	"slices"
	"strings"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/rollproof/rollproof/release"
)

// A configuredPlatform is a platform and the instruction set chosen for it.
type configuredPlatform struct {
	release.Platform
	setting string // "GOARM=6", "" for the default
	chosen  bool   // by the file, not by default
}

// variantsOf are a build's lists of instruction sets for an architecture.
func variantsOf(b config.Build, arch string) (field string, values []string) {
	switch archSettings[arch].name {
	case "GOAMD64":
		return "goamd64", b.Goamd64
	case "GOARM64":
		return "goarm64", b.Goarm64
	case "GO386":
		return "go386", b.Go386
	case "GOARM":
		return "goarm", b.Goarm
	case "GOMIPS", "GOMIPS64":
		return "gomips", b.Gomips
	case "GOPPC64":
		return "goppc64", b.Goppc64
	case "GORISCV64":
		return "goriscv64", b.Goriscv64
	}
	return "", nil
}

// firstClass are the names of a target list that stand for Go's first-class ports.
var firstClass = []string{"go_first_class", "go_118_first_class"}

// buildPlatforms lists what a build is made for: targets, or goos × goarch without
// what ignore takes out.
func (p *planner) buildPlatforms(where string, b config.Build) ([]configuredPlatform, error) {
	var list []configuredPlatform
	var err error
	if len(b.Targets) > 0 {
		list, err = p.targetList(where, b.Targets)
	} else {
		list, err = p.product(where, b)
	}
	if err != nil {
		return nil, err
	}
	if p.platforms != nil {
		list = slices.DeleteFunc(list, func(on configuredPlatform) bool { return !slices.Contains(p.platforms, on.Platform) })
	}
	return list, nil
}

// targetList reads entries such as linux_amd64 and linux_arm_7.
func (p *planner) targetList(where string, targets []string) ([]configuredPlatform, error) {
	where += ".targets"
	var list []configuredPlatform
	for _, target := range targets {
		if slices.Contains(firstClass, target) {
			return nil, p.refuse(where, "list the platforms themselves", "%s is not supported", target)
		}
		parts := strings.Split(target, "_")
		if len(parts) < 2 || len(parts) > 3 {
			return nil, p.refuse(where, "write GOOS_GOARCH", "target is %q", target)
		}
		on := configuredPlatform{Platform: release.Platform{OS: parts[0], Arch: parts[1]}}
		variant := ""
		if len(parts) == 3 {
			variant = parts[2]
		}
		if err := p.setVariant(where, &on, variant); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(other configuredPlatform) bool { return other.Platform == on.Platform }) {
			return nil, p.refuse(where, "keep one: a package has one binary for each platform", "platform %s is listed twice", on.Platform)
		}
		list = append(list, on)
	}
	unknown, err := p.known(platformsOf(list))
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return nil, p.refuse(where, "go tool dist list shows what it can build", "platform %s is unknown to %s", unknown[0], p.find.toolchain)
	}
	return list, nil
}

func platformsOf(list []configuredPlatform) []release.Platform {
	var platforms []release.Platform
	for _, on := range list {
		platforms = append(platforms, on.Platform)
	}
	return platforms
}

// setVariant chooses the instruction set. GoReleaser's default for arm is 6.
func (p *planner) setVariant(where string, on *configuredPlatform, variant string) error {
	name := archSettings[on.Arch].name
	switch {
	case variant == "" && on.Arch == "arm":
		on.setting = "GOARM=6"
	case variant == "" || variant == archSettings[on.Arch].level:
	case name == "":
		return p.refuse(where, "remove it", "architecture %s has no variants, and %q is given", on.Arch, variant)
	default:
		on.setting, on.chosen = name+"="+variant, true
		if _, r := followEnv(on.setting); r != nil {
			return p.refuse(where, "see go help environment", "%s", r.fact)
		}
	}
	return nil
}

// product is goos × goarch, by default our six platforms.
func (p *planner) product(where string, b config.Build) ([]configuredPlatform, error) {
	systems, arches := b.Goos, b.Goarch
	if len(systems) == 0 {
		systems = []string{"darwin", "linux", "windows"}
	}
	if len(arches) == 0 {
		arches = []string{"amd64", "arm64"}
		p.choice.skipped = append(p.choice.skipped, p.note(where+".goarch", "omitted: amd64 and arm64 are built; GoReleaser would add 386"))
	}
	var list []configuredPlatform
	for _, system := range systems {
		for _, arch := range arches {
			on := configuredPlatform{Platform: release.Platform{OS: system, Arch: arch}}
			field, variants := variantsOf(b, arch)
			if len(variants) > 1 {
				return nil, p.refuse(where+"."+field, "keep one: a package has one binary for each platform",
					"it has %d values for %s: %s", len(variants), on.Platform, strings.Join(variants, ", "))
			}
			if err := p.setVariant(where+"."+field, &on, strings.Join(variants, "")); err != nil {
				return nil, err
			}
			if !on.ignored(b.Ignore) && !slices.ContainsFunc(list, func(other configuredPlatform) bool { return other.Platform == on.Platform }) {
				list = append(list, on)
			}
		}
	}
	unknown, err := p.known(platformsOf(list))
	if err != nil {
		return nil, err
	}
	for _, platform := range unknown {
		p.choice.skipped = append(p.choice.skipped, release.Skip{
			What: p.file + ": " + where + " for " + plain(platform.String()), Reason: "no port of " + p.find.toolchain,
		})
	}
	return slices.DeleteFunc(list, func(on configuredPlatform) bool { return slices.Contains(unknown, on.Platform) }), nil
}

// ignored says whether a rule takes the platform out: each field that a rule gives
// must agree. A rule about another architecture's instruction set never does.
func (on configuredPlatform) ignored(rules []config.IgnoredBuild) bool {
	_, level, _ := strings.Cut(on.setting, "=")
	if level == "" {
		level = archSettings[on.Arch].level
	}
	name := archSettings[on.Arch].name
	if name == "GOMIPS64" { // gomips means both
		name = "GOMIPS"
	}
	return slices.ContainsFunc(rules, func(rule config.IgnoredBuild) bool {
		for _, variant := range [][2]string{
			{"GOAMD64", rule.Goamd64}, {"GOARM64", rule.Goarm64}, {"GO386", rule.Go386}, {"GOARM", rule.Goarm},
			{"GOMIPS", rule.Gomips}, {"GOPPC64", rule.Goppc64}, {"GORISCV64", rule.Goriscv64},
		} {
			if variant[1] != "" && (variant[0] != name || variant[1] != level) {
				return false
			}
		}
		return (rule.Goos == "" || rule.Goos == on.OS) && (rule.Goarch == "" || rule.Goarch == on.Arch)
	})
}
