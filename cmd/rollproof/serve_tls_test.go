package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/internal/access"
)

// An authority issues certificates for TLS.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificate writes name.pem and name.key, issued by an authority, or by itself.
func (s shop) certificate(name string, by *authority, use x509.ExtKeyUsage) authority {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use},
	}
	issuer := authority{c, key}
	if by == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	} else {
		issuer = *by
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	s.write(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return authority{c, key}
}

// Over TLS a client knows the server by an authority, and a server with --client-ca lets
// only those in who have a certificate, and then a token.
func testTLS(t *testing.T, m stock) {
	s := m.copy(t)
	company, stranger := s.certificate("company", nil, 0), s.certificate("stranger", nil, 0)
	s.certificate("server", &company, x509.ExtKeyUsageServerAuth)
	s.certificate("client", &company, x509.ExtKeyUsageClientAuth)
	s.certificate("forged", &stranger, x509.ExtKeyUsageClientAuth)
	at := func(name string) string { return filepath.Join(s.dir, name) }
	r := s.serve("--tls-cert", "server.pem", "--tls-key", "server.key", "--client-ca", "company.pem")
	defer r.stop()
	if !strings.HasPrefix(r.url, "https://127.0.0.1:") {
		t.Fatalf("listening on %s", r.url)
	}
	if res, err := http.Get("http" + strings.TrimPrefix(r.url, "https") + "/healthz"); err == nil && res.StatusCode == http.StatusOK {
		t.Error("the server answers without TLS")
	}
	search := []string{"evidence", "search", "--server", r.url}
	for _, c := range []struct {
		ca, client, token string
		code              int
		says              string
	}{
		{"company.pem", "client", m.tokens[access.Read], 0, "release-package"},
		{"", "client", m.tokens[access.Read], 1, "ROLLPROOF_SERVER_CA"},             // nobody here knows the authority
		{"stranger.pem", "client", m.tokens[access.Read], 1, "ROLLPROOF_SERVER_CA"}, // another authority
		{"company.pem", "", m.tokens[access.Read], 1, ""},                           // no certificate
		{"company.pem", "forged", m.tokens[access.Read], 1, ""},                     // of another authority
		{"company.pem", "server", m.tokens[access.Read], 1, ""},                     // not for clients
		{"company.pem", "client", "", 2, "token"},                                   // a certificate is no token
		{"client.key", "client", m.tokens[access.Read], 2, "holds no certificate"},  // no certificate in it
	} {
		t.Setenv("ROLLPROOF_TOKEN", c.token)
		t.Setenv("ROLLPROOF_SERVER_CA", "")
		t.Setenv("ROLLPROOF_CLIENT_CERT", "")
		t.Setenv("ROLLPROOF_CLIENT_KEY", "")
		if c.ca != "" {
			t.Setenv("ROLLPROOF_SERVER_CA", at(c.ca))
		}
		if c.client != "" {
			t.Setenv("ROLLPROOF_CLIENT_CERT", at(c.client+".pem"))
			t.Setenv("ROLLPROOF_CLIENT_KEY", at(c.client+".key"))
		}
		if out := s.run(c.code, search...); !strings.Contains(out, c.says) {
			t.Errorf("%+v: %s", c, out)
		}
	}
	t.Setenv("ROLLPROOF_CLIENT_KEY", "")
	s.run(2, search...)
	t.Setenv("ROLLPROOF_CLIENT_KEY", at("company.key"))
	s.run(2, search...)
	for _, args := range [][]string{{"--tls-cert", "server.pem"}, {"--tls-key", "server.key"}, {"--client-ca", "company.pem"}, {"--tls-cert", "server.pem", "--tls-key", "client.key"}, {"--tls-cert", "server.pem", "--tls-key", "server.key", "--client-ca", "server.key"}, {"--listen", "0.0.0.0:0"}} {
		s.run(2, append([]string{"serve"}, args...)...)
	}
}
