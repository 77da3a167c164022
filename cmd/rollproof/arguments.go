package main

import (
	"strings"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/urfave/cli/v2"
)

// reorder moves flags before the arguments of the verb that they belong to, because
// the cli package silently takes a flag behind an argument for another argument.
// "--" ends the flags. A flag that the verb doesn't know is a usage error with the
// nearest known name.
func reorder(app *cli.App, args []string) ([]string, error) {
	out, rest := args[:1:1], args[1:]
	commands, flags := app.Commands, app.Flags
	name := ""
	for len(rest) > 0 {
		c := find(commands, rest[0])
		if c == nil {
			break
		}
		out, rest, name = append(out, rest[0]), rest[1:], strings.TrimSpace(name+" "+rest[0])
		commands, flags = c.Subcommands, c.Flags
	}
	if len(commands) > 0 {
		return append(out, rest...), nil
	}
	front, back, err := split(name, flags, rest)
	if err != nil {
		return nil, err
	}
	if len(back) > 0 {
		front = append(append(front, "--"), back...)
	}
	return append(out, front...), nil
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// optionalValue is the flag that may stand without a value.
const optionalValue = "query"

// split separates the flags with their values from the arguments.
func split(command string, flags []cli.Flag, args []string) (front, back []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			return front, append(back, args...), nil
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if len(arg) < 2 || arg[0] != '-' {
			back = append(back, arg)
			continue
		}
		takesValue, known := flagNamed(flags, name)
		if !known {
			return nil, nil, unknownFlag(command, arg, flags)
		}
		front = append(front, arg)
		if takesValue && !hasValue {
			if name == optionalValue && (len(args) == 0 || strings.HasPrefix(args[0], "-")) {
				front[len(front)-1] += "="
				continue
			}
			if len(args) == 0 {
				return nil, nil, usagef("see rollproof "+command+" --help", "%s: %s needs a value", command, arg)
			}
			front, args = append(front, args[0]), args[1:]
		}
	}
	return front, back, nil
}

func flagNamed(flags []cli.Flag, name string) (takesValue, known bool) {
	if name == "help" || name == "h" {
		return false, true
	}
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				_, isBool := f.(*cli.BoolFlag)
				return !isBool, true
			}
		}
	}
	return false, false
}

func unknownFlag(command, arg string, flags []cli.Flag) error {
	var known []string
	for _, f := range flags {
		for _, n := range f.Names() {
			if len(n) > 1 {
				known = append(known, "--"+n)
			}
		}
	}
	hint := "see rollproof " + command + " --help"
	if near := envelope.Nearest(arg, known); near != "" {
		hint = "the nearest known is " + near
	}
	return usagef(hint, "%s: unknown flag %s", command, arg)
}
