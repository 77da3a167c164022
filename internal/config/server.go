package config

import (
	"errors"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/rollproof/rollproof/internal/access"
)

// ServerFileName is the configuration of rollproof serve, in the user's or the
// machine's configuration directory.
const ServerFileName = "server.yaml"

// A Server is server.yaml:
//
//	oidc:
//	  issuer: https://login.example.com
//	  client_id: rollproof
//	  client_secret_file: /etc/rollproof/oidc-secret
//	  redirect: https://evidence.example.com/login/oidc/done
//	  scopes:
//	    auditors: [read]
//	    release-owners: [read, operate]
type Server struct {
	OIDC *access.OIDCSettings `yaml:"oidc"` // nil without an issuer
}

// ParseServer reads a server's configuration, strictly.
func ParseServer(data []byte) (*Server, error) {
	if len(data) > MaxSize {
		return nil, errors.New(ServerFileName + ": too large")
	}
	var s Server
	dec := yaml.NewDecoder(strings.NewReader(string(data)), yaml.Strict(), yaml.DisallowUnknownField())
	if err := dec.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(ServerFileName + ": " + strings.SplitN(strings.TrimSpace(err.Error()), "\n", 2)[0])
	}
	if s.OIDC != nil {
		if err := s.OIDC.Check(); err != nil {
			return nil, errors.New(ServerFileName + ": " + err.Error())
		}
	}
	return &s, nil
}
