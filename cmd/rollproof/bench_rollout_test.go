package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
)

// BenchmarkRollout: capture-rollout and verify-rollout of a package with six binaries
// of about 35 MB against verify-package of the same package. Aim: at most 1.3 each.
// The first capture of a package also copies its files into the store; it is measured
// against the verification and a copy that the disk has.
func BenchmarkRollout(b *testing.B) {
	program, repo := rollproofProgram(b), b.TempDir()
	for name, data := range map[string][]byte{
		"go.mod":         []byte("module example.com/large\n\ngo 1.26\n"),
		"main.go":        []byte("package main\n\nimport _ \"embed\"\n\n//go:embed data\nvar data string\n\nfunc main() { println(len(data)) }\n"),
		"data":           noise(32 << 20),
		"rollproof.yaml": []byte("name: large\npolicy:\n  rings:\n    - name: pilot\n      coverage: 0\n"),
	} {
		if err := os.WriteFile(filepath.Join(repo, name), data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	commitAll(b, repo, "v1.0.0")
	start := filepath.Join(b.TempDir(), "start")
	env := []string{"XDG_CONFIG_HOME=" + filepath.Join(start, "config"), "XDG_STATE_HOME=" + filepath.Join(start, "state")}
	run := func(args ...string) { mustRun(b, repo, env, program, args...) }
	run("trust", "quickstart", start)
	root, err := os.ReadFile(filepath.Join(start, "trust", "1.trust.json"))
	if err != nil {
		b.Fatal(err)
	}
	pin := evidence.DigestOf(root).String()
	run("trust", "import", filepath.Join(start, "trust"), "--pin", pin)
	key := func(role string) string { return filepath.Join(start, "keys", role+".pem") }
	run("release", "package", "--key", key("releaser"), "--trust", filepath.Join(start, "trust"))
	run("policy", "sign", "--key", key("policy"))
	pack := filepath.Join("dist", "large-v1.0.0")
	verify := func() { run("release", "verify-package", pack, "--pin", pin) }
	change := 0
	capture := func(more ...string) string {
		change++
		id := fmt.Sprintf("CHG-%d", change)
		run(append([]string{"release", "capture-rollout", pack, "--change-record", id, "--key", key("operator")}, more...)...)
		return id
	}
	b.Run("capture-first", func(b *testing.B) {
		blobs, copied := filepath.Join(repo, ".rollproof", "blobs"), filepath.Join(repo, "copied")
		compare(b, "x-verify-and-copy", func() {
			os.RemoveAll(blobs)
			capture()
		}, func() {
			os.RemoveAll(copied)
			verify()
			mustRun(b, repo, nil, "cp", "-r", pack, copied)
			mustRun(b, repo, nil, "sync", "-f", copied)
		})
	})
	b.Run("capture", func(b *testing.B) { compare(b, "x-verify", func() { capture() }, verify) })
	b.Run("verify-rollout", func(b *testing.B) {
		id := capture()
		list, err := os.ReadDir(filepath.Join(repo, ".rollproof", "rollout"))
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range list {
			if strings.HasPrefix(e.Name(), id+"-") {
				dir := filepath.Join(".rollproof", "rollout", e.Name())
				compare(b, "x-verify", func() { run("release", "verify-rollout", dir) }, verify)
				return
			}
		}
		b.Fatal("no rollout was written")
	})
}
