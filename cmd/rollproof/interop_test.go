package main

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cosign returns the path of cosign 3, or skips; "make interop" requires it.
func cosign(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("cosign")
	if err != nil && os.Getenv("ROLLPROOF_REQUIRE_INTEROP") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

// ours runs the program in this process.
func ours(t *testing.T, args ...string) {
	t.Helper()
	var stderr strings.Builder
	p := newProgram(append([]string{"rollproof"}, args...), os.Environ(), strings.NewReader(""), io.Discard, &stderr)
	if code := p.run(context.Background()); code != 0 {
		t.Fatalf("rollproof %v: exit code %d\n%s", args, code, stderr.String())
	}
}

// helloRepository is a repository of one small main package, tagged v1.4.2.
func helloRepository(t *testing.T) string {
	t.Helper()
	repo := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/hello\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() { println(\"hello\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "hello"}, {"tag", "v1.4.2"}} {
		cmd := exec.Command("git", append([]string{"-C", repo, "-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	return repo
}

// cosign verifies each detached signature of a package, and the provenance of each
// binary; and refuses both for another file.
func TestInteropCosign(t *testing.T) {
	tool := cosign(t)
	repo := helloRepository(t)
	key := filepath.Join(t.TempDir(), "release.pem")
	ours(t, "keys", "generate", key)
	ours(t, "release", "package", "-C", repo, "--key", key)
	public, dir := strings.TrimSuffix(key, ".pem")+".pub", filepath.Join(repo, "dist", "hello-v1.4.2")
	verify := func(want bool, args ...string) {
		t.Helper()
		cmd := exec.Command(tool, append(args[:1:1], append([]string{"--key", public, "--insecure-ignore-tlog"}, args[1:]...)...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); (err == nil) != want {
			t.Errorf("cosign %v: %v: %s", args, err, out)
		}
	}
	provenance, binaries, blobs := "hello.provenance.sigstore.json", 0, 0
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		file, isBundle := strings.CutSuffix(path, ".sigstore.json")
		if err != nil || !isBundle || path == provenance || path == "release-evidence.sigstore.json" {
			return err
		}
		blobs++
		verify(true, "verify-blob", "--bundle", path, file)
		if strings.HasPrefix(file, "bin/") {
			binaries++
			verify(true, "verify-blob-attestation", "--type", "https://slsa.dev/provenance/v1", "--bundle", provenance, file)
		}
		return nil
	})
	if err != nil || binaries != 6 || blobs != 10 {
		t.Errorf("%d binaries and %d signed files, expected 6 and 10: %v", binaries, blobs, err)
	}
	verify(true, "verify-blob-attestation", "--type", "https://github.com/rollproof/rollproof/schemas/release-evidence/v1", "--bundle", "release-evidence.sigstore.json", "release-evidence.json")
	verify(false, "verify-blob", "--bundle", "checksums.txt.sigstore.json", "installers.json")
	verify(false, "verify-blob-attestation", "--type", "https://slsa.dev/provenance/v1", "--bundle", provenance, "checksums.txt")
}
