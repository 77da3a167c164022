package release

import (
	"fmt"
	"strings"
)

// Installers is installers.json: how each binary is installed and checked by hand.
type Installers struct {
	Schema     string      `json:"schema"`
	Release    Identity    `json:"release"`
	DryRun     bool        `json:"dryRun"`
	Installers []Installer `json:"installers"`
}

// An Installer says how to put one binary in place. Commands are run in the
// package's directory, one after the other; they are built from names of the strict
// pattern alone.
type Installer struct {
	Name        string   `json:"name"`
	Platform    Platform `json:"platform"`
	Binary      string   `json:"binary"` // path in the package
	SHA256      string   `json:"sha256"`
	Size        int64    `json:"size"` // bytes
	Shell       string   `json:"shell"`
	InstallPath string   `json:"installPath"`
	Verify      []string `json:"verify"`
	Install     []string `json:"install"`
}

func newInstallers(id Identity, dryRun bool, binaries []builtBinary) Installers {
	doc := Installers{installersSchema, id, dryRun, []Installer{}}
	for _, b := range binaries {
		doc.Installers = append(doc.Installers, newInstaller(id, b))
	}
	return doc
}

func newInstaller(id Identity, b builtBinary) Installer {
	i := Installer{
		Name: b.Name, Platform: b.Platform, Binary: b.Path, SHA256: b.sha256, Size: b.size,
		Shell: "sh", InstallPath: InstallPath(id.Project, b.Name, b.Platform.OS),
	}
	switch b.Platform.OS {
	case "windows":
		i.Shell = "powershell"
		dir := i.InstallPath[:strings.LastIndexByte(i.InstallPath, '\\')]
		i.Verify = []string{fmt.Sprintf("if ((Get-FileHash -Algorithm SHA256 '%s').Hash -ne '%s') { throw 'checksum mismatch' }", b.Path, strings.ToUpper(b.sha256))}
		i.Install = []string{
			fmt.Sprintf("New-Item -ItemType Directory -Force '%s'", dir),
			fmt.Sprintf("Copy-Item '%s' '%s'", b.Path, i.InstallPath),
		}
	case "darwin":
		i.Verify = []string{fmt.Sprintf("echo '%s  %s' | shasum -a 256 -c -", b.sha256, b.Path)}
		i.Install = []string{fmt.Sprintf("sudo install -m 0755 %s %s", b.Path, i.InstallPath)}
	default:
		i.Verify = []string{fmt.Sprintf("echo '%s  %s' | sha256sum -c -", b.sha256, b.Path)}
		i.Install = []string{fmt.Sprintf("sudo install -m 0755 %s %s", b.Path, i.InstallPath)}
	}
	return i
}

// InstallPath returns where a binary goes on an endpoint unless a configuration says
// otherwise.
func InstallPath(project, binary, goos string) string {
	if goos == "windows" {
		return `C:\Program Files\` + project + `\` + binary + ".exe"
	}
	return "/usr/local/bin/" + binary
}
