package gobuild

import (
	"debug/buildinfo"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rollproof/rollproof/release"
)

// A binaryInfo is what a binary says about itself.
type binaryInfo struct {
	deps []*debug.Module
}

// inspect reads a binary's build info and refuses it unless it names the commit,
// the toolchain and the settings of the plan.
func (r *run) inspect(t release.Target, file string) (*binaryInfo, error) {
	name := t.Binary + " " + t.Platform.String()
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, failed(err, "%s: build info cannot be read: %v", name, err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	for _, c := range r.expectations(t, info, settings) {
		if c.actual != c.want {
			return nil, tampered(c.hint, "%s: build info says %s is %q, want %q", name, c.what, plain(c.actual), c.want)
		}
	}
	return &binaryInfo{deps: info.Deps}, nil
}

// An expectation is one fact of build info.
type expectation struct{ what, actual, want, hint string }

func (r *run) expectations(t release.Target, info *debug.BuildInfo, settings map[string]string) []expectation {
	source := r.plan.Source
	modified := "false"
	if source.Dirty {
		modified = "true"
	}
	list := []expectation{
		{"vcs.revision", settings["vcs.revision"], source.GitCommit, ""},
		{"vcs.modified", settings["vcs.modified"], modified, "the build changed the source it was made from"},
		{"vcs.time", settings["vcs.time"], source.CommitTime.Format(time.RFC3339), ""},
		{"the main package", info.Path, r.mod.importPath(t.Main), ""},
		{"the main module", info.Main.Path, r.mod.path, ""},
		{"the toolchain", info.GoVersion, r.plan.Toolchain, ""},
		{"-trimpath", settings["-trimpath"], "true", ""},
		{"-compiler", settings["-compiler"], "gc", ""},
		{"-tags", settings["-tags"], flagValue(t, "-tags"), ""},
		{"-gcflags", settings["-gcflags"], flagValue(t, "-gcflags"), ""},
		{"-asmflags", settings["-asmflags"], flagValue(t, "-asmflags"), ""},
	}
	for _, entry := range t.Env {
		key, value, _ := strings.Cut(entry, "=")
		if key == "GOOS" || key == "GOARCH" || key == "CGO_ENABLED" || key == archSettings[t.Platform.Arch].name {
			list = append(list, expectation{key, settings[key], value, ""})
		}
	}
	if stamp := r.mod.stamp(source.Tag, r.plan.Toolchain); stamp != "" && !source.Dirty {
		list = append(list, expectation{"the main module's version", info.Main.Version, stamp, ""})
	}
	return list
}
