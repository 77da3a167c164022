package gobuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
)

// configurationNames are where GoReleaser looks for its file, in its order.
var configurationNames = []string{
	".config/goreleaser.yml", ".config/goreleaser.yaml", ".goreleaser.yml", ".goreleaser.yaml",
	"goreleaser.yml", "goreleaser.yaml",
}

// maxConfiguration is the largest configuration that is read, in bytes.
const maxConfiguration = 1 << 20

// A configuration is a GoReleaser file that has been read strictly.
type configuration struct {
	file     string // slash-separated, below the module's directory
	project  config.Project
	sections []string // top-level keys, in the order of the file
}

// findConfiguration reads the file that was asked for or the first one that the
// source has. nil is no file.
func findConfiguration(root, asked string) (*configuration, error) {
	if asked != "" {
		name := path.Clean(filepath.ToSlash(asked))
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, usage("give a path below the directory of go.mod", "configuration %s lies outside of the module", plain(asked))
		}
		c, err := readConfiguration(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usage("commit it", "configuration %s is not in the commit", plain(name))
		}
		return c, err
	}
	for _, name := range configurationNames {
		if c, err := readConfiguration(root, name); !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	return nil, nil
}

func readConfiguration(root, name string) (*configuration, error) {
	full := filepath.Join(root, filepath.FromSlash(name))
	info, err := os.Lstat(full)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfiguration {
		return nil, usage("commit a file of settings", "%s is no regular file of at most %d bytes", name, maxConfiguration)
	}
	data, err := os.ReadFile(full)
	if err != nil {
		return nil, failed(err, "%s cannot be read: %v", name, err)
	}
	return parseConfiguration(name, data)
}

// parseConfiguration reads a file of version 2. The version is looked at first:
// goreleaser's own reader only warns of another one.
func parseConfiguration(name string, data []byte) (*configuration, error) {
	var top yaml.MapSlice
	documents := yaml.NewDecoder(bytes.NewReader(data))
	if err := documents.Decode(&top); err != nil && !errors.Is(err, io.EOF) {
		return nil, usage("goreleaser check shows the place", "%s: %s", name, yamlFact(err))
	}
	if err := documents.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, usage("keep one", "%s: it has several documents", name)
	}
	c := &configuration{file: name}
	version := any("missing")
	for _, item := range top {
		key, ok := item.Key.(string)
		if !ok {
			return nil, usage("write out what it means", "%s: key %s is no section", name, plain(fmt.Sprint(item.Key)))
		}
		c.sections = append(c.sections, key)
		if key == "version" {
			version = item.Value
		}
	}
	if fmt.Sprint(version) != "2" {
		return nil, usage("goreleaser check names what to rename; then write version: 2",
			"%s: version is %s, want 2", name, plain(fmt.Sprint(version)))
	}
	var err error
	if c.project, err = config.LoadReader(bytes.NewReader(data)); err != nil {
		return nil, c.unreadable(err)
	}
	if c.project.Version != 2 {
		return nil, usage("write version: 2", "%s: version is %d, want 2", name, c.project.Version)
	}
	return c, nil
}

// yamlFact is the first line of a parser's message; what follows is a drawing.
func yamlFact(err error) string {
	return strings.TrimSuffix(telling([]byte(err.Error())), ".")
}

var unknownField = regexp.MustCompile(`line (\d+): field (\S+) not found in type config\.(\w+)`)

// unreadable says what goreleaser's reader refused, with the nearest known name.
func (c *configuration) unreadable(err error) error {
	match := unknownField.FindStringSubmatch(err.Error())
	if match == nil {
		line := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
		return usage("goreleaser check shows the same", "%s: %s", c.file, plain(line))
	}
	hint := "remove it; it is none of goreleaser's free edition"
	if near := envelope.Nearest(match[2], fieldNames(match[3])); near != "" {
		hint = "the nearest known is " + near
	}
	return usage(hint, "%s:%s: field %s is unknown", c.file, match[1], plain(match[2]))
}

// fieldNames are the keys of the structs that a plan is made from.
func fieldNames(name string) []string {
	known := map[string]reflect.Type{
		"Project": reflect.TypeFor[config.Project](),
		"Build":   reflect.TypeFor[config.Build](),
		"Before":  reflect.TypeFor[config.Before](),
		"Archive": reflect.TypeFor[config.Archive](),
	}
	t, ok := known[name]
	if !ok {
		return nil
	}
	var names []string
	for _, field := range reflect.VisibleFields(t) {
		if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key != "" && key != "-" {
			names = append(names, key)
		}
	}
	return names
}

// honoured are the sections that a plan follows.
var honoured = []string{"version", "project_name", "builds", "before", "env", "pro"}

// unusedReasons say why a section has no effect, where it is not for publishing
// or packing.
var unusedReasons = map[string]string{
	"dist":               "--out says where the package goes",
	"env_files":          "they hold tokens for publishing",
	"git":                "--version chooses among several tags",
	"gomod":              "the build takes the commit, and build info names its version all the same",
	"metadata":           "files of a package carry one fixed time",
	"notarize":           "binaries are shipped as the linker wrote them",
	"binary_signs":       "binaries are shipped as the linker wrote them, each with a detached signature",
	"report_sizes":       "the package lists the size of every file",
	"snapshot":           "--dry-run names its version after the commit",
	"universal_binaries": "each architecture is shipped by itself",
	"upx":                "binaries are shipped as the linker wrote them",
}

// unused lists the sections that the plan does not follow.
func (c *configuration) unused() []release.Skip {
	var list []release.Skip
	for _, key := range c.sections {
		if slices.Contains(honoured, key) {
			continue
		}
		reason, ok := unusedReasons[key]
		if !ok {
			reason = "it publishes or packs, which the package does in its own way"
		}
		list = append(list, release.Skip{What: c.file + ": " + plain(key), Reason: reason})
	}
	return list
}

// refuse reports a setting that cannot be followed.
func (c *configuration) refuse(where, hint, format string, args ...any) error {
	return usage(hint, "%s: %s: %s", c.file, where, plain(fmt.Sprintf(format, args...)))
}

// note lists something that the plan does otherwise than GoReleaser.
func (c *configuration) note(where, format string, args ...any) release.Skip {
	return release.Skip{What: c.file + ": " + where, Reason: plain(fmt.Sprintf(format, args...))}
}
