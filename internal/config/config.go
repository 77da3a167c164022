// Package config reads rollproof.yaml, strictly: an unknown key is an error with the
// nearest known name. The type of each section belongs to the package that acts on
// it.
//
//	name: age
//	supplier:
//	  name: Example Corp
//	  email: release@example.com
//	source: https://git.example.com/tools/age
//	deployment_targets:
//	  - id: github-actions-linux-amd64-runner
//	    surface: ci-runner
//	    os: linux
//	    arch: amd64
//	    channel: github-actions
//	policy:
//	  rings:
//	    - name: pilot
//	      soak: 4h
//	    - name: production
//	      quorum: 2
package config

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/smoke"
	"github.com/rollproof/rollproof/release/upgrade"
	"github.com/rollproof/rollproof/rollout"
)

// FileName is where a repository keeps its configuration, beside go.mod.
const FileName = "rollproof.yaml"

// MaxSize is the size in bytes of the largest configuration that is read.
const MaxSize = 1 << 20

// A Config is rollproof.yaml.
type Config struct {
	Name              string                  `yaml:"name"`
	Supplier          release.Supplier        `yaml:"supplier"`
	Source            string                  `yaml:"source"`
	DeploymentTargets []release.TargetSetting `yaml:"deployment_targets"`
	// Policy is the draft of the signed policy, nil without one.
	Policy *rollout.Rules `yaml:"policy"`
	// Upgrade says which differences of two releases fail, by rule.
	Upgrade upgrade.Rules `yaml:"upgrade"`
	// Smoke says what a smoke test runs and expects.
	Smoke smoke.Command `yaml:"smoke"`
}

// Settings returns what a package is made with.
func (c *Config) Settings() release.Settings {
	return release.Settings{Supplier: c.Supplier, SourceURI: c.Source, Targets: c.DeploymentTargets}
}

// An Error says what is wrong with a configuration, and where.
type Error struct {
	Line    int // 0 when unknown
	Problem string
	Nearest string // the nearest known name, "" when none is near
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return FileName + ": " + e.Problem
	}
	return fmt.Sprintf("%s:%d: %s", FileName, e.Line, e.Problem)
}

// Parse reads a configuration. An empty one is the zero Config. Errors are [*Error].
func Parse(data []byte) (*Config, error) {
	if len(data) > MaxSize {
		return nil, &Error{Problem: fmt.Sprintf("%d bytes, the limit is %d", len(data), MaxSize)}
	}
	var c Config
	dec := yaml.NewDecoder(strings.NewReader(string(data)), yaml.Strict(), yaml.DisallowUnknownField())
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return nil, explain(err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, &Error{Problem: "more than one YAML document"}
	}
	return &c, c.check()
}

// check refuses values that a package could not carry.
func (c *Config) check() error {
	if c.Name != "" {
		if err := release.CheckName("name", c.Name); err != nil {
			return &Error{Problem: err.Error()}
		}
	}
	if c.Source != "" && !strings.Contains(c.Source, "://") {
		return &Error{Problem: fmt.Sprintf("source %q is no URI, expected https://…", c.Source)}
	}
	for what, text := range map[string]string{"name": c.Supplier.Name, "email": c.Supplier.Email, "url": c.Supplier.URL} {
		if strings.ContainsAny(text, "\"\\()\n") { // SPDX 2.3, clause 7.5, has no way to write them
			return &Error{Problem: fmt.Sprintf("supplier %s %q: expected no quotes, backslashes, parentheses or line breaks", what, text)}
		}
	}
	for _, t := range c.DeploymentTargets {
		if err := release.CheckName("deployment target", t.ID); err != nil {
			return &Error{Problem: err.Error()}
		}
	}
	var rule *upgrade.RuleError
	if err := c.Upgrade.Check(); errors.As(err, &rule) {
		return &Error{Problem: rule.Error(), Nearest: rule.Nearest}
	}
	if err := c.Smoke.Check(); err != nil {
		return &Error{Problem: err.Error()}
	}
	if c.Policy != nil {
		if err := c.Policy.Check(); err != nil {
			return &Error{Problem: "policy: " + err.Error()}
		}
	}
	return nil
}

// unknownKey finds the key in the library's message about an unknown one.
var unknownKey = regexp.MustCompile(`unknown field "([^"]*)"`)

// explain turns the library's error into one line with the place.
func explain(err error) error {
	e := &Error{Problem: strings.SplitN(strings.TrimSpace(err.Error()), "\n", 2)[0]}
	var y yaml.Error
	if errors.As(err, &y) {
		e.Problem = y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			e.Line = t.Position.Line
		}
	}
	if m := unknownKey.FindStringSubmatch(e.Problem); m != nil {
		e.Nearest = envelope.Nearest(m[1], keysOf(reflect.TypeFor[Config]()))
	}
	return e
}

// keysOf lists every key that a configuration may hold.
func keysOf(t reflect.Type) []string {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" {
			keys = append(keys, name)
		}
		keys = append(keys, keysOf(t.Field(i).Type)...)
	}
	return keys
}
