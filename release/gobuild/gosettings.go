package gobuild

import (
	"context"
	"encoding/json"
	"path/filepath"
)

// fetchNames are the settings that decide where modules come from and where
// they are kept. They are the user's own.
var fetchNames = []string{
	"GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE", "GOAUTH", "GOMODCACHE", "GOCACHE",
}

// A goSettings is what the user's own go answers.
type goSettings struct {
	version string            // GOVERSION: "go1.26.8"
	goroot  string            // GOROOT
	envFile string            // GOENV: where "go env -w" writes, or "off"
	fetch   map[string]string // of fetchNames
}

// readGoSettings asks "go env" once. It sees of the caller's environment what
// decides about the answer, and nothing else.
func readGoSettings(ctx context.Context, m *machine, dir string) (*goSettings, error) {
	names := append([]string{"GOVERSION", "GOROOT", "GOENV"}, fetchNames...)
	ask := child{path: m.goTool, args: append([]string{"env", "-json"}, names...), dir: dir}
	ask.env = append(m.pick(fetchNames...), m.pick(
		"PATH", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "GOENV", "GOPATH",
		"USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "COMSPEC", "PATHEXT")...)
	// local: else go.mod could make go download and run another toolchain.
	ask.env = append(ask.env, "GOTOOLCHAIN=local", "GOWORK=off", "LC_ALL=C", "TZ=UTC")
	ask.env = append(ask.env, gitEnv...)
	out, _, err := ask.run(ctx)
	if err != nil {
		return nil, failed(err, "%v", err)
	}
	answer := map[string]string{}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, failed(err, "go env -json answered no JSON object: %v", err)
	}
	s := &goSettings{version: answer["GOVERSION"], goroot: answer["GOROOT"], envFile: answer["GOENV"], fetch: map[string]string{}}
	for _, name := range fetchNames {
		s.fetch[name] = answer[name]
	}
	if s.version == "" || !filepath.IsAbs(s.fetch["GOMODCACHE"]) || !filepath.IsAbs(s.fetch["GOCACHE"]) {
		return nil, failed(nil, "go env gives GOVERSION %q, GOMODCACHE %q, GOCACHE %q; want a version and two absolute paths",
			s.version, s.fetch["GOMODCACHE"], s.fetch["GOCACHE"])
	}
	return s, nil
}

// credentials are what "go mod download", and no other child, may use of the
// caller's environment to reach a module.
var credentials = []string{
	"PATH", "HOME", "NETRC", "SSH_AUTH_SOCK", "GOVCS",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "COMSPEC", "PATHEXT",
}

// downloadEnv is the environment of "go mod download".
func (m *machine) downloadEnv(s *goSettings) []string {
	env := m.pick(credentials...)
	for _, name := range fetchNames {
		env = append(env, name+"="+s.fetch[name])
	}
	env = append(env, gitEnv...)
	return append(env, "GIT_ALLOW_PROTOCOL=https:ssh:git:http:file",
		"TMPDIR="+m.temp(), "GOENV=off", "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local")
}

// buildEnv is the environment of "go build": the recorded variables, and the
// places on this machine that decide nothing about the result.
func (m *machine) buildEnv(s *goSettings, recorded []string, freshCache bool) []string {
	cache := s.fetch["GOCACHE"]
	if freshCache {
		cache = m.cache()
	}
	env := append(m.privateEnv(), "GOMODCACHE="+s.fetch["GOMODCACHE"], "GOCACHE="+cache)
	return append(env, recorded...)
}
