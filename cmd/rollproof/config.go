package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/internal/config"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Value: config.FileName, Usage: "the draft `FILE`"}
}

func projectFlag() cli.Flag {
	return &cli.StringFlag{Name: "project", Usage: "the `PROJECT` (default: name in rollproof.yaml)"}
}

// readDraft reads rollproof.yaml from the directory in which the command runs.
func (p *program) readDraft(file string) (*config.Config, error) {
	data, err := readFile(file, config.MaxSize)
	if errors.Is(err, os.ErrNotExist) {
		return nil, failure{exitFailed, "there is no " + file, "rollproof init writes one to start from; --config names another"}
	}
	if err != nil {
		return nil, err
	}
	return parseConfig(data)
}

// parseConfig reads a configuration and tells the nearest known name.
func parseConfig(data []byte) (*config.Config, error) {
	c, err := config.Parse(data)
	var bad *config.Error
	if errors.As(err, &bad) {
		hint := "see docs/configuration.md"
		if bad.Nearest != "" {
			hint = "the nearest known is " + bad.Nearest
		}
		return nil, usagef(hint, "%v", bad)
	}
	return c, err
}

func (p *program) configCommand() *cli.Command {
	return p.group("config", "check and show rollproof.yaml", p.configCheckCommand(), p.configShowCommand())
}

func (p *program) configCheckCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "check",
		Usage: "read rollproof.yaml strictly and say what is wrong with it",
		Flags: []cli.Flag{configFlag()},
		Action: func(ctx *cli.Context) error {
			c, err := p.readDraft(ctx.String("config"))
			if err != nil {
				return err
			}
			return p.showConfig(ctx.String("config"), c, false)
		},
	})
}

func (p *program) configShowCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:  "show",
		Usage: "show rollproof.yaml with every default of its policy filled in",
		Flags: []cli.Flag{configFlag()},
		Action: func(ctx *cli.Context) error {
			c, err := p.readDraft(ctx.String("config"))
			if err != nil {
				return err
			}
			return p.showConfig(ctx.String("config"), c, true)
		},
	})
}

// A configDocument is rollproof.yaml with its policy filled in.
type configDocument struct {
	Schema            string          `json:"schema"`
	File              string          `json:"file"`
	Name              string          `json:"name"`
	DeploymentTargets []string        `json:"deploymentTargets"`
	Policy            *rollout.Rules  `json:"policy"` // null where the draft has none
	Digest            evidence.Digest `json:"digest"` // of the rules that would be signed
}

func (p *program) showConfig(file string, c *config.Config, full bool) error {
	doc := configDocument{Schema: evidence.Namespace + "config/v1", File: file, Name: c.Name, DeploymentTargets: []string{}, Policy: c.Policy}
	for _, t := range c.DeploymentTargets {
		doc.DeploymentTargets = append(doc.DeploymentTargets, t.ID)
	}
	if c.Policy != nil {
		doc.Digest = c.Policy.Digest()
	}
	switch {
	case p.json:
		return p.printJSON(doc)
	case full:
		data, err := envelope.Encode(doc)
		if err != nil {
			return err
		}
		_, err = p.stdout.Write(data)
		return err
	}
	policy := "no policy: the built-in rules would count"
	if c.Policy != nil {
		policy = fmt.Sprintf("policy of %d rings, %s", len(c.Policy.Rings), doc.Digest)
	}
	_, err := fmt.Fprintf(p.stdout, "%s: good; %d deployment targets; %s\n", file, len(c.DeploymentTargets), policy)
	return err
}
