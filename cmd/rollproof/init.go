package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"slices"
	"text/template"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/config"
	"github.com/rollproof/rollproof/release"
	"github.com/urfave/cli/v2"
	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

//go:embed templates/*.yaml
var templates embed.FS

func (p *program) initCommand() *cli.Command {
	return p.verb(&cli.Command{
		Name:        "init",
		Usage:       "write a commented rollproof.yaml and .goreleaser.yaml to start from",
		Description: "Files that are there already stay as they are.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the release (default: the last element of the module path)"},
			&cli.StringFlag{Name: "dir", Aliases: []string{"C"}, Value: ".", Usage: "the module's `DIR`"},
		},
		Action: p.initRepository,
	})
}

// A mainPackage is a package main of a module.
type mainPackage struct{ Path, Binary string }

func (p *program) initRepository(ctx *cli.Context) error {
	dir := ctx.String("dir")
	data, err := readFile(filepath.Join(dir, "go.mod"), config.MaxSize)
	if errors.Is(err, os.ErrNotExist) {
		return usagef("run it beside go.mod, or name the module's directory with --dir", "there is no go.mod in %s", dir)
	}
	if err != nil {
		return err
	}
	name := ctx.String("name")
	if name == "" {
		prefix, _, _ := modpath.SplitPathVersion(modfile.ModulePath(data))
		name = filepath.Base(prefix)
	}
	if err := release.CheckName("name", name); err != nil {
		return usagef("give --name NAME", "%v", err)
	}
	mains := findMains(dir, name)
	if len(mains) == 0 {
		return usagef("rollproof packages programs: the root or cmd/… holds a package main", "no package main in %s", dir)
	}
	var written, kept []string
	for file, from := range map[string]string{config.FileName: "templates/rollproof.yaml", ".goreleaser.yaml": "templates/goreleaser.yaml"} {
		var text bytes.Buffer
		if err := template.Must(template.ParseFS(templates, from)).Execute(&text, map[string]any{"Name": name, "Mains": mains, "Binary": received(mains, name)}); err != nil {
			return err
		}
		isNew, err := writeMissing(filepath.Join(dir, file), text.Bytes())
		switch {
		case err != nil:
			return err
		case isNew:
			written = append(written, file)
		default:
			kept = append(kept, file)
		}
	}
	slices.Sort(written)
	slices.Sort(kept)
	if p.json {
		return p.printJSON(map[string]any{"schema": evidence.Namespace + "init/v1", "name": name, "written": append([]string{}, written...), "kept": append([]string{}, kept...)})
	}
	for _, f := range written {
		fmt.Fprintf(p.stdout, "wrote %s\n", f)
	}
	for _, f := range kept {
		fmt.Fprintf(p.stdout, "kept  %s, which was there\n", f)
	}
	_, err = fmt.Fprintln(p.stdout, "next: read them, commit them, rollproof release package --dry-run")
	return err
}

// findMains lists the programs of a module: its root and what lies in cmd.
func findMains(dir, name string) []mainPackage {
	var list []mainPackage
	if isMain(dir) {
		list = append(list, mainPackage{".", name})
	}
	below, err := os.ReadDir(filepath.Join(dir, "cmd"))
	if err != nil {
		return list
	}
	for _, e := range below {
		if e.IsDir() && isMain(filepath.Join(dir, "cmd", e.Name())) {
			list = append(list, mainPackage{"./cmd/" + e.Name(), e.Name()})
		}
	}
	return list
}

// received is the program that the example's targets receive where a module has several:
// the one of the release's name, or the first; "" where there is no choice.
func received(mains []mainPackage, name string) string {
	if len(mains) == 1 {
		return ""
	}
	if slices.ContainsFunc(mains, func(m mainPackage) bool { return m.Binary == name }) {
		return name
	}
	return mains[0].Binary
}

func isMain(dir string) bool {
	pkg, err := build.ImportDir(dir, 0)
	return err == nil && pkg.Name == "main"
}

// writeMissing writes a file that is not there, and reports whether it did.
func writeMissing(file string, data []byte) (bool, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.Write(data)
	return true, errors.Join(err, f.Close())
}
