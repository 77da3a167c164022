package gobuild

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/rollproof/rollproof/release"
)

// A writtenBuild is a build as PrintConfiguration writes it.
type writtenBuild struct {
	ID      string   `yaml:"id"`
	Main    string   `yaml:"main"`
	Binary  string   `yaml:"binary"`
	Env     []string `yaml:"env"`
	Flags   []string `yaml:"flags"`
	Ldflags []string `yaml:"ldflags"`
	Targets []string `yaml:"targets"`
}

type writtenFile struct {
	Version     int            `yaml:"version"`
	ProjectName string         `yaml:"project_name"`
	Builds      []writtenBuild `yaml:"builds"`
}

const writtenHeader = `# What "rollproof release package" builds here, as a GoReleaser configuration.
# Flags that every build has (-buildvcs=true, -mod) are left out.
`

// PrintConfiguration writes the GoReleaser file that a plan amounts to: read back
// for the same commit, it plans the same targets. With Options.ZeroConfig this is
// the file that a repository without one would need.
func PrintConfiguration(plan *release.Plan) ([]byte, error) {
	file := writtenFile{Version: 2, ProjectName: plan.Project}
	keys := map[string]int{}
	for _, t := range plan.Targets {
		w, err := writeBuild(t)
		if err != nil {
			return nil, err
		}
		key := strings.Join(slices.Concat([]string{w.Main, w.Binary}, w.Env, []string{""}, w.Flags, []string{""}, w.Ldflags), "\x00")
		i, ok := keys[key]
		if !ok {
			i = len(file.Builds)
			keys[key] = i
			w.ID = buildID(t.Binary, file.Builds)
			file.Builds = append(file.Builds, w)
		}
		file.Builds[i].Targets = append(file.Builds[i].Targets, t.Platform.OS+"_"+t.Platform.Arch)
	}
	data, err := yaml.MarshalWithOptions(file, yaml.IndentSequence(true))
	if err != nil {
		return nil, failed(err, "configuration cannot be written: %v", err)
	}
	return append([]byte(writtenHeader), data...), nil
}

// buildID is the binary's name, with a number where another build has it.
func buildID(binary string, builds []writtenBuild) string {
	id := binary
	for n := 2; slices.ContainsFunc(builds, func(w writtenBuild) bool { return w.ID == id }); n++ {
		id = fmt.Sprintf("%s-%d", binary, n)
	}
	return id
}

// writeBuild takes a recipe apart. Without ldflags the list holds an empty one:
// GoReleaser puts its own in place of none.
func writeBuild(t release.Target) (writtenBuild, error) {
	w := writtenBuild{Main: t.Main, Binary: t.Binary, Env: []string{"CGO_ENABLED=0"}, Flags: []string{"-trimpath"}, Ldflags: []string{""}}
	for _, flag := range flagsOf(t) {
		name, value, _ := strings.Cut(flag, "=")
		switch name {
		case "-ldflags":
			w.Ldflags = []string{value}
		case "-tags", "-gcflags", "-asmflags":
			w.Flags = append(w.Flags, flag)
		}
		if strings.Contains(flag, "{{") {
			return w, failed(nil, "flag %s of %s cannot be written: it would be read as a template", name, t.Binary)
		}
	}
	// For arm the file's default is another than go's.
	setting := archSettings[t.Platform.Arch]
	for _, entry := range t.Env {
		if name, value, _ := strings.Cut(entry, "="); name == setting.name && (value != setting.level || t.Platform.Arch == "arm") {
			w.Env = append(w.Env, entry)
		}
	}
	return w, nil
}
