package release

import (
	"fmt"
	"slices"
	"strings"
)

// Deployment is endpoint-deployment.json: the channels that may receive binaries of
// this release, and what a rollout through each must show.
type Deployment struct {
	Schema  string             `json:"schema"`
	Release Identity           `json:"release"`
	DryRun  bool               `json:"dryRun"`
	Targets []DeploymentTarget `json:"targets"`
}

// A DeploymentTarget is a channel that receives one binary.
type DeploymentTarget struct {
	ID               string   `json:"id"`
	Surface          string   `json:"surface"` // "endpoint", "ci-runner", …
	Platform         Platform `json:"platform"`
	Binary           string   `json:"binary"` // path in the package
	SHA256           string   `json:"sha256"`
	Channel          string   `json:"channel"` // "github-actions", "jamf", …
	Tool             string   `json:"tool"`    // what installs it there
	InstallPath      string   `json:"installPath"`
	RolloutGate      string   `json:"rolloutGate"`
	RollbackSteps    []string `json:"rollbackSteps"`
	RequiredEvidence []string `json:"requiredEvidence"`
}

// A TargetSetting is a deployment target of the section deployment_targets of
// rollproof.yaml. Whatever is empty gets its default.
type TargetSetting struct {
	ID               string   `yaml:"id"`
	Surface          string   `yaml:"surface"`
	OS               string   `yaml:"os"`
	Arch             string   `yaml:"arch"`
	Binary           string   `yaml:"binary"` // name of the binary; may be empty where there is only one
	Channel          string   `yaml:"channel"`
	Tool             string   `yaml:"tool"`
	InstallPath      string   `yaml:"install_path"`
	RolloutGate      string   `yaml:"rollout_gate"`
	RollbackSteps    []string `yaml:"rollback_steps"`
	RequiredEvidence []string `yaml:"required_evidence"`
}

// Check reports whether the settings fit what a plan will build, so that a mistake
// shows before anything is built.
func (s Settings) Check(plan *Plan) error {
	var binaries []builtBinary
	for _, t := range plan.Targets {
		binaries = append(binaries, builtBinary{Binary: Binary{Name: t.Binary, Platform: t.Platform}})
	}
	_, err := newDeployment(Identity{}, false, binaries, s.Targets)
	return err
}

func newDeployment(id Identity, dryRun bool, binaries []builtBinary, settings []TargetSetting) (Deployment, error) {
	doc := Deployment{deploymentSchema, id, dryRun, []DeploymentTarget{}}
	if len(settings) == 0 {
		for _, b := range binaries {
			settings = append(settings, TargetSetting{
				ID: b.Name + "-" + b.Platform.OS + "-" + b.Platform.Arch, OS: b.Platform.OS, Arch: b.Platform.Arch, Binary: b.Name,
			})
		}
	}
	for _, s := range settings {
		t, err := newTarget(id, binaries, s)
		if err != nil {
			return doc, err
		}
		if slices.ContainsFunc(doc.Targets, func(o DeploymentTarget) bool { return o.ID == t.ID }) {
			return doc, fmt.Errorf("deployment target %s: defined twice", t.ID)
		}
		doc.Targets = append(doc.Targets, t)
	}
	return doc, nil
}

func newTarget(id Identity, binaries []builtBinary, s TargetSetting) (DeploymentTarget, error) {
	if err := CheckName("deployment target", s.ID); err != nil {
		return DeploymentTarget{}, err
	}
	b, err := s.one(binaries)
	if err != nil {
		return DeploymentTarget{}, fmt.Errorf("deployment target %s: %w", s.ID, err)
	}
	t := DeploymentTarget{
		ID: s.ID, Surface: s.Surface, Platform: b.Platform, Binary: b.Path, SHA256: b.sha256,
		Channel: s.Channel, Tool: s.Tool, InstallPath: s.InstallPath, RolloutGate: s.RolloutGate,
		RollbackSteps: s.RollbackSteps, RequiredEvidence: s.RequiredEvidence,
	}
	t.setDefaults(id, b)
	return t, nil
}

// one returns the binary that a target receives.
func (s TargetSetting) one(binaries []builtBinary) (builtBinary, error) {
	var fit []builtBinary
	var there, names []string
	for _, b := range binaries {
		if b.Platform != (Platform{s.OS, s.Arch}) {
			continue
		}
		there = append(there, b.Name)
		if s.Binary == "" || s.Binary == b.Name {
			fit, names = append(fit, b), append(names, b.Name)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return builtBinary{}, fmt.Errorf("this release has %d binaries for %s/%s (%s): say which one with binary", len(fit), s.OS, s.Arch, strings.Join(names, ", "))
	case len(there) > 0:
		return builtBinary{}, fmt.Errorf("this release has no binary %q for %s/%s, but %s", s.Binary, s.OS, s.Arch, strings.Join(there, ", "))
	}
	return builtBinary{}, fmt.Errorf("this release has no binary for %s/%s", s.OS, s.Arch)
}

func (t *DeploymentTarget) setDefaults(id Identity, b builtBinary) {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&t.Surface, "endpoint"},
		{&t.Channel, "manual"},
		{&t.Tool, "installers.json"},
		{&t.InstallPath, InstallPath(id.Project, b.Name, b.Platform.OS)},
		{&t.RolloutGate, "rollproof release verify-package passes on the receiving side"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if len(t.RollbackSteps) == 0 {
		t.RollbackSteps = []string{"put the binary of the previous verified release back to " + t.InstallPath, "observe the endpoint and record what it runs"}
	}
	if len(t.RequiredEvidence) == 0 {
		t.RequiredEvidence = []string{"release-evidence", "rollout", "observation"}
	}
}
