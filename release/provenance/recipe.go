package provenance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Invocation is a recipe's argv, taken apart.
type Invocation struct {
	Trimpath bool
	BuildVCS string // "true"
	Mod      string // "readonly" or "vendor"
	Tags     string
	Ldflags  string
	Gcflags  string
	Asmflags string
	Output   string
	Package  string
}

// valueFlags maps the flags that take a value to their place in an Invocation.
func (i *Invocation) valueFlags() map[string]*string {
	return map[string]*string{
		"-buildvcs": &i.BuildVCS, "-mod": &i.Mod, "-tags": &i.Tags,
		"-ldflags": &i.Ldflags, "-gcflags": &i.Gcflags, "-asmflags": &i.Asmflags,
	}
}

// Parse takes the recipe's argv apart. It accepts what this build type can ask of
// "go build" and nothing else, so that a recipe is data and never a command:
//
//	go build [-trimpath] [-FLAG=VALUE…] -o OUTPUT PACKAGE
func (r Recipe) Parse() (Invocation, error) {
	var i Invocation
	if len(r.Argv) < 5 || r.Argv[0] != "go" || r.Argv[1] != "build" {
		return i, errors.New("the recipe's argv is not a \"go build\" command")
	}
	flags, tail := r.Argv[2:len(r.Argv)-3], r.Argv[len(r.Argv)-3:]
	if tail[0] != "-o" || tail[1] != r.Binary || strings.HasPrefix(tail[2], "-") {
		return i, fmt.Errorf("the recipe's argv ends in %q, expected \"-o %s PACKAGE\"", strings.Join(tail, " "), r.Binary)
	}
	i.Output, i.Package = tail[1], tail[2]
	known, seen := i.valueFlags(), map[string]bool{}
	for _, flag := range flags {
		name, value, hasValue := strings.Cut(flag, "=")
		place, takesValue := known[name]
		switch {
		case seen[name]:
			return i, fmt.Errorf("the recipe's argv holds %s twice", name)
		case name == "-trimpath" && !hasValue:
			i.Trimpath = true
		case takesValue && hasValue:
			*place = value
		default:
			return i, fmt.Errorf("the recipe's argv holds %q, which this build type does not know", flag)
		}
		seen[name] = true
	}
	return i, nil
}

// Variables returns the recipe's environment as a map. The list must be sorted,
// without duplicates, each NAME=value.
func (r Recipe) Variables() (map[string]string, error) {
	if !slices.IsSorted(r.Env) {
		return nil, errors.New("the recipe's environment is not sorted")
	}
	vars := map[string]string{}
	for _, e := range r.Env {
		name, value, ok := strings.Cut(e, "=")
		if _, twice := vars[name]; !ok || name == "" || twice {
			return nil, fmt.Errorf("the recipe's environment holds %q", e)
		}
		vars[name] = value
	}
	return vars, nil
}

// recordedVariables are the variables that build info holds when they are set.
var recordedVariables = []string{
	"CGO_ENABLED", "GOARCH", "GOEXPERIMENT", "GOOS",
	"GO386", "GOAMD64", "GOARM", "GOARM64", "GOMIPS", "GOMIPS64", "GOPPC64", "GORISCV64", "GOWASM",
}

// Settings returns what "go version -m" must show of a binary made by this recipe:
// the build settings of its build info, without those of version control. -ldflags
// is never among them, because the go command leaves it out under -trimpath.
func (r Recipe) Settings() (map[string]string, error) {
	i, err := r.Parse()
	if err != nil {
		return nil, err
	}
	vars, err := r.Variables()
	if err != nil {
		return nil, err
	}
	settings := map[string]string{"-buildmode": "exe", "-compiler": "gc"}
	if i.Trimpath {
		settings["-trimpath"] = "true"
	}
	for name, value := range map[string]string{"-tags": i.Tags, "-gcflags": i.Gcflags, "-asmflags": i.Asmflags} {
		if value != "" {
			settings[name] = value
		}
	}
	for _, name := range recordedVariables {
		if value := vars[name]; value != "" {
			settings[name] = value
		}
	}
	return settings, nil
}
