package fromdist

import (
	"os"
	"runtime/debug"
	"strings"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// examine compares a binary's build info with its entry, with the release and with the
// binaries before it, and returns its main package relative to the module.
func (in *importer) examine(a artifact, file string, platform release.Platform) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	shown := archive.Printable(a.Path)
	info, err := release.ReadBuildInfo(f)
	if err != nil {
		return "", tampered("%s: no Go binary with build info: %s", shown, archive.Printable(err.Error()))
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if in.Plan.Toolchain == "" {
		in.Plan.Toolchain = info.GoVersion
	}
	source := in.Plan.Source
	for _, x := range []struct{ what, got, want string }{
		{"module", info.Main.Path, source.Module},
		{"platform", settings["GOOS"] + "/" + settings["GOARCH"], platform.String()},
		{"toolchain", info.GoVersion, in.Plan.Toolchain},
	} {
		if x.got != x.want {
			return "", tampered("%s: %s %s by its build info, expected %s", shown, x.what, archive.Printable(x.got), x.want)
		}
	}
	if revision := settings["vcs.revision"]; revision != "" && revision != source.GitCommit {
		return "", tampered("%s: built from commit %s, the release is of commit %s", shown, archive.Printable(revision), source.GitCommit)
	}
	in.addHazards(a, settings, info)
	return "." + strings.TrimPrefix(info.Path, source.Module), nil
}

// addHazards tells what build info says that weakens the release.
func (in *importer) addHazards(a artifact, settings map[string]string, info *debug.BuildInfo) {
	add := func(id, detail string) {
		in.Plan.CommitHazards = append(in.Plan.CommitHazards, release.Hazard{ID: id, Detail: archive.Printable(a.Name) + " for " + a.OS + "/" + a.Arch + " " + detail})
	}
	if settings["vcs.revision"] == "" {
		add("unstamped-binary", "does not say which commit it was built from")
	}
	if settings["vcs.modified"] == "true" {
		add("dirty-build", "was built from changed files, by its own word")
	}
	for _, m := range info.Deps {
		if m.Replace != nil && (m.Replace.Version == "" || m.Replace.Version == "(devel)") {
			add("local-module", "links "+archive.Printable(m.Path)+" from a directory")
		}
	}
}
