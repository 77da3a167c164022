package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
)

// An attested is a signed package whose trust root lets a GitHub workflow release it
// too, and the commands to verify it.
type attested struct {
	t         *testing.T
	pkg, zip  string
	pin, root string // digest; file
	github    sigstore
}

const (
	repositoryURL   = "https://github.com/example/hello"
	releaseWorkflow = repositoryURL + "/.github/workflows/release.yml@refs/heads/main"
	otherWorkflow   = "https://github.com/example/other/.github/workflows/release.yml@refs/heads/main"
)

func newAttested(t *testing.T, private bool) *attested {
	t.Helper()
	repo, start := helloRepository(t), filepath.Join(t.TempDir(), "start")
	dir, keys := filepath.Join(start, "trust"), filepath.Join(start, "keys")
	ours(t, "trust", "quickstart", start)
	for project, workflow := range map[string]string{"hello": releaseWorkflow, "other": otherWorkflow} {
		ours(t, "trust", "edit", dir, "--person", "workflow-"+project, "--name", "Release workflow of "+project,
			"--add-identity", workflow, "--issuer", githubIssuer, "--role", "releaser", "--projects", project)
	}
	ours(t, "trust", "sign", filepath.Join(dir, "2.trust.json"), "--key", filepath.Join(keys, "root.pem"))
	ours(t, "release", "package", "-C", repo, "--key", filepath.Join(keys, "releaser.pem"), "--trust", dir, "--target", "linux/amd64")
	pkg := filepath.Join(repo, "dist", "hello-v1.4.2")
	a := &attested{t: t, pkg: pkg, zip: pkg + ".zip", pin: digestOf(t, filepath.Join(dir, "1.trust.json")), root: filepath.Join(start, "trusted_root.jsonl"), github: newSigstore(t, private)}
	a.write(a.root, slices.Concat(newSigstore(t, !private).trustedRoot(t), []byte("\n"), a.github.trustedRoot(t), []byte("\n")))
	return a
}

func digestOf(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	return "sha256:" + evidence.SHA256(data)
}

func (a *attested) write(file string, data []byte) {
	a.t.Helper()
	check(a.t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(a.t, os.WriteFile(file, data, 0o644))
}

// subjects are files of the package, as a workflow names them: by their last element.
func (a *attested) subjects(paths ...string) []evidence.Subject {
	a.t.Helper()
	var list []evidence.Subject
	for _, p := range paths {
		sum := strings.TrimPrefix(digestOf(a.t, filepath.Join(a.pkg, p)), "sha256:")
		list = append(list, evidence.FileSubject(filepath.Base(p), sum))
	}
	return list
}

// beside puts a bundle where verify-package looks for it, and nothing else there.
func (a *attested) beside(path string, bundle []byte) {
	a.t.Helper()
	check(a.t, os.RemoveAll(a.pkg+".evidence"))
	a.write(filepath.Join(a.pkg+".evidence", path+".sigstore.json"), bundle)
}

// verify runs verify-package --json and returns exit code, verdict and sidecar checks.
func (a *attested) verify(name string, more ...string) (code int, v release.Verdict, sidecars []release.Check) {
	a.t.Helper()
	var stdout bytes.Buffer
	args := append([]string{"rollproof", "release", "verify-package", name, "--pin", a.pin, "--json"}, more...)
	code = newProgram(args, []string{"HOME=" + a.t.TempDir()}, strings.NewReader(""), &stdout, io.Discard).run(a.t.Context())
	if err := json.Unmarshal(stdout.Bytes(), &v); err != nil {
		a.t.Fatalf("%v: %v: %s", args, err, stdout.Bytes())
	}
	for _, c := range v.Checks {
		if c.ID == "sidecar" {
			sidecars = append(sidecars, c)
		}
	}
	return code, v, sidecars
}

const helloBinary = "bin/hello_v1.4.2_linux_amd64"

// GitHub's attestation of a public and of a private repository verifies offline, beside
// the directory and beside the zip, and the verdict names the workflow.
func TestGitHubAttestation(t *testing.T) {
	for name, private := range map[string]bool{"public": false, "private": true} {
		t.Run(name, func(t *testing.T) {
			a := newAttested(t, private)
			a.beside(helloBinary, a.github.attest(t, githubIssuer, releaseWorkflow, a.subjects(helloBinary, "release-evidence.json")...))
			for _, pkg := range []string{a.pkg, a.zip} {
				code, v, sidecars := a.verify(pkg, "--trusted-root", a.root)
				if code != 0 || len(sidecars) != 1 || sidecars[0].Result != release.Pass || sidecars[0].Subject != helloBinary {
					t.Errorf("%s: exit code %d, %+v", pkg, code, sidecars)
				}
				if notes := strings.Join(v.Notes, "\n"); !strings.Contains(notes, releaseWorkflow) {
					t.Errorf("%s: the notes name no workflow: %q", pkg, notes)
				}
			}
			code, v, sidecars := a.verify(a.pkg)
			if code != 0 || len(sidecars) != 1 || sidecars[0].Result != release.NotChecked || strings.Contains(strings.Join(v.Notes, "\n"), releaseWorkflow) {
				t.Errorf("without a trusted root: exit code %d, %+v, %q", code, sidecars, v.Notes)
			}
		})
	}
}

// Whatever is not a listed workflow's attestation of that very file is refused.
func TestGitHubAttestationAttacks(t *testing.T) {
	a := newAttested(t, false)
	binary := a.subjects(helloBinary)
	good := a.github.attest(t, githubIssuer, releaseWorkflow, binary...)
	for name, tc := range map[string]struct {
		path   string
		bundle []byte
		says   string
	}{
		"a pull request's run":        {helloBinary, a.github.attest(t, githubIssuer, repositoryURL+"/.github/workflows/release.yml@refs/pull/1/merge", binary...), "whom the trust root does not list"},
		"another workflow":            {helloBinary, a.github.attest(t, githubIssuer, repositoryURL+"/.github/workflows/ci.yml@refs/heads/main", binary...), "whom the trust root does not list"},
		"a longer name":               {helloBinary, a.github.attest(t, githubIssuer, releaseWorkflow+"2", binary...), "whom the trust root does not list"},
		"another issuer":              {helloBinary, a.github.attest(t, "https://issuer.example.com", releaseWorkflow, binary...), "whom the trust root does not list"},
		"a workflow of other project": {helloBinary, a.github.attest(t, githubIssuer, otherWorkflow, binary...), "other"},
		"another instance":            {helloBinary, newSigstore(t, false).attest(t, githubIssuer, releaseWorkflow, binary...), "log"},
		"about another file":          {"checksums.txt", good, "artifact"},
		"about no file":               {"bin/none", good, "a file of the package"},
		"changed":                     {helloBinary, changePayload(t, good), "log"},
		"not a bundle":                {helloBinary, []byte("{}"), "parse"},
		"without its log entry":       {helloBinary, sigstore{a.github.VirtualSigstore, true}.attest(t, githubIssuer, releaseWorkflow, binary...), "log"},
	} {
		t.Run(name, func(t *testing.T) {
			a.beside(tc.path, tc.bundle)
			code, v, sidecars := a.verify(a.pkg, "--trusted-root", a.root)
			if code != exitEvidence || len(sidecars) != 1 || sidecars[0].Result != release.Fail || !strings.Contains(sidecars[0].Actual+sidecars[0].Expected, tc.says) {
				t.Errorf("exit code %d, %+v", code, sidecars)
			}
			if strings.Contains(strings.Join(v.Notes, "\n"), "is also signed by") {
				t.Errorf("notes %q", v.Notes)
			}
		})
	}
}

// changePayload bends one byte of the signed statement.
func changePayload(t *testing.T, bundle []byte) []byte {
	t.Helper()
	var b struct {
		MediaType            string          `json:"mediaType"`
		VerificationMaterial json.RawMessage `json:"verificationMaterial"`
		DSSEEnvelope         struct {
			Payload     []byte          `json:"payload"`
			PayloadType string          `json:"payloadType"`
			Signatures  json.RawMessage `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	check(t, json.Unmarshal(bundle, &b))
	b.DSSEEnvelope.Payload = bytes.Replace(b.DSSEEnvelope.Payload, []byte("hello_v1.4.2"), []byte("hello_v1.4.3"), 1)
	data, err := json.Marshal(b)
	check(t, err)
	return data
}

// Trusted roots that can't be what they are called are refused before anything counts.
func TestTrustedRootFiles(t *testing.T) {
	a := newAttested(t, false)
	a.beside(helloBinary, a.github.attest(t, githubIssuer, releaseWorkflow, a.subjects(helloBinary)...))
	whole, err := os.ReadFile(a.root)
	check(t, err)
	for name, data := range map[string][]byte{"empty": nil, "cut": whole[:len(whole)-9], "more behind": append(slices.Clone(whole), "x"...), "another document": []byte("{\"mediaType\":\"x\"}\n")} {
		file := filepath.Join(t.TempDir(), "trusted_root.jsonl")
		a.write(file, data)
		if code, _, _ := a.verify(a.pkg, "--trusted-root", file); code != exitEvidence {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	inside := filepath.Join(a.pkg, "trusted_root.jsonl")
	a.write(inside, whole)
	if code, _, _ := a.verify(a.pkg, "--trusted-root", inside); code != exitUsage {
		t.Errorf("inside the package: exit code %d", code)
	}
}
