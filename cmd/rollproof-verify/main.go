// Rollproof-verify checks a package of rollproof and nothing else. It is for closed
// networks, which carry and audit it: package release's verification, the trust root,
// and the standard library.
//
//	rollproof-verify [--key PUB | --pin sha256:… [--trust DIR]] [--json] DIR|ZIP
//
// It exits with 0 when the verdict passes, 3 when it does not, 2 for wrong usage and
// 1 when it could not look. It remembers nothing: --min-trust-version keeps an older
// trust root from coming back.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/dist"
)

// The exit codes, as in rollproof.
const (
	exitPass     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitEvidence = 3
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr, time.Now().UTC()))
}

// options are the command line.
type options struct {
	key, pin, trust string
	json            bool
	minVersion      int
	allowExpired    bool
	name            string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("rollproof-verify", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.key, "key", "", "trust one public key `FILE` (PEM or OpenSSH line): no roles, no revocation")
	f.StringVar(&o.pin, "pin", "", "trust root: the `DIGEST` (sha256:…) of any one version, received on another way than the package")
	f.StringVar(&o.trust, "trust", "", "trust root: its `DIR` (default: the one that comes with the package, walked from the pin)")
	f.IntVar(&o.minVersion, "min-trust-version", 0, "refuse trust versions below `N`")
	f.BoolVar(&o.allowExpired, "allow-expired-trust", false, "let an expired trust version count as current; the verdict says so")
	f.BoolVar(&o.json, "json", false, "print the verdict as one JSON document")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() != 1:
		return o, errors.New("expected one package, a directory or a zip")
	case (o.key == "") == (o.pin == ""):
		return o, errors.New("expected either --key or --pin: a package never chooses its own trust")
	case o.trust != "" && o.pin == "":
		return o, errors.New("--trust needs --pin")
	}
	o.name = f.Arg(0)
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer, now time.Time) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitPass
	}
	if err != nil {
		fmt.Fprintf(stderr, "rollproof-verify: error: %v\n", err)
		return exitUsage
	}
	verdict, err := verify(ctx, o, now)
	var bad *trust.Error
	if errors.As(err, &bad) || errors.Is(err, errInside) {
		fmt.Fprintf(stderr, "rollproof-verify: error: %v\n", err)
		return exitEvidence
	}
	if err == nil {
		err = show(stdout, verdict, o.json)
	}
	if err != nil {
		fmt.Fprintf(stderr, "rollproof-verify: error: %v\n", err)
		return exitFailed
	}
	if verdict.Result != release.Pass {
		return exitEvidence
	}
	return exitPass
}

func verify(ctx context.Context, o options, now time.Time) (*release.Verdict, error) {
	container, closer, err := dist.Open(o.name)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	authority, err := o.authority(container, now)
	if err != nil {
		return nil, err
	}
	opts := release.VerifyOptions{Authority: authority}
	if o.allowExpired {
		opts.Weakenings = []release.Weakening{{Flag: "--allow-expired-trust", Checks: []string{}}}
	}
	return release.Verify(ctx, container, opts)
}

// errInside is returned for trust that lies inside of what it shall verify.
var errInside = errors.New("lies inside the package: a package never chooses its own trust")

// authority is the key or the trust root that was given.
func (o options) authority(container release.Container, now time.Time) (trust.Authority, error) {
	for _, file := range []string{o.key, o.trust} {
		if file != "" && inside(file, o.name) {
			return nil, fmt.Errorf("%s %w", file, errInside)
		}
	}
	if o.key != "" {
		data, err := os.ReadFile(o.key)
		if err != nil {
			return nil, err
		}
		k, err := envelope.ParsePublicKey(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.key, err)
		}
		return trust.SingleKey(k), nil
	}
	files, err := o.versions(container)
	if err != nil {
		return nil, err
	}
	chain, err := trust.Load(files, o.pin)
	if err != nil {
		return nil, err
	}
	return chain.At(now, trust.Options{AllowExpired: o.allowExpired, MinVersion: o.minVersion})
}

// maxTrustFile is the size in bytes of the largest file of a trust directory.
const maxTrustFile = 4 << 20

// versions reads the trust directory: the one that is given, or the package's own.
func (o options) versions(container release.Container) (map[string][]byte, error) {
	files := map[string][]byte{}
	if o.trust != "" {
		list, err := os.ReadDir(o.trust)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if files[e.Name()], err = os.ReadFile(filepath.Join(o.trust, e.Name())); err != nil {
				return nil, err
			}
		}
		return files, nil
	}
	for _, e := range container.Entries() {
		name, ok := strings.CutPrefix(e.Path, "trust/")
		if !ok {
			continue
		}
		f, err := container.Open(e.Path)
		if err != nil {
			return nil, err
		}
		files[name], err = io.ReadAll(io.LimitReader(f, maxTrustFile))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, &trust.Error{Err: errors.New("the package carries no trust root: give --trust DIR")}
	}
	return files, nil
}

// inside reports whether a file lies in a directory, also by way of a link.
func inside(file, dir string) bool {
	within, err := os.Stat(dir)
	if err != nil {
		return false
	}
	at, err := filepath.EvalSymlinks(file)
	if err == nil {
		at, err = filepath.Abs(at)
	}
	if err != nil {
		return false
	}
	for below := ""; at != below; below, at = at, filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && os.SameFile(info, within) {
			return true
		}
	}
	return false
}

// show prints a verdict: what did not pass, and the result.
func show(w io.Writer, v *release.Verdict, asJSON bool) error {
	if asJSON {
		data, err := envelope.Encode(v)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	counts := map[release.Result]int{}
	for _, c := range v.Checks {
		counts[c.Result]++
		if c.Result == release.Pass {
			continue
		}
		fmt.Fprintf(w, "%-11s %s  %s\n", c.Result, c.ID, archive.Printable(c.Subject))
		for _, line := range [][2]string{{"expected", c.Expected}, {"actual", c.Actual}, {"hint", c.Hint}} {
			if line[1] != "" {
				fmt.Fprintf(w, "            %-9s %s\n", line[0], archive.Printable(line[1]))
			}
		}
	}
	for _, n := range v.Notes {
		fmt.Fprintf(w, "note: %s\n", archive.Printable(n))
	}
	if v.Release != nil {
		fmt.Fprintf(w, "%s %s, commit %s, manifest %s\n", archive.Printable(v.Release.Project), archive.Printable(v.Release.Version), archive.Printable(v.Release.Source.GitCommit), v.ManifestDigest)
	}
	_, err := fmt.Fprintf(w, "%s: %d passed, %d failed, %d not checked\n", v.Result, counts[release.Pass], counts[release.Fail], counts[release.NotChecked])
	return err
}
