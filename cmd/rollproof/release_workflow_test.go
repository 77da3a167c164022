package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// requireCITools skips where the CI files cannot run.
func requireCITools(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the CI files run on Linux")
	}
	for _, tool := range []string{"bash", "unzip", "jq", "tar", "diff", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("ROLLPROOF_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		} else if err != nil {
			t.Skip(err)
		}
	}
}

// releasedPrograms builds both programs as a release offers them, and returns their
// sha256.
func releasedPrograms(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, name := range []string{"rollproof", "rollproof-verify"} {
		file := filepath.Join(dir, name+"_v1.4.1_linux_"+runtime.GOARCH)
		cmd := exec.Command("go", "build", "-o", file, "../"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sums[name] = strings.TrimPrefix(digestOf(t, file), "sha256:")
	}
	return sums
}

// ciKeys makes a trust root of which the release workflow is a part, and returns its
// directory.
func ciKeys(t *testing.T) string {
	t.Helper()
	start := filepath.Join(t.TempDir(), "start")
	ours(t, "trust", "quickstart", start)
	trust := filepath.Join(start, "trust")
	ours(t, "trust", "edit", trust, "--person", "release-workflow", "--name", "Release workflow",
		"--add-identity", releaseWorkflow, "--issuer", githubIssuer, "--role", "releaser", "--projects", "hello")
	ours(t, "trust", "sign", filepath.Join(trust, "2.trust.json"), "--key", filepath.Join(start, "keys", "root.pem"))
	return start
}

// ciRepository is a repository with this repository's CI files pasted in.
func ciRepository(t *testing.T, start string) string {
	t.Helper()
	repo := helloRepository(t)
	check(t, os.CopyFS(filepath.Join(repo, ".github"), os.DirFS("../../.github")))
	gitlab, err := os.ReadFile("../../.gitlab-ci.yml")
	check(t, err)
	check(t, os.WriteFile(filepath.Join(repo, ".gitlab-ci.yml"), gitlab, 0o644))
	check(t, os.CopyFS(filepath.Join(repo, "trust"), os.DirFS(filepath.Join(start, "trust"))))
	check(t, os.WriteFile(filepath.Join(repo, ".goreleaser.yaml"), []byte("version: 2\nproject_name: hello\nbuilds:\n  - env: [CGO_ENABLED=0]\n    goos: [linux]\n    goarch: [amd64]\n"), 0o644))
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "CI")
	git(t, repo, "tag", "-f", "v1.4.2")
	return repo
}

func git(t *testing.T, repo string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", repo, "-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// A ciSetup is what docs/ci.md says to set up, made once.
type ciSetup struct {
	start, repo string
	released    string // directory
	sums        map[string]string
	github      sigstore
}

func newCISetup(t *testing.T) ciSetup {
	t.Helper()
	requireCITools(t)
	s := ciSetup{start: ciKeys(t), released: t.TempDir(), github: newSigstore(t, false)}
	s.repo, s.sums = ciRepository(t, s.start), releasedPrograms(t, s.released)
	return s
}

func (s ciSetup) key(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.start, "keys", name+".pem"))
	check(t, err)
	return string(data)
}

// host is a fresh host of the repository.
func (s ciSetup) host(t *testing.T, inputs map[string]string) *ciHost {
	t.Helper()
	home := t.TempDir()
	h := &ciHost{
		t: t, dir: t.TempDir(), repo: s.repo, sha: git(t, s.repo, "rev-parse", "HEAD"), github: s.github, signer: releaseWorkflow,
		ended: map[string]string{}, log: &bytes.Buffer{},
		env: slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1"}, goEnvironment(t)),
		context: map[string]string{
			"github.token": "token", "github.repository": "example/hello",
			"vars.ROLLPROOF_VERSION": "v1.4.1", "vars.ROLLPROOF_SHA256": s.sums["rollproof"], "vars.ROLLPROOF_VERIFY_SHA256": s.sums["rollproof-verify"],
			"vars.ROLLPROOF_PIN": digestOf(t, filepath.Join(s.start, "trust", "1.trust.json")), "vars.ROLLPROOF_TRUST": "trust",
			"secrets.release.ROLLPROOF_SIGNING_KEY": s.key(t, "releaser"),
		},
	}
	for k, v := range inputs {
		h.context["inputs."+k] = v
	}
	check(t, os.CopyFS(filepath.Join(h.dir, "released"), os.DirFS(s.released)))
	check(t, os.WriteFile(filepath.Join(h.dir, "trusted_root.jsonl"), slices.Concat(newSigstore(t, true).trustedRoot(t), []byte("\n"), s.github.trustedRoot(t), []byte("\n")), 0o644))
	return h
}

// expect compares how the jobs ended, and shows the log if they did otherwise.
func (h *ciHost) expect(want map[string]string) {
	h.t.Helper()
	if !maps.Equal(h.ended, want) {
		h.t.Errorf("jobs ended %v, expected %v\n%s", h.ended, want, h.log)
	}
}

// says checks that the log has a text.
func (h *ciHost) says(text string) {
	h.t.Helper()
	if !strings.Contains(h.log.String(), text) {
		h.t.Errorf("the log does not say %q:\n%s", text, h.log)
	}
}

// published reports what a reader of the releases finds.
func (h *ciHost) published(tag string) (files int, draft bool) {
	list, _ := os.ReadDir(filepath.Join(h.dir, "releases", tag))
	_, err := os.Stat(filepath.Join(h.dir, "releases", tag+".draft"))
	return len(list), err == nil
}

// The CI files, run as they stand: with the programs as a release offers them, real keys
// and a repository into which they were pasted.
func TestCIFiles(t *testing.T) {
	s := newCISetup(t)
	t.Run("release.yml", s.testReleaseWorkflow)
	t.Run("gitlab release", s.testGitLabRelease)
	first := newPromotion(t, s)
	t.Run("promote.yml", first.testPromoteWorkflow)
	t.Run("gitlab promotion", first.testGitLabPromotion)
}

// The release workflow publishes a package that verifies with the pin
// alone, and beside it GitHub's attestation of each file.
func (s ciSetup) testReleaseWorkflow(t *testing.T) {
	good := s.host(t, map[string]string{"tag": "v1.4.2", "dry_run": "false"})
	t.Run("release", func(t *testing.T) {
		h := good
		h.run("release.yml")
		h.expect(map[string]string{"build": "success", "sign": "success", "attest": "success", "verify": "success", "publish": "success"})
		if n, draft := h.published("v1.4.2"); n != 6 || draft {
			t.Fatalf("%d files, draft %t", n, draft)
		}
		dir := filepath.Join(h.dir, "releases", "v1.4.2")
		pkg := filepath.Join(dir, "hello-v1.4.2.zip")
		if out, err := exec.Command("tar", "-C", dir, "-xf", filepath.Join(dir, "hello-v1.4.2.evidence.tar")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		a := &attested{t: t, pin: h.context["vars.ROLLPROOF_PIN"]}
		code, v, sidecars := a.verify(pkg, "--trusted-root", filepath.Join(h.dir, "trusted_root.jsonl"))
		if code != 0 || len(sidecars) != 2 || !strings.Contains(strings.Join(v.Notes, "\n"), releaseWorkflow) {
			t.Errorf("exit code %d, %+v, %q", code, sidecars, v.Notes)
		}
	})
	t.Run("dry run", func(t *testing.T) {
		h := s.host(t, map[string]string{"tag": "", "dry_run": "true"})
		delete(h.context, "secrets.release.ROLLPROOF_SIGNING_KEY")
		h.run("release.yml")
		h.expect(map[string]string{"build": "success", "sign": "skipped", "attest": "skipped", "verify": "skipped", "publish": "skipped"})
	})
	s.attacks(t, good)
}

// from makes the jobs before one done, with the artifacts that a good run had then.
func (h *ciHost) from(good *ciHost, job string) {
	h.t.Helper()
	kept := map[string][]string{"build": {}, "sign": {"unsigned"}, "attest": {"unsigned", "package"}, "verify": {"unsigned", "package", "sidecar"}}
	kept["publish"] = kept["verify"]
	for _, artifact := range kept[job] {
		check(h.t, os.CopyFS(filepath.Join(h.dir, "artifacts", artifact), os.DirFS(filepath.Join(good.dir, "artifacts", artifact))))
	}
	for _, j := range []string{"build", "sign", "attest", "verify"} {
		if j == job {
			return
		}
		h.ended[j] = "success"
	}
}

// attacks are what goes wrong on the way, and the job that stops it.
func (s ciSetup) attacks(t *testing.T, good *ciHost) {
	for name, tc := range map[string]struct {
		from   string // job to start with
		attack func(*ciHost)
		stops  string // job
		says   string
	}{
		"no tag":                   {"build", func(h *ciHost) { h.context["inputs.tag"] = "" }, "build", "no version such as"},
		"a tag that is a command":  {"build", func(h *ciHost) { h.context["inputs.tag"] = "v1.4.2$(touch " + h.dir + "/pwned)" }, "build", "no version such as"},
		"a tag that is not there":  {"build", func(h *ciHost) { h.context["inputs.tag"] = "v9.9.9" }, "build", "there is no such tag"},
		"the tag of other commits": {"build", func(h *ciHost) { h.sha = strings.Repeat("0", 40) }, "build", "attestations would name the wrong one"},
		"another rollproof":        {"build", func(h *ciHost) { h.changeReleased("rollproof") }, "build", "expected sha256"},
		"no pin of the tool":       {"build", func(h *ciHost) { h.context["vars.ROLLPROOF_SHA256"] = "" }, "build", "is no sha256"},
		"a changed binary":         {"sign", func(h *ciHost) { h.changeArtifact("unsigned", "bin/hello_v1.4.2_linux_amd64") }, "sign", "differ"},
		"a key without the role":   {"sign", func(h *ciHost) { h.context["secrets.release.ROLLPROOF_SIGNING_KEY"] = s.key(h.t, "operator") }, "sign", "this key may not sign"},
		"a changed package":        {"verify", func(h *ciHost) { h.changeArtifact("package", "installers.json") }, "verify", "installers.json"},
		"another verifier":         {"verify", func(h *ciHost) { h.changeReleased("rollproof-verify") }, "verify", "expected sha256"},
		"another pin":              {"verify", func(h *ciHost) { h.context["vars.ROLLPROOF_PIN"] = "sha256:" + strings.Repeat("0", 64) }, "verify", "pin"},
		"no pin":                   {"verify", func(h *ciHost) { h.context["vars.ROLLPROOF_PIN"] = "" }, "verify", "there is no pin"},
		"a stranger's workflow": {"attest", func(h *ciHost) {
			h.signer = strings.Replace(releaseWorkflow, "refs/heads/main", "refs/heads/feature", 1)
		}, "verify", "whom the trust root does not list"},
		"a draft that changed":        {"publish", func(h *ciHost) { h.env = append(h.env, "CHANGE_UPLOAD=checksums.txt") }, "publish", "diff -r assets/checksums.txt uploaded/checksums.txt"},
		"an attestation that is gone": {"verify", func(h *ciHost) { check(h.t, os.RemoveAll(filepath.Join(h.dir, "artifacts", "sidecar"))) }, "verify", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			h := s.host(t, map[string]string{"tag": "v1.4.2", "dry_run": "false"})
			h.from(good, tc.from)
			tc.attack(h)
			h.run("release.yml")
			if h.ended[tc.stops] != "failure" {
				t.Errorf("%s did not stop it: %v\n%s", tc.stops, h.ended, h.log)
			}
			h.says(tc.says)
			if n, draft := h.published("v1.4.2"); n != 0 && !draft {
				t.Errorf("published all the same: %d files", n)
			}
			if _, err := os.Stat(filepath.Join(h.dir, "pwned")); err == nil {
				t.Error("the tag was run as a command")
			}
		})
	}
}

// changeReleased adds a byte to a released program.
func (h *ciHost) changeReleased(program string) {
	file := filepath.Join(h.dir, "released", program+"_v1.4.1_linux_"+runtime.GOARCH)
	data, err := os.ReadFile(file)
	check(h.t, err)
	check(h.t, os.WriteFile(file, append(data, 'x'), 0o755))
}

// changeArtifact changes one byte of one file of the package in an artifact, and the
// zip's own checksum with it.
func (h *ciHost) changeArtifact(artifact, path string) {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.dir, "artifacts", artifact, "*.zip"))
	check(h.t, err)
	if len(found) != 1 {
		h.t.Fatalf("%d packages in artifact %s", len(found), artifact)
	}
	changeZip(h.t, found[0], path)
}

func changeZip(t *testing.T, file, path string) {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	check(t, err)
	i := slices.IndexFunc(r.File, func(f *zip.File) bool { return strings.HasSuffix(f.Name, "/"+path) })
	if i < 0 {
		t.Fatalf("%s has no %s", file, path)
	}
	f := r.File[i]
	at, err := f.DataOffset()
	check(t, err)
	content := data[at : at+int64(f.UncompressedSize64)]
	content[len(content)/2] ^= 1
	before, after := make([]byte, 4), make([]byte, 4)
	binary.LittleEndian.PutUint32(before, f.CRC32)
	binary.LittleEndian.PutUint32(after, crc32.ChecksumIEEE(content))
	check(t, os.WriteFile(file, bytes.ReplaceAll(data, before, after), 0o644))
}
