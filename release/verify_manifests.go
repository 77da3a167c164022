package release

import (
	"fmt"

	"github.com/rollproof/rollproof/release/archive"
)

// checkManifests compares installers.json and endpoint-deployment.json with the
// binaries that they speak of.
func (v *verification) checkManifests() {
	if v.manifest == nil {
		v.notChecked(checkInstallers, "", noManifest)
		v.notChecked(checkDeployment, "", noManifest)
		return
	}
	v.checkInstallers()
	v.checkDeployment()
}

func (v *verification) checkInstallers() {
	var doc Installers
	if !v.loadManifestDocument(checkInstallers, InstallersFile, &doc, installersSchema) {
		return
	}
	v.addIdentity(InstallersFile, doc.Release)
	problems := dryRunProblems(InstallersFile, doc.DryRun, v.manifest.DryRun)
	described := map[string]bool{}
	for _, i := range doc.Installers {
		described[i.Binary] = true
		problems = append(problems, v.referenceProblems(InstallersFile, i.Binary, i.SHA256, i.Platform)...)
		if h := v.files[i.Binary]; h.size != i.Size {
			problems = append(problems, wrong(i.Binary, fmt.Sprintf("%d bytes", i.Size), fmt.Sprintf("%d bytes", h.size), "the file was changed after packaging"))
		}
	}
	for _, b := range v.manifest.Binaries {
		if !described[b.Path] {
			problems = append(problems, wrong(b.Path, "an installer", "none", "the package was made by something else"))
		}
	}
	v.outcome(checkInstallers, InstallersFile, problems)
}

func (v *verification) checkDeployment() {
	var doc Deployment
	if !v.loadManifestDocument(checkDeployment, DeploymentFile, &doc, deploymentSchema) {
		return
	}
	v.addIdentity(DeploymentFile, doc.Release)
	problems := dryRunProblems(DeploymentFile, doc.DryRun, v.manifest.DryRun)
	seen := map[string]bool{}
	for _, t := range doc.Targets {
		problems = append(problems, v.referenceProblems(DeploymentFile+": "+t.ID, t.Binary, t.SHA256, t.Platform)...)
		if seen[t.ID] {
			problems = append(problems, wrong(DeploymentFile, "one target "+t.ID, "two", "the package was made by something else"))
		}
		seen[t.ID] = true
	}
	v.outcome(checkDeployment, DeploymentFile, problems)
}

func (v *verification) loadManifestDocument(check, path string, doc any, schema string) bool {
	data, err := v.read(path, maxManifest)
	if err == nil {
		err = decodeDocument(data, doc, schema)
	}
	if err != nil {
		v.fail(check, path, "a document of schema "+schema, archive.Printable(err.Error()), "get the package again from where it was made")
		return false
	}
	return true
}

func (v *verification) addIdentity(path string, id Identity) {
	v.identities = append(v.identities, sourcedIdentity{path, id})
}

func dryRunProblems(path string, said, want bool) []problem {
	if said == want {
		return nil
	}
	return []problem{wrong(path, fmt.Sprintf("dryRun %t", want), fmt.Sprintf("dryRun %t", said), "the file belongs to another package")}
}

// referenceProblems compares what a document says of a binary with the binary that
// the manifest names.
func (v *verification) referenceProblems(where, path, sha256 string, p Platform) []problem {
	for _, b := range v.manifest.Binaries {
		if b.Path != path {
			continue
		}
		var problems []problem
		if h := v.files[path]; h.sha256 != sha256 {
			problems = append(problems, wrong(where, path+" with sha256 "+sha256, "sha256 "+h.sha256, "the file was changed after packaging"))
		}
		if b.Platform != p {
			problems = append(problems, wrong(where, path+" for "+b.Platform.String(), "for "+archive.Printable(p.String()), "the package was made by something else"))
		}
		return problems
	}
	return []problem{wrong(where, "a binary of this release", archive.Printable(path), "the package was made by something else")}
}
