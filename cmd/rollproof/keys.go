package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// maxKeyFile is the size in bytes of the largest key file that is read.
const maxKeyFile = 64 << 10

// A keyDocument is what the keys commands print with --json.
type keyDocument struct {
	Schema    string   `json:"schema"`
	KeyID     string   `json:"keyid"`
	Algorithm string   `json:"algorithm"`
	Kind      string   `json:"kind"`
	Encrypted bool     `json:"encrypted"`
	Private   bool     `json:"private"`
	PEM       string   `json:"pem"`
	OpenSSH   string   `json:"openssh"`
	Files     []string `json:"files"`
}

func newKeyDocument(k envelope.PublicKey) (keyDocument, error) {
	text, err := k.PEM()
	return keyDocument{
		Schema: evidence.Namespace + "key/v1", KeyID: k.KeyID(), Algorithm: k.Algorithm(), Kind: "public key",
		PEM: string(text), OpenSSH: k.OpenSSH(), Files: []string{},
	}, err
}

func (p *program) keysGenerateCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "generate",
		Usage: "make an Ed25519 key: writes FILE (0600) and its public half beside it",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "encrypt", Usage: "protect the key with a passphrase, asked on the terminal or read from ROLLPROOF_KEY_PASSPHRASE_FILE"},
			&cli.BoolFlag{Name: "allow-in-repository", Usage: "write it although git could commit it"},
		},
		Action: p.keysGenerate,
	}, "FILE")
}

func (p *program) keysGenerate(ctx *cli.Context) error {
	file := ctx.Args().First()
	public := strings.TrimSuffix(file, ".pem") + ".pub"
	if !ctx.Bool("allow-in-repository") {
		if err := p.refuseTracked(file); err != nil {
			return err
		}
	}
	key, err := keys.Generate(rand.Reader)
	if err != nil {
		return err
	}
	text, err := p.marshalKey(key, ctx.Bool("encrypt"))
	if err != nil {
		return err
	}
	doc, err := newKeyDocument(key.Public())
	if err != nil {
		return err
	}
	if err := writeNew(file, text, 0o600); err != nil {
		return err
	}
	if err := writeNew(public, []byte(doc.PEM), 0o644); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	doc.Kind, doc.Private, doc.Encrypted = "PEM", true, ctx.Bool("encrypt")
	doc.Files = []string{file, public}
	if p.json {
		return p.printJSON(doc)
	}
	fmt.Fprintf(p.stdout, "%s\n", doc.KeyID)
	fmt.Fprintf(p.stderr, "private key  %s (keep it secret)\npublic key   %s (give it to whoever verifies)\n", file, public)
	return nil
}

func (p *program) marshalKey(key *keys.Private, encrypt bool) ([]byte, error) {
	if !encrypt {
		return key.MarshalPEM()
	}
	passphrase, err := p.newPassphrase()
	if err != nil {
		return nil, err
	}
	return key.MarshalEncrypted(passphrase)
}

// writeNew writes a file that must not exist.
func writeNew(file string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, os.ErrExist) {
		return failure{exitConflict, fmt.Sprintf("%s exists", file), "keys are never overwritten: choose another name"}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// refuseTracked refuses a path inside a work tree that git does not ignore.
func (p *program) refuseTracked(file string) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	git := exec.Command("git", "-C", filepath.Dir(abs), "-c", "core.fsmonitor=false", "-c", "safe.directory=*", "check-ignore", "-q", "--", abs)
	git.Env = []string{"PATH=" + p.env("PATH"), "HOME=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1"}
	var exit *exec.ExitError
	if err := git.Run(); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return failure{exitUsage, fmt.Sprintf("%s lies in a git work tree and git does not ignore it", file),
			"write it elsewhere, for example ../" + filepath.Base(file) + ", or give --allow-in-repository"}
	}
	return nil
}

func (p *program) keysPublicCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:   "public",
		Usage:  "print the public half of KEY (a file or ssh-agent:SHA256:…): PEM on stdout, OpenSSH line and fingerprint on stderr",
		Action: p.keysPublic,
	}, "KEY")
}

func (p *program) keysPublic(ctx *cli.Context) error {
	key, err := p.publicHalf(ctx.Args().First())
	if err != nil {
		return err
	}
	doc, err := newKeyDocument(key)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(doc)
	}
	fmt.Fprintf(p.stderr, "%s\n%s\n", doc.OpenSSH, doc.KeyID)
	_, err = fmt.Fprint(p.stdout, doc.PEM)
	return err
}

// publicHalf returns the public key of a file of either kind, or of an agent's key.
func (p *program) publicHalf(name string) (envelope.PublicKey, error) {
	if data, err := readFile(name, maxKeyFile); err == nil {
		if info, err := keys.Inspect(data); err == nil && !info.Public.IsZero() {
			return info.Public, nil
		}
	}
	signer, err := keys.Open(name, p.keyEnvironment())
	if err != nil {
		return envelope.PublicKey{}, err
	}
	return signer.Public(), nil
}

func (p *program) keysInspectCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:   "inspect",
		Usage:  "tell what FILE holds, without printing a secret",
		Action: p.keysInspect,
	}, "FILE")
}

func (p *program) keysInspect(ctx *cli.Context) error {
	data, err := readFile(ctx.Args().First(), maxKeyFile)
	if err != nil {
		return err
	}
	info, err := keys.Inspect(data)
	if err != nil {
		return err
	}
	if !p.json {
		_, err := fmt.Fprintln(p.stdout, info.String())
		return err
	}
	if info.Public.IsZero() {
		return failure{exitFailed, "the passphrase hides which key this is", "rollproof keys public asks for the passphrase"}
	}
	doc, err := newKeyDocument(info.Public)
	if err != nil {
		return err
	}
	doc.Kind, doc.Private, doc.Encrypted = info.Format, info.Private, info.Encrypted
	return p.printJSON(doc)
}

// keyEnvironment is the outside world for package keys.
func (p *program) keyEnvironment() keys.Environment {
	return keys.Environment{
		ReadFile: func(path string) ([]byte, os.FileMode, error) {
			info, err := os.Stat(path)
			if err != nil {
				return nil, 0, err
			}
			data, err := readFile(path, maxKeyFile)
			return data, filePermissions(info), err
		},
		AgentSocket: p.env("SSH_AUTH_SOCK"),
		Passphrase:  p.passphrase,
		Warn:        func(text string) { fmt.Fprintf(p.stderr, "rollproof: warning: %s\n", text) },
	}
}

// signer returns the key of --key, or of ROLLPROOF_SIGNING_KEY without one.
func (p *program) signer(flag string) (envelope.Signer, error) {
	if flag != "" {
		return keys.Open(flag, p.keyEnvironment())
	}
	if value := p.env("ROLLPROOF_SIGNING_KEY"); value != "" {
		return keys.OpenVariable(value, p.keyEnvironment())
	}
	return nil, usagef("make one: rollproof keys generate ../release.pem; or try --dry-run", "a signing key is needed: expected --key or ROLLPROOF_SIGNING_KEY")
}

// passphrase returns the passphrase of the named key.
func (p *program) passphrase(name string) ([]byte, error) {
	if file := p.env("ROLLPROOF_KEY_PASSPHRASE_FILE"); file != "" {
		data, err := readFile(file, maxKeyFile)
		return []byte(strings.TrimRight(string(data), "\r\n")), err
	}
	return p.ask("passphrase for " + name + ": ")
}

// newPassphrase asks for a passphrase twice.
func (p *program) newPassphrase() ([]byte, error) {
	if p.env("ROLLPROOF_KEY_PASSPHRASE_FILE") != "" {
		return p.passphrase("")
	}
	first, err := p.ask("new passphrase: ")
	if err != nil {
		return nil, err
	}
	second, err := p.ask("the same again: ")
	if err == nil && string(first) != string(second) {
		err = usagef("type the same twice", "the two passphrases differ")
	}
	return first, err
}

// ask reads a line from the terminal without echo.
func (p *program) ask(prompt string) ([]byte, error) {
	f, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, usagef("run it on a terminal, or name a file in ROLLPROOF_KEY_PASSPHRASE_FILE", "a passphrase is needed and stdin is no terminal")
	}
	fmt.Fprint(p.stderr, prompt)
	defer fmt.Fprintln(p.stderr)
	return term.ReadPassword(int(f.Fd()))
}
