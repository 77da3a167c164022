package gobuild

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// recipeFlags are the flags of go build that a configuration may choose: those
// that say what is built and run nothing.
type recipeFlags struct {
	tags                       []string
	ldflags, gcflags, asmflags string
}

// argv writes them in the order of every recipe.
func (f recipeFlags) argv() []string {
	var list []string
	for _, flag := range []struct{ name, value string }{
		{"-tags", strings.Join(f.tags, ",")}, {"-ldflags", f.ldflags}, {"-gcflags", f.gcflags}, {"-asmflags", f.asmflags},
	} {
		if flag.value != "" {
			list = append(list, flag.name+"="+flag.value)
		}
	}
	return list
}

// A refusal is what a flag or variable is refused for, and what to do.
type refusal struct{ fact, hint string }

func refused(hint, format string, args ...any) *refusal {
	return &refusal{fmt.Sprintf(format, args...), hint}
}

// always are flags that every build has, or that change nothing about the result.
var always = []string{
	"-trimpath", "-trimpath=true", "-buildvcs", "-buildvcs=true", "-buildvcs=auto", "-buildmode=exe", "-buildmode=default",
	"-compiler=gc", "-pgo=auto", "-v", "-x", "-a", "-modcacherw", "-mod=readonly",
}

// flagHints say what to do about flags that go build knows and a release refuses.
var flagHints = map[string]string{
	"-asan":          "remove it: it needs cgo",
	"-buildmode":     "remove it: executables of the default mode are built",
	"-buildvcs":      "remove it: each binary must name its commit",
	"-cover":         "remove it: binaries that measure coverage are not released",
	"-mod":           "remove it, and commit a tidy go.mod and go.sum",
	"-modfile":       "remove it: modules come from go.mod",
	"-msan":          "remove it: it needs cgo",
	"-o":             "remove it: binary names the output",
	"-overlay":       "remove it: it builds other files than the commit's",
	"-pgo":           "remove it, and commit the profile as default.pgo beside the main package",
	"-race":          "remove it: it needs cgo",
	"-toolexec":      "remove it: it runs a program in place of the compiler",
	"-trimpath":      "remove it: -trimpath is always given",
	"-installsuffix": "remove it: it has no effect on modules",
}

// add takes a configuration's list of flags. The values of -tags, -ldflags,
// -gcflags and -asmflags are checked like those of the fields.
func (f *recipeFlags) add(list []string, mod string) *refusal {
	for i := 0; i < len(list); i++ {
		flag := normalFlag(list[i])
		name, value, hasValue := strings.Cut(flag, "=")
		if slices.Contains(always, flag) || flag == "-mod="+mod || name == "-p" {
			if flag == "-p" {
				i++
			}
			continue
		}
		if !slices.Contains([]string{"-tags", "-ldflags", "-gcflags", "-asmflags"}, name) {
			hint := flagHints[name]
			if hint == "" {
				hint = "remove it; supported are -tags, -ldflags, -gcflags and -asmflags"
			}
			return refused(hint, "flag %s is not supported", flag)
		}
		if !hasValue {
			if i++; i == len(list) {
				return refused("give it one: "+name+"=VALUE", "flag %s has no value", name)
			}
			value = list[i]
		}
		if r := f.set(name, value); r != nil {
			return r
		}
	}
	return nil
}

// normalFlag writes a flag with one dash: go takes either.
func normalFlag(flag string) string {
	flag = strings.TrimSpace(flag)
	if strings.HasPrefix(flag, "--") {
		return flag[1:]
	}
	return flag
}

// set takes one flag's value. go build obeys the last of several; a release asks
// for one.
func (f *recipeFlags) set(name, value string) *refusal {
	if value = strings.TrimSpace(value); value == "" {
		return nil
	}
	place := map[string]*string{"-ldflags": &f.ldflags, "-gcflags": &f.gcflags, "-asmflags": &f.asmflags}[name]
	if len(f.tags) > 0 && name == "-tags" || place != nil && *place != "" {
		return refused("write all of it in one value", "%s is set twice", name)
	}
	switch name {
	case "-tags":
		return f.setTags(value)
	case "-ldflags":
		f.ldflags = value
		return checkArgs(value, linkerFlags, name)
	case "-gcflags":
		f.gcflags = value
		return checkPattern(value, compilerFlags, name)
	}
	f.asmflags = value
	return checkPattern(value, assemblerFlags, name)
}

var tagPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\pL\pN_.]+$`) })

func (f *recipeFlags) setTags(value string) *refusal {
	for _, tag := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }) {
		if !tagPattern().MatchString(tag) {
			return refused("use letters, digits, _ and .", "build tag %q is malformed", tag)
		}
		if !slices.Contains(f.tags, tag) {
			f.tags = append(f.tags, tag)
		}
	}
	return nil
}

// A toolFlag is a flag of the linker, compiler or assembler. check looks at its
// value; nil is a flag that is on or off.
type toolFlag struct{ check func(value string) bool }

func anyValue(string) bool { return true }

func oneOf(values ...string) toolFlag {
	return toolFlag{func(value string) bool { return slices.Contains(values, value) }}
}

var (
	onOff      = toolFlag{}
	symbol     = regexp.MustCompile(`^[^\s=]+\.[^\s=.]+=`)
	debugValue = regexp.MustCompile(`^[a-z0-9=,]*$`)

	// linkerFlags leave out what runs a program (-extld, external linking), reads
	// files or writes them. -extldflags has no effect without external linking.
	linkerFlags = map[string]toolFlag{
		"s": onOff, "w": onOff, "v": onOff, "compressdwarf": onOff,
		"X":             {symbol.MatchString},
		"B":             oneOf("gobuildid", "none"),
		"H":             oneOf("windowsgui", "windows"),
		"buildid":       {anyValue},
		"checklinkname": oneOf("0", "1"),
		"extldflags":    {anyValue},
		"linkmode":      oneOf("internal", "auto"),
	}
	compilerFlags = map[string]toolFlag{
		"N": onOff, "B": onOff, "C": onOff, "e": onOff, "l": onOff, "m": onOff, "dwarf": onOff,
		"spectre": {debugValue.MatchString},
		"lang":    {regexp.MustCompile(`^go1\.[0-9]+$`).MatchString},
	}
	assemblerFlags = map[string]toolFlag{
		"e": onOff, "D": {regexp.MustCompile(`^[A-Za-z0-9_]+(=[A-Za-z0-9_]*)?$`).MatchString},
		"spectre": {debugValue.MatchString},
	}
	toolHints = map[string]string{
		"extld":    "remove it: it runs a program in place of the linker",
		"linkmode": "remove it: external linking runs a C compiler",
		"trimpath": "remove it: -trimpath is always given",
	}
)

// checkPattern looks at "[pattern=]arguments", as -gcflags takes it.
func checkPattern(value string, known map[string]toolFlag, name string) *refusal {
	if !strings.HasPrefix(value, "-") {
		_, rest, ok := strings.Cut(value, "=")
		if !ok {
			return refused("write PATTERN=FLAGS, such as all=-l", "%s value %q has no flags", name, value)
		}
		value = rest
	}
	return checkArgs(value, known, name)
}

// checkArgs looks at a list of arguments for one of go's tools.
func checkArgs(value string, known map[string]toolFlag, name string) *refusal {
	args, ok := splitQuoted(value)
	if !ok {
		return refused("close the quotes", "%s value %q has an open quote", name, value)
	}
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			return refused("quote the whole value: 'NAME=VALUE WITH SPACES'", "%s argument %q is no flag", name, args[i])
		}
		flag, given, hasValue := strings.Cut(normalFlag(args[i])[1:], "=")
		want, ok := known[flag]
		switch {
		case !ok:
			return refused(toolHint(flag), "%s flag -%s is not supported", name, flag)
		case want.check == nil && hasValue && given != "true" && given != "false":
			return refused("write -"+flag, "%s flag -%s has value %q", name, flag, given)
		case want.check == nil:
			continue
		case !hasValue:
			if i++; i == len(args) {
				return refused("give it one", "%s flag -%s has no value", name, flag)
			}
			given = args[i]
		}
		if !want.check(given) {
			return refused(toolHint(flag), "%s flag -%s has value %q, which is not supported", name, flag, given)
		}
	}
	return nil
}

func toolHint(flag string) string {
	if hint := toolHints[flag]; hint != "" {
		return hint
	}
	return "remove it"
}

// splitQuoted separates arguments as go does: by blanks, where an argument that
// begins with a quote runs to the next one.
func splitQuoted(text string) (args []string, ok bool) {
	for text = strings.TrimLeft(text, " \t\r\n"); text != ""; text = strings.TrimLeft(text, " \t\r\n") {
		if quote := text[0]; quote == '"' || quote == '\'' {
			end := strings.IndexByte(text[1:], quote)
			if end < 0 {
				return nil, false
			}
			args, text = append(args, text[1:1+end]), text[end+2:]
			continue
		}
		end := strings.IndexAny(text, " \t\r\n")
		if end < 0 {
			end = len(text)
		}
		args, text = append(args, text[:end]), text[end:]
	}
	return args, true
}
