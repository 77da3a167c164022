package smoke

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// Options say what to run and where. The zero value is the default command here.
type Options struct {
	Command Command
	Host    release.Platform // zero is this machine
	TempDir string           // where private directories are made; "" is the system's
}

// maxOutput is how many bytes of output a program may write.
const maxOutput = 64 << 10

// maxManifest is the size in bytes of the largest manifest that is read.
const maxManifest = 16 << 20

// Run tests every binary of a package that is for the host. The verdict is one of this
// very package and has passed; a package that changed since is a [*ChangedError].
// Other errors say that the options are no good, or that this machine could not do it.
func Run(ctx context.Context, c release.Container, verdict *release.Verdict, opts Options) (*Report, error) {
	if verdict == nil || verdict.Result != release.Pass {
		return nil, errors.New("the package has not passed verification")
	}
	if opts.Host == (release.Platform{}) {
		opts.Host = release.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH}
	}
	expected, err := opts.Command.complete().expectation()
	if err != nil {
		return nil, err
	}
	m, err := readManifest(c, verdict)
	if err != nil {
		return nil, err
	}
	t := &tester{container: c, expectation: expected, opts: opts, files: map[string]release.Artifact{}, report: &Report{
		Schema: ReportSchema, Release: m.Release, DryRun: m.DryRun, ManifestDigest: verdict.ManifestDigest,
		Host: opts.Host, Command: expected.Command, Network: NetworkUnused, Tests: []Test{},
	}}
	for _, f := range m.Files {
		t.files[f.Path] = f
	}
	binaries := slices.SortedFunc(slices.Values(m.Binaries), func(a, b release.Binary) int { return strings.Compare(a.Path, b.Path) })
	for _, b := range binaries {
		if err := t.test(ctx, b); err != nil {
			return nil, err
		}
	}
	t.report.conclude()
	return t.report, nil
}

// A ChangedError says that a file of the package is not the one that was verified.
type ChangedError struct {
	Path             string
	Expected, Actual string // sha256, hex
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s: not the file that was verified: sha256 %s, expected %s", archive.Printable(e.Path), e.Actual, e.Expected)
}

func readManifest(c release.Container, verdict *release.Verdict) (*release.Manifest, error) {
	f, err := c.Open(release.ManifestFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", release.ManifestFile, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", release.ManifestFile, err)
	}
	if want, got := strings.TrimPrefix(verdict.ManifestDigest, "sha256:"), evidence.SHA256(data); got != want {
		return nil, &ChangedError{release.ManifestFile, want, got}
	}
	return release.DecodeManifest(data)
}

// A tester is one run of Run.
type tester struct {
	expectation
	container release.Container
	opts      Options
	files     map[string]release.Artifact
	report    *Report
}

// test adds the test of one binary to the report.
func (t *tester) test(ctx context.Context, b release.Binary) (err error) {
	test := Test{Binary: b.Path, Platform: b.Platform, SHA256: t.files[b.Path].SHA256, Result: NotChecked}
	if b.Platform != t.opts.Host {
		test.Reason = fmt.Sprintf("it is for %s, this machine is %s", b.Platform, t.opts.Host)
		t.report.Tests = append(t.report.Tests, test)
		return nil
	}
	dir, err := os.MkdirTemp(t.opts.TempDir, "smoke-") // mode 0700
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeAll(dir)) }()
	program, home := filepath.Join(dir, filepath.Base(b.Name)), filepath.Join(dir, "home")
	if b.Platform.OS == "windows" {
		program += ".exe"
	}
	if program == home {
		home += "-directory"
	}
	if err := errors.Join(os.Mkdir(home, 0o700), t.copyBinary(b.Path, program)); err != nil {
		return err
	}
	ran, err := run(ctx, program, home, t.Args, t.limit)
	if err != nil {
		return fmt.Errorf("%s: %w", b.Path, err)
	}
	if ran.notStarted == "" && t.report.Network != NetworkNotIsolated {
		t.report.Network = ran.network
	}
	t.judge(&test, ran)
	t.report.Tests = append(t.report.Tests, test)
	return nil
}

// copyBinary copies a binary out of the package, where only the owner can read and run
// it, and compares what was written with the manifest.
func (t *tester) copyBinary(path, to string) error {
	want := t.files[path]
	from, err := t.container.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer from.Close()
	// A process that is forked meanwhile would keep the copy open for writing, and then
	// it can't be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), io.LimitReader(from, want.Size+1))
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 {
		return &ChangedError{path, want.SHA256, got}
	}
	return nil
}

// judge draws the result of a binary that was run, or could not be.
func (t *tester) judge(test *Test, ran outcome) {
	test.Output = printable(ran.output)
	if ran.notStarted != "" {
		test.Reason = ran.notStarted
		if ran.noProgram {
			test.Result = Fail
		}
		return
	}
	test.Result = Fail
	if ran.ended {
		test.ExitCode = &ran.exitCode
	}
	switch {
	case ran.tooLong:
		test.Reason = fmt.Sprintf("it did not end within %s", t.limit)
	case ran.tooMuch:
		test.Reason = fmt.Sprintf("it wrote more than %d bytes", maxOutput)
	case !ran.ended:
		test.Reason = "it was ended by " + ran.signal
	case ran.exitCode != t.ExitCode:
		test.Reason = fmt.Sprintf("exit code %d, expected %d", ran.exitCode, t.ExitCode)
	case t.pattern != nil && !t.pattern.Match(ran.output):
		test.Reason = "the output does not match " + printable([]byte(t.Output))
	default:
		test.Result = Pass
	}
}

// printable makes output safe to show, line by line.
func printable(output []byte) string {
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(output), "\r\n", "\n"), "\n"), "\n")
	for i, line := range lines {
		lines[i] = archive.Printable(line)
	}
	return strings.Join(lines, "\n")
}

// removeAll removes a directory, and first makes what the program left there removable.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() {
			return os.Chmod(name, 0o700)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}
