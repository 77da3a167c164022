package gobuild

import (
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/rollproof/rollproof/release"
)

// A scope is what templates of a configuration may use: facts of the commit, the
// platform, and variables that the file or the caller names.
type scope struct {
	fields map[string]string
	env    func(name string) (value, refusal string)
}

// templateFields are the fields that templates may use. Os and Arch are empty
// where there is no platform.
func templateFields(project, version string, c commit) map[string]string {
	return map[string]string{
		"ProjectName":     project,
		"Version":         strings.TrimPrefix(version, "v"),
		"Tag":             version,
		"Commit":          c.id,
		"FullCommit":      c.id,
		"ShortCommit":     c.id[:7],
		"CommitDate":      c.time.Format(time.RFC3339),
		"CommitTimestamp": fmt.Sprint(c.time.Unix()),
		"Os":              "",
		"Arch":            "",
	}
}

// on returns the scope for a platform.
func (s scope) on(p release.Platform) scope {
	fields := map[string]string{}
	for name, value := range s.fields {
		fields[name] = value
	}
	fields["Os"], fields["Arch"] = p.OS, p.Arch
	return scope{fields: fields, env: s.env}
}

// templateFuncs are the functions of goreleaser that depend on nothing else.
var templateFuncs = template.FuncMap{
	"contains":   strings.Contains,
	"replace":    replaceAll,
	"tolower":    strings.ToLower,
	"toupper":    strings.ToUpper,
	"trim":       strings.TrimSpace,
	"trimprefix": strings.TrimPrefix,
	"trimsuffix": strings.TrimSuffix,
}

// replaceAll stops before nested calls multiply their texts.
func replaceAll(s, old, new string) (string, error) {
	if len(s)+strings.Count(s, old)*len(new) > maxExpanded {
		return "", fmt.Errorf("replace makes more than %d bytes", maxExpanded)
	}
	return strings.ReplaceAll(s, old, new), nil
}

// builtins are the functions of text/template that compare.
var builtins = []string{"and", "or", "not", "eq", "ne"}

// instead says what to write in place of what a release cannot know or what
// would differ from one build to the next.
var instead = map[string]string{
	".Date":         "write {{ .CommitDate }}",
	".Now":          "write {{ .CommitDate }}",
	".Timestamp":    "write {{ .CommitTimestamp }}",
	"time":          "write {{ .CommitDate }}",
	".Major":        "write {{ .Version }}",
	".Minor":        "write {{ .Version }}",
	".Patch":        "write {{ .Version }}",
	".Prerelease":   "write {{ .Version }}",
	".RawVersion":   "write {{ .Version }}",
	".Branch":       "remove it: a tag belongs to no branch; {{ .Tag }} names it",
	".GitURL":       "write the address itself",
	".ModulePath":   "write the module path itself",
	".IsSnapshot":   "remove it: a release is no snapshot",
	".IsNightly":    "remove it: a release is no nightly build",
	".IsGitDirty":   "remove it: a release is built from its commit",
	".IsGitClean":   "remove it: a release is built from its commit",
	".GitTreeState": "write clean: a release is built from its commit",
	".Runtime":      "remove it: a release does not depend on the machine that builds it",
	"envOrDefault":  "write {{ .Env.NAME }}, and set NAME in the file's env or give --allow-env NAME",
	"isEnvSet":      "write {{ if .Env.NAME }}, and set NAME in the file's env or give --allow-env NAME",
	"index":         "write {{ .Env.NAME }}, and set NAME in the file's env or give --allow-env NAME",
}

// ofMachine are variables that say where a build runs.
var ofMachine = []string{"GOPATH", "GOROOT", "HOME", "HOSTNAME", "PWD", "USER"}

// limits of a template and of what comes out, in bytes.
const (
	maxTemplate = 16 << 10
	maxExpanded = 64 << 10
)

// expand evaluates a template. refusal is a fact about the first thing in it that
// is not supported, and hint what to write instead; both are "" when it could be
// evaluated.
func (s scope) expand(text string) (value, refusal, hint string) {
	if len(text) > maxTemplate {
		return "", fmt.Sprintf("template has %d bytes, want at most %d", len(text), maxTemplate), "shorten it"
	}
	if !strings.Contains(text, "{{") {
		return text, "", ""
	}
	// Names are looked at below, where each gets its own hint.
	tree := parse.New("value")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(text, "", "", map[string]*parse.Tree{}); err != nil {
		return "", "template cannot be read: " + strings.TrimPrefix(err.Error(), "template: value:1: "), "see text/template of Go"
	}
	w := &templateWalk{scope: s, env: map[string]string{}}
	if w.node(tree.Root); w.refusal != "" {
		return "", w.refusal, w.hint
	}
	return s.execute(text, w.env)
}

func (s scope) execute(text string, env map[string]string) (value, refusal, hint string) {
	data := map[string]any{"Env": env}
	for name, value := range s.fields {
		data[name] = value
	}
	out := &limited{room: maxExpanded}
	t, err := template.New("value").Option("missingkey=error").Funcs(templateFuncs).Parse(text)
	if err == nil {
		err = t.Execute(out, data)
	}
	if err != nil {
		return "", "template cannot be evaluated: " + err.Error(), "see text/template of Go"
	}
	return out.text.String(), "", ""
}

// limited keeps a template from filling the memory.
type limited struct {
	text strings.Builder
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.room -= len(p); l.room < 0 {
		return 0, fmt.Errorf("more than %d bytes come out", maxExpanded)
	}
	return l.text.Write(p)
}

// A templateWalk finds what a template uses. What it does not know is refused:
// nothing of text/template is let through by accident.
type templateWalk struct {
	scope   scope
	env     map[string]string
	refusal string
	hint    string
}

func (w *templateWalk) refuse(name, format string, args ...any) {
	if w.refusal == "" {
		w.refusal, w.hint = fmt.Sprintf(format, args...), instead[name]
		if w.hint == "" {
			w.hint = "write the value itself; supported are " + supported(w.scope.fields)
		}
	}
}

func supported(fields map[string]string) string {
	var names []string
	for name := range fields {
		names = append(names, "."+name)
	}
	slices.Sort(names)
	return strings.Join(names, " ") + " .Env.NAME"
}

func (w *templateWalk) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				w.node(child)
			}
		}
	case *parse.ActionNode:
		w.node(n.Pipe)
	case *parse.IfNode:
		w.node(n.Pipe)
		w.node(n.List)
		w.node(n.ElseList)
	case *parse.PipeNode:
		if len(n.Decl) > 0 {
			w.refuse("", "template variable %s is not supported", n.Decl[0])
		}
		for _, command := range n.Cmds {
			for _, arg := range command.Args {
				w.node(arg)
			}
		}
	case *parse.FieldNode:
		w.field(n.Ident)
	case *parse.IdentifierNode:
		if _, ok := templateFuncs[n.Ident]; !ok && !slices.Contains(builtins, n.Ident) {
			w.refuse(n.Ident, "template function %s is not supported", n.Ident)
		}
	case *parse.TextNode, *parse.CommentNode, *parse.StringNode, *parse.BoolNode, *parse.NumberNode:
	default:
		w.refuse("", "template element %s is not supported", n)
	}
}

func (w *templateWalk) field(path []string) {
	switch _, known := w.scope.fields[path[0]]; {
	case path[0] == "Env" && len(path) == 2:
		value, refusal := w.scope.env(path[1])
		if refusal != "" && w.refusal == "" {
			w.refusal, w.hint = refusal, "set "+path[1]+" in the file's env, or give --allow-env "+path[1]
			if slices.Contains(ofMachine, path[1]) {
				w.hint = "remove it: a release does not depend on the machine that builds it, and -trimpath is always given"
			}
		}
		w.env[path[1]] = value
	case !known || len(path) > 1:
		w.refuse("."+path[0], "template field .%s is not supported", strings.Join(path, "."))
	}
}
