package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/release"
)

// program builds rollproof once, as a user has it.
var builtProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rollproof-bench-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "rollproof")
	out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

func rollproofProgram(b *testing.B) string {
	b.Helper()
	file, err := builtProgram()
	if err != nil {
		b.Fatal(err)
	}
	return file
}

func mustRun(b *testing.B, dir string, env []string, name string, args ...string) {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// compare runs ours and theirs in turn, b.N times, and reports the median of the
// ratios pair by pair: noise of the machine falls on both.
func compare(b *testing.B, unit string, ours, theirs func()) {
	timed := func(f func()) float64 {
		start := time.Now()
		f()
		return time.Since(start).Seconds()
	}
	ours()
	theirs()
	var ratios, seconds []float64
	for b.Loop() {
		a, t := timed(ours), timed(theirs)
		ratios, seconds = append(ratios, a/t), append(seconds, a)
	}
	slices.Sort(ratios)
	slices.Sort(seconds)
	b.ReportMetric(ratios[len(ratios)/2], unit)
	b.ReportMetric(seconds[len(seconds)/2]*1000, "ms/ours")
	b.ReportMetric(0, "ns/op") // the pair's time says nothing
}

// ageRepository is a repository of filippo.io/age, tagged v1.2.1.
func ageRepository(b *testing.B) string {
	b.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", "filippo.io/age@v1.2.1").Output()
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(out), `"Dir": "`)
	source, _, _ := strings.Cut(rest, `"`)
	dir := filepath.Join(b.TempDir(), "age")
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		b.Fatal(err)
	}
	if err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		return os.Chmod(name, 0o755)
	}); err != nil {
		b.Fatal(err)
	}
	commitAll(b, dir, "v1.2.1")
	return dir
}

func commitAll(b *testing.B, dir, tag string) {
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-qm", "all"}, {"tag", tag}} {
		mustRun(b, dir, nil, "git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	}
}

// BenchmarkPackage: release package of age (two mains, six platforms) against go
// build of the same mains with the same flags, two platforms at a time. Warm build
// cache, empty output directory each round. Aim: at most 1.5.
func BenchmarkPackage(b *testing.B) {
	program, repo := rollproofProgram(b), ageRepository(b)
	key := filepath.Join(b.TempDir(), "release.pem")
	mustRun(b, repo, nil, program, "keys", "generate", key)
	clone := filepath.Join(b.TempDir(), "clone")
	mustRun(b, repo, nil, "git", "clone", "-q", repo, clone)
	compare(b, "x-go-build",
		func() {
			os.RemoveAll(filepath.Join(repo, "dist"))
			mustRun(b, repo, nil, program, "release", "package", "--key", key, "--offline")
		},
		func() {
			out := filepath.Join(b.TempDir(), "out")
			os.RemoveAll(out)
			goBuildAll(b, clone, out)
		})
}

// goBuildAll builds age for six platforms, two at a time.
func goBuildAll(b *testing.B, dir, out string) {
	slots := make(chan struct{}, 2)
	var wg sync.WaitGroup
	for _, p := range release.DefaultPlatforms {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			mustRun(b, dir, []string{"GOENV=off", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS=" + p.OS, "GOARCH=" + p.Arch},
				"go", "build", "-trimpath", "-buildvcs=true", "-mod=readonly", "-o", filepath.Join(out, p.OS+p.Arch)+"/", "./cmd/age", "./cmd/age-keygen")
		})
	}
	wg.Wait()
}

// BenchmarkVerify: verify-package of a package of about 200 MB against openssl dgst
// -sha256 of the same files. Aim: at most 0.8.
func BenchmarkVerify(b *testing.B) {
	program := rollproofProgram(b)
	if _, err := exec.LookPath("openssl"); err != nil {
		b.Skip(err)
	}
	repo := b.TempDir()
	for name, data := range map[string][]byte{
		"go.mod":  []byte("module example.com/large\n\ngo 1.26\n"),
		"main.go": []byte("package main\n\nimport _ \"embed\"\n\n//go:embed data\nvar data string\n\nfunc main() { println(len(data)) }\n"),
		"data":    noise(32 << 20),
	} {
		if err := os.WriteFile(filepath.Join(repo, name), data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	commitAll(b, repo, "v1.0.0")
	key := filepath.Join(b.TempDir(), "release.pem")
	mustRun(b, repo, nil, program, "keys", "generate", key)
	mustRun(b, repo, nil, program, "release", "package", "--key", key)
	public := strings.TrimSuffix(key, ".pem") + ".pub"
	pack := filepath.Join(repo, "dist", "large-v1.0.0")
	var files []string
	if err := filepath.WalkDir(pack, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, name)
		}
		return err
	}); err != nil {
		b.Fatal(err)
	}
	openssl := func() { mustRun(b, repo, nil, "openssl", append([]string{"dgst", "-sha256"}, files...)...) }
	for name, subject := range map[string]string{"directory": pack, "zip": pack + ".zip"} {
		b.Run(name, func(b *testing.B) {
			compare(b, "x-openssl", func() { mustRun(b, repo, nil, program, "release", "verify-package", subject, "--key", public) }, openssl)
		})
	}
}

// noise returns n bytes that do not compress.
func noise(n int) []byte {
	var out bytes.Buffer
	sum := sha256.Sum256([]byte("noise"))
	for out.Len() < n {
		out.Write(sum[:])
		sum = sha256.Sum256(sum[:])
	}
	return out.Bytes()[:n]
}

// BenchmarkStart: rollproof --version against starting /bin/true. Aim: at most 15 ms.
func BenchmarkStart(b *testing.B) {
	program := rollproofProgram(b)
	compare(b, "x-true",
		func() { mustRun(b, ".", nil, program, "--version") },
		func() { mustRun(b, ".", nil, "true") })
}
