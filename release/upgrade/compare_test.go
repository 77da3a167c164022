package upgrade

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollproof/rollproof/release"
)

var update = flag.Bool("update", false, "write the golden files again")

var linux = release.Platform{OS: "linux", Arch: "amd64"}

// older are the facts of a release of two binaries on two platforms.
func older() Facts {
	f := Facts{
		Release: release.Identity{Project: "tiny", Version: "v1.2.3", Module: "example.com/tiny", Source: release.SourceIdentity{
			URI: "https://example.com/tiny", GitCommit: strings.Repeat("a", 40), GitTree: strings.Repeat("b", 40), CommitTime: "2026-01-02T03:04:05Z",
		}},
		ManifestDigest: "sha256:" + strings.Repeat("1", 64), Toolchain: "go1.26.8", License: "MIT",
		Signers:  []string{"ada (Ada), releaser SHA256:a", "grace (Grace), releaser SHA256:b"},
		Controls: []string{"closed-set", "cyclonedx", "link", "spdx"},
		Hazards:  []release.Hazard{{ID: "vendor", Detail: "modules come from vendor/"}},
	}
	for _, name := range []string{"tiny", "tinyctl"} {
		for _, p := range []release.Platform{linux, {OS: "windows", Arch: "amd64"}} {
			f.Binaries = append(f.Binaries, Binary{
				Name: name, Platform: p, Path: release.BinaryPath(name, "v1.2.3", p), Size: 1000, Main: "example.com/tiny/cmd/" + name,
				InstallPath: release.InstallPath("tiny", name, p.OS),
				Settings:    map[string]string{"-trimpath": "true", "-ldflags": "-X main.version=1.2.3", "GOOS": p.OS},
				Modules: []Module{
					{Path: "example.com/dep", Version: "v1.1.0", Sum: "h1:dep", License: "MIT"},
					{Path: "example.com/old", Version: "v0.1.0", Sum: "h1:old", License: "MIT"},
				},
			})
		}
	}
	f.Targets = []release.DeploymentTarget{{
		ID: "runner", Surface: "ci-runner", Platform: linux, Binary: release.BinaryPath("tiny", "v1.2.3", linux), Channel: "github-actions", Tool: "sh",
		InstallPath: "/usr/local/bin/tiny", RolloutGate: "verified", RollbackSteps: []string{"put the old one back to /usr/local/bin/tiny"},
		RequiredEvidence: []string{"release-evidence", "rollout"},
	}}
	return f
}

// newer are those of its next release, which changes nothing but what a release must.
func newer() Facts {
	f := older()
	f.Release.Version, f.Release.Source.GitCommit, f.Release.Source.CommitTime = "v1.2.4", strings.Repeat("c", 40), "2026-02-02T03:04:05Z"
	f.ManifestDigest = "sha256:" + strings.Repeat("2", 64)
	for i := range f.Binaries {
		b := &f.Binaries[i]
		b.Path = release.BinaryPath(b.Name, "v1.2.4", b.Platform)
		b.Settings["-ldflags"] = "-X main.version=1.2.4"
	}
	f.Targets[0].Binary = release.BinaryPath("tiny", "v1.2.4", linux)
	return f
}

// found lists findings as "id subject".
func found(r *Report) []string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, f.ID+" "+f.Subject)
	}
	return list
}

func compare(t testing.TB, old, now Facts, rules Rules) *Report {
	t.Helper()
	r, err := Compare(old, now, rules)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Encode(); err != nil {
		t.Error(err)
	}
	return r
}

func TestAPlainUpgradeHasNoFindings(t *testing.T) {
	if r := compare(t, older(), newer(), nil); len(r.Findings) != 0 || r.Result != "pass" || len(r.Sizes) != 4 {
		t.Errorf("%s: %v", r.Result, found(r))
	}
}

// Each change gives exactly the findings that are named, in their order.
func TestFindings(t *testing.T) {
	every := func(f *Facts, change func(*Binary)) {
		for i := range f.Binaries {
			change(&f.Binaries[i])
		}
	}
	for name, tc := range map[string]struct {
		change func(old, now *Facts)
		want   []string
	}{
		"another project":             {func(_, n *Facts) { n.Release.Project = "other" }, []string{"project-changed project"}},
		"another module":              {func(_, n *Facts) { n.Release.Module = "example.com/evil" }, []string{"module-changed module", "main-changed tiny", "main-changed tinyctl"}},
		"dry run":                     {func(_, n *Facts) { n.DryRun = true }, []string{"dry-run release"}},
		"same version":                {func(_, n *Facts) { n.Release.Version = "v1.2.3"; every(n, resetVersion) }, []string{"version-same version"}},
		"build metadata":              {func(_, n *Facts) { n.Release.Version = "v1.2.3+b"; every(n, resetVersion) }, []string{"version-same version", "setting-changed -ldflags"}},
		"older":                       {func(o, n *Facts) { *o, *n = *n, *o }, []string{"version-older version", "commit-older commit"}},
		"older pre-release":           {func(o, n *Facts) { setVersion(o, "v1.2.4-rc.2"); setVersion(n, "v1.2.4-rc.1") }, []string{"version-older version"}},
		"next pre-release":            {func(o, n *Facts) { setVersion(o, "v1.2.4-rc.9"); setVersion(n, "v1.2.4-rc.10") }, nil},
		"its release":                 {func(o, n *Facts) { setVersion(o, "v1.2.4-rc.9"); setVersion(n, "v1.2.4") }, nil},
		"to a pre-release":            {func(_, n *Facts) { setVersion(n, "v1.3.0-rc.1") }, []string{"version-prerelease version"}},
		"back to its own pre-release": {func(_, n *Facts) { setVersion(n, "v1.2.3-rc.1") }, []string{"version-older version", "version-prerelease version"}},
		"ten after nine":              {func(o, n *Facts) { setVersion(o, "v1.9.0"); setVersion(n, "v1.10.0") }, nil},
		"tags without v":              {func(o, n *Facts) { setVersion(o, "1.9.0"); setVersion(n, "1.10.0") }, nil},
		"no version":                  {func(_, n *Facts) { setVersion(n, "2026.01-a.b_c") }, []string{"version-unordered version"}},
		"major version": {func(_, n *Facts) {
			n.Release.Module = "example.com/tiny/v2"
			setVersion(n, "v2.0.0")
			every(n, func(b *Binary) { b.Main = "example.com/tiny/v2/cmd/" + b.Name })
		}, []string{"version-major version"}},
		"same commit":        {func(o, n *Facts) { n.Release.Source.GitCommit = o.Release.Source.GitCommit }, []string{"commit-same commit"}},
		"moved source":       {func(_, n *Facts) { n.Release.Source.URI = "https://example.org/tiny" }, []string{"source-changed source"}},
		"dropped platform":   {func(_, n *Facts) { n.Binaries = []Binary{n.Binaries[0], n.Binaries[2]} }, []string{"platform-dropped windows/amd64"}},
		"dropped binary":     {func(_, n *Facts) { n.Binaries = n.Binaries[:3] }, []string{"binary-dropped tinyctl windows/amd64"}},
		"added platform":     {func(o, _ *Facts) { o.Binaries = []Binary{o.Binaries[0], o.Binaries[2]} }, []string{"platform-added windows/amd64"}},
		"added binary":       {func(o, _ *Facts) { o.Binaries = o.Binaries[:3] }, []string{"binary-added tinyctl windows/amd64"}},
		"dropped control":    {func(_, n *Facts) { n.Controls = []string{"closed-set", "cyclonedx", "spdx"} }, []string{"control-dropped link"}},
		"added control":      {func(_, n *Facts) { n.Controls = append(slices.Clone(n.Controls), "trust-files") }, []string{"control-added trust-files"}},
		"one signature less": {func(_, n *Facts) { n.Signers = n.Signers[:1] }, []string{"signers-fewer signers"}},
		"another signer":     {func(_, n *Facts) { n.Signers = []string{n.Signers[0], "eve"} }, []string{"signers-changed signers"}},
		"another hazard":     {func(_, n *Facts) { n.Hazards = []release.Hazard{{ID: "cgo", Detail: "x"}} }, []string{"hazard-added cgo", "hazard-gone vendor"}},
		"lost target":        {func(_, n *Facts) { n.Targets = nil }, []string{"target-lost runner"}},
		"added target":       {func(o, _ *Facts) { o.Targets = nil }, []string{"target-added runner"}},
		"target installs elsewhere": {func(_, n *Facts) {
			n.Targets[0].InstallPath, n.Targets[0].RollbackSteps = "/opt/tiny", []string{"put the old one back to /opt/tiny"}
		}, []string{"target-path runner"}},
		"target demands less":      {func(_, n *Facts) { n.Targets[0].RequiredEvidence = []string{"rollout"} }, []string{"target-evidence runner"}},
		"target of another tool":   {func(_, n *Facts) { n.Targets[0].Tool = "apt"; n.Targets[0].RollbackSteps = nil }, []string{"target-changed runner", "target-changed runner"}},
		"target of another binary": {func(_, n *Facts) { n.Targets[0].Binary = n.Binaries[2].Path }, []string{"target-changed runner"}},
		"install path":             {func(_, n *Facts) { n.Binaries[0].InstallPath = "/opt/tiny" }, []string{"install-path tiny"}},
		"older Go":                 {func(_, n *Facts) { n.Toolchain = "go1.26.7" }, []string{"toolchain-older toolchain"}},
		"older Go than ten":        {func(o, n *Facts) { o.Toolchain, n.Toolchain = "go1.26.10", "go1.26.9" }, []string{"toolchain-older toolchain"}},
		"release candidate of Go":  {func(o, n *Facts) { o.Toolchain, n.Toolchain = "go1.26.0", "go1.26rc1" }, []string{"toolchain-older toolchain"}},
		"newer Go":                 {func(_, n *Facts) { n.Toolchain = "go1.27.0" }, []string{"toolchain-changed toolchain"}},
		"another Go":               {func(_, n *Facts) { n.Toolchain = "devel go1.27-abc" }, []string{"toolchain-changed toolchain"}},
		"other flags":              {func(_, n *Facts) { every(n, func(b *Binary) { b.Settings["-tags"] = "debug" }) }, []string{"setting-changed -tags"}},
		"other ldflags":            {func(_, n *Facts) { n.Binaries[0].Settings["-ldflags"] = "-X main.version=1.2.4 -X main.url=evil" }, []string{"setting-changed -ldflags"}},
		"lost trimpath":            {func(_, n *Facts) { every(n, func(b *Binary) { delete(b.Settings, "-trimpath") }) }, []string{"setting-changed -trimpath"}},
		"added dependency":         {func(_, n *Facts) { addModule(n, Module{Path: "example.com/new", Version: "v1.0.0", License: "MIT"}) }, []string{"dependency-added example.com/new"}},
		"added dependency with a new licence": {func(_, n *Facts) {
			addModule(n, Module{Path: "example.com/new", Version: "v1.0.0", License: "AGPL-3.0-only"})
		},
			[]string{"dependency-added example.com/new", "license-new AGPL-3.0-only"}},
		"added dependency, replaced": {func(_, n *Facts) {
			addModule(n, Module{Path: "example.com/new", Version: "v1.0.0", Replacement: "example.com/fork", License: "MIT"})
		},
			[]string{"dependency-replaced example.com/new", "dependency-added example.com/new"}},
		"a dependency of an added binary": {func(o, n *Facts) {
			o.Binaries = o.Binaries[:3]
			n.Binaries[3].Modules = []Module{{Path: "example.com/new", Version: "v1.0.0", License: "MIT"}}
		},
			[]string{"dependency-added example.com/new", "binary-added tinyctl windows/amd64"}},
		"removed dependency": {func(_, n *Facts) { every(n, func(b *Binary) { b.Modules = b.Modules[:1] }) }, []string{"dependency-removed example.com/old"}},
		"upgraded":           {func(_, n *Facts) { setModule(n, func(m *Module) { m.Version, m.Sum = "v1.10.0", "h1:other" }) }, []string{"dependency-upgraded example.com/dep"}},
		"downgraded":         {func(_, n *Facts) { setModule(n, func(m *Module) { m.Version, m.Sum = "v1.0.9", "h1:other" }) }, []string{"dependency-downgraded example.com/dep"}},
		"downgraded to a pseudo-version": {func(_, n *Facts) {
			setModule(n, func(m *Module) { m.Version = "v1.0.9-0.20260101000000-abcdefabcdef" })
		}, []string{"dependency-downgraded example.com/dep"}},
		"other content": {func(_, n *Facts) { setModule(n, func(m *Module) { m.Sum = "h1:evil" }) }, []string{"dependency-content example.com/dep"}},
		"replaced by a fork": {func(_, n *Facts) {
			setModule(n, func(m *Module) { m.Replacement, m.Sum = "example.com/fork", "h1:fork" })
		}, []string{"dependency-replaced example.com/dep"}},
		"replaced by a directory": {func(_, n *Facts) {
			setModule(n, func(m *Module) { m.Replacement, m.Version, m.Sum = "./dep", "(devel)", "" })
		},
			[]string{"dependency-replaced example.com/dep", "dependency-changed example.com/dep"}},
		"replacement downgraded": {func(o, n *Facts) {
			setModule(o, func(m *Module) { m.Replacement = "example.com/fork" })
			setModule(n, func(m *Module) { m.Replacement, m.Version = "example.com/fork", "v1.0.0" })
		}, []string{"dependency-downgraded example.com/dep"}},
		"licence of a dependency": {func(_, n *Facts) { setModule(n, func(m *Module) { m.License = "" }) }, []string{"license-dependency example.com/dep", "license-new unknown"}},
		"licence of the release":  {func(_, n *Facts) { n.License = "BUSL-1.1" }, []string{"license-release licence"}},
		"larger":                  {func(_, n *Facts) { n.Binaries[0].Size = 1249 }, []string{"size-changed tiny linux/amd64"}},
		"much larger":             {func(_, n *Facts) { n.Binaries[0].Size = 1250 }, []string{"size-jump tiny linux/amd64"}},
		"much smaller":            {func(_, n *Facts) { n.Binaries[0].Size = 750 }, []string{"size-jump tiny linux/amd64"}},
	} {
		old, now := older(), newer()
		tc.change(&old, &now)
		if diff := cmp.Diff(tc.want, found(compare(t, old, now, nil))); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func setVersion(f *Facts, version string) {
	f.Release.Version = version
	for i := range f.Binaries {
		f.Binaries[i].Settings["-ldflags"] = "-X main.version=" + strings.TrimPrefix(version, "v")
	}
}

func resetVersion(b *Binary) { b.Settings["-ldflags"] = "-X main.version=1.2.3" }

func addModule(f *Facts, m Module) {
	for i := range f.Binaries {
		f.Binaries[i].Modules = append(slices.Clone(f.Binaries[i].Modules), m)
	}
}

func setModule(f *Facts, change func(*Module)) {
	for i := range f.Binaries {
		f.Binaries[i].Modules = slices.Clone(f.Binaries[i].Modules)
		change(&f.Binaries[i].Modules[0])
	}
}

// What holds for some binaries alone names them, and what holds for all names none.
func TestFindingsNameTheirBinaries(t *testing.T) {
	now := newer()
	now.Binaries[1].Modules = now.Binaries[1].Modules[:1]
	now.Binaries[3].Modules = now.Binaries[3].Modules[:1]
	r := compare(t, older(), now, nil)
	if len(r.Findings) != 1 || !slices.Equal(r.Findings[0].Binaries, []string{"tiny windows/amd64", "tinyctl windows/amd64"}) {
		t.Errorf("%+v", r.Findings)
	}
	old, now := older(), newer() // one binary is common, another one is added
	old.Binaries, now.Binaries = old.Binaries[:1], now.Binaries[:2]
	now.Binaries[1].Modules = append(now.Binaries[1].Modules, Module{Path: "example.com/new", Version: "v1.0.0", License: "MIT"})
	r = compare(t, old, now, nil)
	if i := slices.Index(found(r), "dependency-added example.com/new"); i < 0 || !slices.Equal(r.Findings[i].Binaries, []string{"tiny windows/amd64"}) {
		t.Errorf("%+v", r.Findings)
	}
}

// Rules decide the severity and with it the result; those that differ are listed.
func TestRules(t *testing.T) {
	old, now := older(), newer()
	setModule(&now, func(m *Module) { m.Version, m.Sum = "v1.0.0", "h1:other" })
	for severity, want := range map[Severity]string{Fail: "fail", Warn: "pass", Info: "pass", Off: "pass"} {
		r := compare(t, old, now, Rules{"dependency-downgraded": severity})
		if r.Result != want || (len(r.Findings) == 0) != (severity == Off) {
			t.Errorf("%s: %s %v", severity, r.Result, found(r))
		}
		if (len(r.Rules) == 1) != (severity != Fail) {
			t.Errorf("%s: rules %v", severity, r.Rules)
		}
	}
	for rules, nearest := range map[string]string{"dependency-downgrade=fail": "dependency-downgraded", "version-same=failed": "fail", "zzz=off": ""} {
		id, severity, _ := strings.Cut(rules, "=")
		_, err := Compare(old, now, Rules{id: Severity(severity)})
		var bad *RuleError
		if !errors.As(err, &bad) || bad.Nearest != nearest {
			t.Errorf("%s: %v", rules, err)
		}
	}
}

// Every rule is reachable: the table above and the rule list name the same ids.
func TestEveryRuleHasATest(t *testing.T) {
	source, err := os.ReadFile("compare_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range RuleList() {
		if !strings.Contains(string(source), `"`+r.ID+" ") {
			t.Errorf("no test finds %s", r.ID)
		}
	}
}

// worst is a pair that uses every part of the report.
func worst() (Facts, Facts) {
	old, now := older(), newer()
	setModule(&now, func(m *Module) { m.Version, m.Sum, m.License = "v1.0.0", "h1:other", "GPL-3.0-only" })
	addModule(&now, Module{Path: "example.com/new", Version: "v0.9.0", License: "MIT"})
	now.Binaries = now.Binaries[:3]
	now.Binaries[2].Size = 900
	now.Controls = now.Controls[:2]
	now.Toolchain = "go1.27.0"
	now.Targets = nil
	return old, now
}

func TestGoldenReports(t *testing.T) {
	old, now := worst()
	r := compare(t, old, now, Rules{"size-changed": Warn, "target-lost": Info})
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"report.json": data, "report.md": r.Markdown()} {
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// Text of a hostile package stays text: no table cell, line or tag of its own, and no
// direction marks.
func TestHostileText(t *testing.T) {
	old, now := older(), newer()
	evil := "x|\n# pass\n<script>\u202e" + strings.Repeat("A", 5000)
	addModule(&now, Module{Path: evil, Version: evil, License: evil})
	now.Targets[0].Channel, now.Hazards = evil, []release.Hazard{{ID: evil, Detail: evil}}
	now.Binaries[0].Settings = maps.Clone(now.Binaries[0].Settings)
	now.Binaries[0].Settings[evil] = evil
	r := compare(t, old, now, nil)
	md := string(r.Markdown())
	for _, bad := range []string{"<script>", "\u202e", "\n# pass", "x|"} {
		if strings.Contains(md, bad) {
			t.Errorf("Markdown holds %q", bad)
		}
	}
	data, err := json.Marshal(r)
	if err != nil || strings.Contains(string(data), "\u202e") {
		t.Errorf("JSON holds a direction mark: %v", err)
	}
}

// A check counts when it passed wherever it was made, and a document by its kind: the
// check "trust", which passes always, does not stand for the directory trust/.
func TestControls(t *testing.T) {
	verdict := &release.Verdict{Checks: []release.Check{
		{ID: "trust", Result: release.Pass}, {ID: "provenance", Result: release.Pass}, {ID: "provenance", Result: release.Pass},
		{ID: "ldflags", Result: release.NotChecked}, {ID: "sidecar", Result: release.Pass}, {ID: "sidecar", Result: release.NotChecked},
		{ID: "link", Result: release.NotChecked}, {ID: "link", Result: release.Pass},
	}}
	m := &release.Manifest{Files: []release.Artifact{
		{Path: "bin/tiny", Role: release.RoleBinary}, {Path: "tiny.spdx.json", Role: release.RoleSBOM}, {Path: "tiny.cdx.json", Role: release.RoleSBOM},
		{Path: "tiny.xyz.json", Role: release.RoleSBOM}, {Path: "trust/1.trust.json", Role: release.RoleTrust}, {Path: "NOTICE", Role: release.RoleNotice},
		{Path: "source/a.pack", Role: release.RoleSource}, {Path: "source/a.modules.zip", Role: release.RoleSource}, {Path: "x", Role: "later"},
		{Path: "checksums.txt.sig", Role: release.RoleRawSignature},
	}}
	want := []string{"another-sbom", "cyclonedx", "later", "notice", "provenance", "raw-signature", "source", "source-modules", "spdx", "trust", "trust-files"}
	if diff := cmp.Diff(want, controls(m, verdict)); diff != "" {
		t.Error(diff)
	}
}
