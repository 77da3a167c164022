package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/urfave/cli/v2"
)

// A program is one run of rollproof: arguments, environment and streams go in, an
// exit code comes out.
type program struct {
	args    []string
	environ []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	json    bool // --json was given
	clock   func() time.Time
}

func newProgram(args, environ []string, stdin io.Reader, stdout, stderr io.Writer) *program {
	return &program{args: args, environ: environ, stdin: stdin, stdout: stdout, stderr: stderr, clock: time.Now}
}

// now is the clock of this machine, in UTC. A command reads it once.
func (p *program) now() time.Time { return p.clock().UTC() }

// env returns a variable of the environment, "" when it is not set.
func (p *program) env(name string) string {
	for i := len(p.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(p.environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// run carries out the command line and returns its exit code.
func (p *program) run(ctx context.Context) int {
	app := p.app()
	args, err := reorder(app, p.args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	if err == nil {
		return 0
	}
	return p.report(ctx, err)
}

// report prints a failure on its stream and returns its exit code.
func (p *program) report(ctx context.Context, err error) int {
	f := translate(ctx, err)
	var shown *shownError
	if errors.As(err, &shown) {
		return f.Code
	}
	if p.json {
		p.printJSON(map[string]failure{"error": f})
		return f.Code
	}
	fmt.Fprintf(p.stderr, "rollproof: error: %s\n", f.Message)
	if f.Hint != "" {
		fmt.Fprintf(p.stderr, "rollproof: hint: %s\n", f.Hint)
	}
	return f.Code
}

// printJSON prints a result document on stdout.
func (p *program) printJSON(v any) error {
	data, err := envelope.Encode(v)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(data)
	return err
}

// app returns the command tree.
func (p *program) app() *cli.App {
	return &cli.App{
		Name:                      "rollproof",
		Usage:                     "package, verify and promote Go releases, with evidence that anyone can check offline",
		Version:                   version(),
		Reader:                    p.stdin,
		Writer:                    p.stdout,
		ErrWriter:                 p.stderr,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		Suggest:                   true,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usageError,
		CommandNotFound:           nil,
		Action:                    unknownCommand,
		Commands: []*cli.Command{
			p.group("release", "make and verify packages, and put them where they run", p.packageCommand(), p.verifyPackageCommand(), p.signCommand(), p.timestampCommand(), p.reproduceCommand(), p.validateUpgradeCommand(), p.scanCommand(), p.smokeInstallersCommand(), p.inspectCommand(),
				p.captureRolloutCommand(), p.verifyRolloutCommand(), p.updateRolloutCommand(), p.populationCommand(), p.observeCommand(), p.rolloutStatusCommand(), p.holdCommand(),
				p.requestPromotionCommand(), p.executePromotionCommand(), p.verifyPromotionCommand(), p.requestRollbackCommand(), p.executeRollbackCommand(), p.rollbackCommand(),
				p.ringsCommand(), p.diffRingsCommand(), p.historyCommand()),
			p.approvalCommand(),
			p.policyCommand(),
			p.configCommand(),
			p.initCommand(),
			p.trustCommand(),
			p.tokenCommand(),
			p.serveCommand(),
			p.group("evidence", "record, find and check signed statements", p.evidenceAddCommand(), p.evidenceSearchCommand(), p.evidenceShowCommand(), p.evidenceVerifyCommand(), p.verifyBundleCommand(), p.evidenceEraseCommand(), p.evidenceLegalHoldCommand(), p.evidenceCleanCommand(), p.evidenceExportCommand(), p.verifyExportCommand(), p.evidenceLogCommand()),
			p.group("keys", "make and look at keys", p.keysGenerateCommand(), p.keysPublicCommand(), p.keysInspectCommand()),
			p.group("schemas", "the JSON Schema of every document", p.schemasListCommand(), p.schemasShowCommand()),
			p.manCommand(),
		},
	}
}

// group returns a noun with its verbs.
func (p *program) group(name, usage string, verbs ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, Subcommands: verbs, HideHelpCommand: true,
		Action: unknownCommand, OnUsageError: usageError,
	}
}

// verb completes a command that takes exactly these arguments.
func (p *program) verb(c *cli.Command, arguments ...string) *cli.Command {
	c.ArgsUsage = strings.Join(arguments, " ")
	return p.complete(c, func(ctx *cli.Context) error {
		if n := ctx.Args().Len(); n != len(arguments) {
			return usagef("see "+ctx.Command.HelpName+" --help", "%s takes %s, %d given", ctx.Command.HelpName, countArguments(arguments), n)
		}
		return nil
	})
}

// several completes a command that takes any number of arguments, min at least.
func (p *program) several(c *cli.Command, min int, argument string) *cli.Command {
	c.ArgsUsage = argument + "…"
	return p.complete(c, func(ctx *cli.Context) error {
		if ctx.Args().Len() < min {
			return usagef("see "+ctx.Command.HelpName+" --help", "%s takes %s…, none given", ctx.Command.HelpName, argument)
		}
		return nil
	})
}

// complete gives a command --json, the store's other name, and errors for wrong usage.
func (p *program) complete(c *cli.Command, count cli.ActionFunc) *cli.Command {
	action, required := c.Action, demanded(c.Flags)
	if _, keeps := flagNamed(c.Flags, "sqlite"); keeps {
		c.Flags, action = append(c.Flags, storeURLFlag()), withStoreURL(action)
	}
	c.HideHelpCommand = true
	c.OnUsageError = usageError
	c.Flags = append(c.Flags, &cli.BoolFlag{Name: "json", Usage: "print the result as one JSON document", Destination: &p.json})
	c.Action = func(ctx *cli.Context) error {
		if err := count(ctx); err != nil {
			return err
		}
		for _, name := range required {
			if !ctx.IsSet(name) {
				return usagef("see "+ctx.Command.HelpName+" --help", "%s needs --%s", ctx.Command.HelpName, name)
			}
		}
		return action(ctx)
	}
	return c
}

// demanded takes over the flags that a command can't do without: what the parser says
// of a missing one is no usage error.
func demanded(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			if f.Required {
				f.Required, names = false, append(names, f.Name)
			}
		case *cli.StringSliceFlag:
			if f.Required {
				f.Required, names = false, append(names, f.Name)
			}
		}
	}
	return names
}

func countArguments(names []string) string {
	if len(names) == 0 {
		return "no arguments"
	}
	if len(names) > 1 {
		return fmt.Sprintf("%d arguments (%s)", len(names), strings.Join(names, " "))
	}
	return fmt.Sprintf("1 argument (%s)", names[0])
}

// unknownCommand is what runs when no verb matched.
func unknownCommand(ctx *cli.Context) error {
	if !ctx.Args().Present() {
		return cli.ShowSubcommandHelp(ctx)
	}
	var known []string
	for _, c := range ctx.Command.Subcommands {
		known = append(known, c.Name)
	}
	if ctx.Command.Name == "rollproof" || len(known) == 0 {
		for _, c := range ctx.App.Commands {
			known = append(known, c.Name)
		}
	}
	hint := "rollproof --help lists the commands"
	if near := envelope.Nearest(ctx.Args().First(), known); near != "" {
		hint = "the nearest known is " + near
	}
	return usagef(hint, "unknown command %q", ctx.Args().First())
}

// version is this program's own version, as the go command stamped it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// readFile reads a file that the user named, which may not be larger than limit.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, nil
}
