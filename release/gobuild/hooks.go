package gobuild

import (
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// needless are the hooks that change nothing about a build of the commit, and
// why each is left out.
var needless = []struct{ command, reason string }{
	{"go mod tidy", "go.mod and go.sum are built as they are committed"},
	{"go mod download", "modules are fetched before every build"},
	{"go mod verify", "linked modules are compared with go.sum in every build"},
	{"go generate", "generated files are built as they are committed"},
	{"go vet", "checks are no part of a build"},
	{"go test", "tests are no part of a build"},
}

// skipHooks decides about every hook: no command of a configuration is run.
func (c *configuration) skipHooks(allowed []string) ([]release.Skip, error) {
	var list []release.Skip
	var seen []string
	look := func(where string, commands []string) error {
		for _, command := range commands {
			command = strings.TrimSpace(command)
			seen = append(seen, command)
			reason := reasonToSkip(command)
			if slices.Contains(allowed, command) {
				reason = "left out by --allow-skipped-hook"
			}
			if reason == "" {
				return c.refuse(where, "commit what it makes, then leave it out: --allow-skipped-hook "+quoted(command),
					"hook %s is not run", quoted(command))
			}
			list = append(list, c.note(where, "%s is not run: %s", quoted(command), reason))
		}
		return nil
	}
	if err := look("before.hooks", c.project.Before.Hooks); err != nil {
		return nil, err
	}
	for i, build := range c.project.Builds {
		var commands []string
		for _, hook := range slices.Concat(build.Hooks.Pre, build.Hooks.Post) {
			commands = append(commands, hook.Cmd)
		}
		if err := look(buildName(i)+".hooks", commands); err != nil {
			return nil, err
		}
	}
	for _, command := range allowed {
		if !slices.Contains(seen, command) {
			return nil, usage("write it as the file does", "%s has no hook %s, which --allow-skipped-hook names", c.file, quoted(command))
		}
	}
	return list, nil
}

// reasonToSkip is "" for a hook that may matter. Several commands in one are for
// a shell to take apart, not for this.
func reasonToSkip(command string) string {
	if command == "" {
		return "it is empty"
	}
	if strings.ContainsAny(command, ";&|<>`$(){}\n") {
		return ""
	}
	words := strings.Join(strings.Fields(command), " ")
	for _, n := range needless {
		if words == n.command || strings.HasPrefix(words, n.command+" ") {
			return n.reason
		}
	}
	return ""
}

// quoted writes a command as people paste it back.
func quoted(command string) string {
	return `"` + plain(command) + `"`
}
