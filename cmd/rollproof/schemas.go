package main

import (
	"fmt"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/schemas"
	"github.com/urfave/cli/v2"
)

func (p *program) schemasListCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "list",
		Usage: "list the identifiers of all schemas",
		Action: func(ctx *cli.Context) error {
			if p.json {
				return p.printJSON(map[string]any{"schema": schemas.Prefix + "schema-list/v1", "schemas": schemas.IDs()})
			}
			for _, id := range schemas.IDs() {
				fmt.Fprintln(p.stdout, id)
			}
			return nil
		},
	})
}

func (p *program) schemasShowCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "show",
		Usage: "print the schema of an identifier",
		Action: func(ctx *cli.Context) error {
			data, err := schemas.Lookup(ctx.Args().First())
			if err != nil {
				hint := "rollproof schemas list"
				if near := envelope.Nearest(ctx.Args().First(), schemas.IDs()); near != "" {
					hint = "the nearest known is " + near
				}
				return usagef(hint, "%v", err)
			}
			_, err = p.stdout.Write(data)
			return err
		},
	}, "ID")
}

func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name:            "man",
		Usage:           "print the manual page (roff); try: rollproof man | man -l -",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action: func(ctx *cli.Context) error {
			page, err := ctx.App.ToMan()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.stdout, page)
			return err
		},
	}
}
