package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/evidence/trust/memory"
	"github.com/rollproof/rollproof/release"
	"github.com/urfave/cli/v2"
)

// trustFlags say what a verifying command trusts.
func trustFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "key", Usage: "trust one public key `PUB` (PEM or OpenSSH line): no roles, no revocation"},
	}, rootFlags()...)
}

// rootFlags name a trust root, for commands that sign with --key or need roles.
func rootFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "pin", Usage: "trust root: the `DIGEST` (sha256:…) of any one version (default: the file pin of the user's or the machine's configuration)"},
		&cli.StringFlag{Name: "trust", Usage: "trust root: its `DIR` (default: what trust import keeps, else what comes with the package, walked from the pin)"},
		&cli.StringFlag{Name: "trust-state", Usage: "`FILE` that remembers the newest trust version seen (default: in the user's state directory)"},
		&cli.IntFlag{Name: "min-trust-version", Usage: "refuse trust versions below `N`, for machines without memory"},
		&cli.BoolFlag{Name: "allow-expired-trust", Usage: "let an expired trust version count as current; the verdict says so"},
		&cli.BoolFlag{Name: "allow-unproved-time", Usage: "let signatures by keys past their last day count without a proof of time; the verdict says so"},
	}
}

// trustWeakenings are the flags among them that weaken a verdict.
func trustWeakenings(ctx *cli.Context) []release.Weakening {
	var list []release.Weakening
	for _, name := range []string{"allow-expired-trust", "allow-unproved-time"} {
		if ctx.Bool(name) {
			list = append(list, release.Weakening{Flag: "--" + name, Checks: []string{}})
		}
	}
	return list
}

// authority returns what the flags trust for subject, or nil without any: then the
// verdict fails. embedded is the package, whose own chain may move a pin forward.
func (p *program) authority(ctx *cli.Context, subject string, embedded release.Container) (trust.Authority, error) {
	key := ctx.String("key")
	if key == "" {
		_, authority, err := p.rootAuthority(ctx, subject, embedded)
		return authority, err
	}
	if ctx.String("pin") != "" || ctx.String("trust") != "" {
		return nil, usagef("give one of them", "both --key and a trust root were given")
	}
	if err := refuseInside(key, subject); err != nil {
		return nil, err
	}
	public, err := readPublicKey(key)
	if err != nil {
		return nil, err
	}
	return trust.SingleKey(public), nil
}

// rootAuthority is the trust root that the flags or the configuration name, with all
// of its versions, as it is now; nil without a pin. It never looks at --key, which
// signs where there are roles.
func (p *program) rootAuthority(ctx *cli.Context, subject string, embedded release.Container) (*trust.Chain, trust.Authority, error) {
	chain, err := p.rootChain(ctx, subject, embedded)
	if err != nil || chain == nil {
		return nil, nil, err
	}
	authority, err := p.authorityOf(ctx, chain)
	return chain, authority, err
}

// rootChain returns the trust root that the flags or the configuration name, nil
// without a pin.
func (p *program) rootChain(ctx *cli.Context, subject string, embedded release.Container) (*trust.Chain, error) {
	pin, dir, err := p.pinned(ctx, subject)
	if err != nil || pin == "" {
		return nil, err
	}
	carried, err := carriedTrust(embedded)
	if err != nil {
		return nil, err
	}
	return walk(pin, dir, carried)
}

// pinned returns the pin that the flags or the configuration name, "" for none, and the
// trust directory: that of the flag, or the imported one if it has that pin, or "".
// Neither is taken from inside subject.
func (p *program) pinned(ctx *cli.Context, subject string) (pin, dir string, err error) {
	pin, dir = ctx.String("pin"), ctx.String("trust")
	if pin == "" {
		if pin, err = p.configuredPin(); err != nil {
			return "", "", err
		}
	}
	switch {
	case pin == "" && dir != "":
		return "", "", usagef("give --pin sha256:…, as the root's owners told it", "a trust directory without a pin: nothing says that it is yours")
	case pin == "":
		return "", "", nil
	}
	if _, err := trust.ParsePin(pin); err != nil {
		return "", "", err
	}
	if dir == "" && p.imported(pin) {
		dir = p.importedTrust()
	}
	if dir != "" {
		err = refuseInside(dir, subject)
	}
	return pin, dir, err
}

// importedTrust is the trust directory that "trust import" keeps in the user's
// configuration, or the machine's; "" where there is none.
func (p *program) importedTrust() string {
	for _, dir := range p.configurationDirectories() {
		at := filepath.Join(dir, "trust")
		if info, err := os.Stat(at); err == nil && info.IsDir() {
			return at
		}
	}
	return ""
}

// imported says whether a pin names a version of the imported trust directory.
func (p *program) imported(pin string) bool {
	dir := p.importedTrust()
	if dir == "" {
		return false
	}
	files, err := readTrustDirectory(dir)
	if err != nil {
		return false
	}
	for _, data := range files {
		if trust.Digest(data) == pin {
			return true
		}
	}
	return false
}

// authorityOf holds a chain against the machine's memory and the clock.
func (p *program) authorityOf(ctx *cli.Context, chain *trust.Chain) (trust.Authority, error) {
	state, err := p.trustState(ctx.String("trust-state"))
	if err != nil {
		return nil, err
	}
	if err := chain.Remember(memory.File(state)); err != nil {
		return nil, err
	}
	return chain.At(p.now(), trust.Options{
		AllowExpired: ctx.Bool("allow-expired-trust"), AllowUnprovedTime: ctx.Bool("allow-unproved-time"), MinVersion: ctx.Int("min-trust-version"),
	})
}

// walk goes from a pin through a trust directory, "" for none, and then as far as what a
// package or an export carries leads.
func walk(pin, dir string, carried map[string][]byte) (*trust.Chain, error) {
	files := carried
	if dir != "" {
		var err error
		if files, err = readTrustDirectory(dir); err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, failure{exitEvidence, "no trust directory was given, and none came with it or was imported for this pin", "give --trust DIR, or rollproof trust import DIR --pin …"}
	}
	chain, err := trust.Load(files, pin)
	if err == nil && dir != "" && len(carried) > 0 {
		chain, err = chain.Extend(carried)
	}
	if err != nil {
		return nil, badTrust(err)
	}
	return chain, nil
}

// maxTrustFile is the size in bytes of the largest file of a trust directory.
const maxTrustFile = 4 << 20

// carriedTrust reads the files of trust/ in a package.
func carriedTrust(c release.Container) (map[string][]byte, error) {
	files := map[string][]byte{}
	if c == nil {
		return files, nil
	}
	for _, e := range c.Entries() {
		name, ok := strings.CutPrefix(e.Path, "trust/")
		if !ok {
			continue
		}
		data, err := readEntry(c, e.Path)
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	return files, nil
}

// readTrustDirectory reads every file of a trust directory.
func readTrustDirectory(dir string) (map[string][]byte, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range list {
		if files[e.Name()], err = readFile(filepath.Join(dir, e.Name()), maxTrustFile); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// readPublicKey reads the public key that --key names for verification.
func readPublicKey(file string) (envelope.PublicKey, error) {
	data, err := readFile(file, maxKeyFile)
	if err != nil {
		return envelope.PublicKey{}, err
	}
	public, err := envelope.ParsePublicKey(data)
	if errors.Is(err, envelope.ErrPrivateKey) {
		return public, usagef("give the public half: rollproof keys public "+file+" prints it", "%s is a private key, and a public key is expected", file)
	}
	if err != nil {
		return public, usagef("expected a PEM block \"PUBLIC KEY\" or one OpenSSH line", "%s: %v", file, err)
	}
	return public, nil
}

// configuredPin reads the pin of the user's, then of the machine's configuration.
// The working directory, a repository or a package never say what to trust.
func (p *program) configuredPin() (string, error) {
	for _, dir := range p.configurationDirectories() {
		data, err := readFile(filepath.Join(dir, "pin"), 4096)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(string(data)), nil
	}
	return "", nil
}

func (p *program) configurationDirectories() []string {
	var dirs []string
	if dir := p.userDirectory("XDG_CONFIG_HOME", ".config"); dir != "" {
		dirs = append(dirs, dir)
	}
	return append(dirs, "/etc/rollproof")
}

// userDirectory is rollproof's directory below an XDG base directory
// (https://specifications.freedesktop.org/basedir-spec/), "" where there is none.
func (p *program) userDirectory(variable, below string) string {
	base := p.env(variable)
	if base == "" && p.env("HOME") != "" {
		base = filepath.Join(p.env("HOME"), below)
	}
	if local := p.env("LOCALAPPDATA"); base == "" && local != "" {
		base = filepath.Join(local, strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(variable, "XDG_"), "_HOME")))
	}
	if !filepath.IsAbs(base) {
		return ""
	}
	return filepath.Join(base, "rollproof")
}

// trustState is the file that remembers trust versions.
func (p *program) trustState(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	dir := p.userDirectory("XDG_STATE_HOME", ".local/state")
	if dir == "" {
		return "", usagef("give --trust-state FILE", "there is no home directory to remember trust versions in")
	}
	dir = filepath.Join(dir, "trust")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", failure{exitFailed, err.Error(), "give --trust-state FILE"}
	}
	return filepath.Join(dir, "seen"), nil
}

// refuseInside refuses trust that lies inside what it shall verify, also by way of a
// link.
func refuseInside(file, subject string) error {
	subjectInfo, err := os.Stat(subject)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a store that is about to be made
	}
	if err != nil {
		return err
	}
	for _, path := range []func(string) (string, error){filepath.Abs, filepath.EvalSymlinks} {
		at, err := path(file)
		if err == nil {
			at, err = filepath.Abs(at)
		}
		if err != nil {
			return err
		}
		for below := ""; at != below; below, at = at, filepath.Dir(at) {
			if info, err := os.Stat(at); err == nil && os.SameFile(info, subjectInfo) {
				return usagef("get it on another way than the package", "%s lies inside %s: a package never chooses its own trust", file, subject)
			}
		}
	}
	return nil
}
