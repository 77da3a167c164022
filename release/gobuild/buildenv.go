package gobuild

import (
	"regexp"
	"slices"
	"strings"
)

// envValues are the variables that a configuration may set for a build, and the
// values that are followed. What is followed is recorded in the recipe.
var envValues = map[string]*regexp.Regexp{
	"CGO_ENABLED": regexp.MustCompile(`^0$`),
	"GO386":       regexp.MustCompile(`^(sse2|softfloat)$`),
	"GOAMD64":     regexp.MustCompile(`^v[1-4]$`),
	"GOARM":       regexp.MustCompile(`^[567](,(softfloat|hardfloat))?$`),
	"GOARM64":     regexp.MustCompile(`^v(8\.[0-9]|9\.[0-5])(,(lse|crypto))*$`),
	"GOMIPS":      regexp.MustCompile(`^(hard|soft)float$`),
	"GOMIPS64":    regexp.MustCompile(`^(hard|soft)float$`),
	"GOPPC64":     regexp.MustCompile(`^power(8|9|10)$`),
	"GORISCV64":   regexp.MustCompile(`^rva(20|22|23)u64$`),
}

// settled are settings that every build has anyway.
var settled = []string{
	"GO111MODULE=on", "GO111MODULE=auto", "GOENV=off", "GOEXPERIMENT=", "GOFLAGS=", "GOFLAGS=-mod=readonly", "GOFLAGS=-trimpath",
	"GOTOOLCHAIN=local", "GOWORK=off", "GOPROXY=off", "LC_ALL=C", "TZ=UTC",
}

// envHints say what to do about variables that go knows and a release refuses.
var envHints = map[string]string{
	"CGO_ENABLED":  "write CGO_ENABLED=0, or leave the build out with skip: true",
	"GOARCH":       "use goarch",
	"GOEXPERIMENT": "remove it: released binaries hold no experiments",
	"GOFLAGS":      "remove it, and write the flags under flags",
	"GOOS":         "use goos",
	"GOPRIVATE":    "remove it: modules are fetched with your own go env",
	"GOPROXY":      "remove it: modules are fetched with your own go env",
	"GONOSUMDB":    "remove it: modules are fetched with your own go env",
	"GOSUMDB":      "remove it: modules are fetched with your own go env",
	"GOTOOLCHAIN":  "remove it: the toolchain is the go on PATH",
	"GOWORK":       "remove it: modules come from go.mod alone",
}

// followEnv says whether NAME=value reaches the recipe. A variable that neither
// does nor may be passed over is refused.
func followEnv(entry string) (follow bool, r *refusal) {
	name, value, ok := strings.Cut(entry, "=")
	if !ok || name == "" {
		return false, refused("write NAME=VALUE", "%q sets no variable", entry)
	}
	if slices.Contains(settled, entry) {
		return false, nil
	}
	pattern, known := envValues[name]
	if known && pattern.MatchString(value) {
		return true, nil
	}
	hint := envHints[name]
	if hint == "" {
		hint = "remove it; constants for templates belong into the file's own env"
	}
	if known {
		return false, refused(hint, "%s is not supported", entry)
	}
	return false, refused(hint, "variable %s is not supported", name)
}

// concernsGo says whether a variable of the file's own env could change what go
// build makes. The others are constants for templates and for publishing.
func concernsGo(name string) bool {
	_, known := envValues[name]
	_, hinted := envHints[name]
	return known || hinted || name == "GO111MODULE" || name == "GOENV" || name == "GODEBUG" || name == "GOROOT" ||
		name == "GOCACHE" || name == "GOFIPS140" || name == "GOMODCACHE" || strings.HasPrefix(name, "CGO_")
}

// A fileEnv resolves variables that templates use: entries of the file's env, in
// its order, and names of the caller that were allowed.
type fileEnv struct {
	entries []string
	allowed []string
	caller  func(name string) string
	fields  map[string]string
	known   map[int]expansion // of entries, by index
}

// An expansion is what a template became, or why it did not.
type expansion struct{ value, refusal, hint string }

// entry evaluates one entry's value, which may use those before it.
func (e *fileEnv) entry(i int) expansion {
	if x, ok := e.known[i]; ok {
		return x
	}
	_, raw, _ := strings.Cut(e.entries[i], "=")
	var x expansion
	x.value, x.refusal, x.hint = e.scope(i).expand(raw)
	if e.known == nil {
		e.known = map[int]expansion{}
	}
	e.known[i] = x
	return x
}

// resolve gives the value of a variable, looking at the first upTo entries. The
// last of several settings counts.
func (e *fileEnv) resolve(name string, upTo int) (value, why string) {
	for i := upTo - 1; i >= 0; i-- {
		if key, _, _ := strings.Cut(e.entries[i], "="); key != name {
			continue
		}
		x := e.entry(i)
		if x.refusal != "" {
			return "", "variable " + name + " of env: " + x.refusal
		}
		return x.value, ""
	}
	if !slices.Contains(e.allowed, name) {
		return "", "template uses the variable " + name + ", which the file does not set"
	}
	if value := e.caller(name); value != "" {
		return value, ""
	}
	return "", "template uses the variable " + name + ", which is not set"
}

// scope is what templates may use that stand after upTo entries of env.
func (e *fileEnv) scope(upTo int) scope {
	return scope{fields: e.fields, env: func(name string) (string, string) { return e.resolve(name, upTo) }}
}

// forGo evaluates the entries that concern go, and lists the names of the others.
func (e *fileEnv) forGo() (follow, others []string, r *refusal) {
	for i, entry := range e.entries {
		name, _, _ := strings.Cut(entry, "=")
		if !concernsGo(name) {
			others = append(others, name)
			continue
		}
		x := e.entry(i)
		if x.refusal != "" {
			return nil, nil, refused(x.hint, "%s: %s", name, x.refusal)
		}
		ok, r := followEnv(name + "=" + x.value)
		if r != nil {
			return nil, nil, r
		}
		if ok {
			follow = append(follow, name+"="+x.value)
		}
	}
	return follow, others, nil
}
