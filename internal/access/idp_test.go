package access_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// An idp is an OpenID Connect provider on loopback: discovery, keys, authorization
// and token endpoint. It signs whatever a test wants.
type idp struct {
	t      *testing.T
	server *httptest.Server
	rsa    *rsa.PrivateKey
	ecdsa  *ecdsa.PrivateKey
	codes  map[string]url.Values // what the browser came with, by code
	// What a test changes: of the next answer of the token endpoint.
	claims    map[string]any
	sign      func(claims map[string]any) string
	now       func() time.Time
	elsewhere string // where discovery sends on to, "" for nowhere
	keys      int    // how often the keys were fetched
}

func newIDP(t *testing.T, now func() time.Time) *idp {
	t.Helper()
	i := &idp{t: t, codes: map[string]url.Values{}, now: now}
	i.rsa = must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	i.ecdsa = must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	i.sign = i.rs256
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.jwks)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

func (i *idp) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	ok(i.t, json.NewEncoder(w).Encode(v))
}

func (i *idp) discovery(w http.ResponseWriter, r *http.Request) {
	if i.elsewhere != "" {
		http.Redirect(w, r, i.elsewhere, http.StatusFound)
		return
	}
	at := i.server.URL
	i.answer(w, map[string]any{
		"issuer": at, "authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token", "jwks_uri": at + "/keys",
		// It claims more than is good: what counts is not for it to say.
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"},
	})
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (i *idp) jwks(w http.ResponseWriter, _ *http.Request) {
	i.keys++
	point := must[[]byte](i.t)(i.ecdsa.PublicKey.Bytes()) // 4, x, y
	i.answer(w, map[string]any{"keys": []map[string]string{
		{"kty": "RSA", "use": "sig", "kid": "r", "alg": "RS256", "n": encoded(i.rsa.N.Bytes()), "e": encoded(big.NewInt(int64(i.rsa.E)).Bytes())},
		{"kty": "EC", "use": "sig", "kid": "e", "alg": "ES256", "crv": "P-256", "x": encoded(point[1:33]), "y": encoded(point[33:])},
	}})
}

// authorize lets everybody in and sends the browser back.
func (i *idp) authorize(w http.ResponseWriter, r *http.Request) {
	code := encoded(must[[]byte](i.t)(randomBytes()))
	i.codes[code] = r.URL.Query()
	back := must[*url.URL](i.t)(url.Parse(r.URL.Query().Get("redirect_uri")))
	back.RawQuery = url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func randomBytes() ([]byte, error) {
	b := make([]byte, 16)
	_, err := rand.Read(b)
	return b, err
}

// token takes a code once, from who holds the verifier of its challenge (RFC 7636).
func (i *idp) token(w http.ResponseWriter, r *http.Request) {
	asked, known := i.codes[r.PostFormValue("code")]
	delete(i.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") != encoded(sum[:]) || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") {
		w.WriteHeader(http.StatusBadRequest)
		i.answer(w, map[string]string{"error": "invalid_grant"})
		return
	}
	claims := i.good()
	claims["nonce"] = asked.Get("nonce")
	maps.Copy(claims, i.claims)
	i.answer(w, map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": i.sign(claims)})
}

// good are the claims of a token that counts.
func (i *idp) good() map[string]any {
	return map[string]any{
		"iss": i.server.URL, "aud": "rollproof", "sub": "248289761001", "groups": []string{"owners"}, "email": "ada@example.com", "email_verified": true,
		"iat": i.now().Unix(), "exp": i.now().Add(5 * time.Minute).Unix(),
	}
}

func (i *idp) compact(header, claims map[string]any, sign func(text string) []byte) string {
	text := encoded(must[[]byte](i.t)(json.Marshal(header))) + "." + encoded(must[[]byte](i.t)(json.Marshal(claims)))
	return text + "." + encoded(sign(text))
}

func (i *idp) rs256(claims map[string]any) string { return i.rs256By(i.rsa, claims) }

func (i *idp) rs256By(key *rsa.PrivateKey, claims map[string]any) string {
	return i.compact(map[string]any{"alg": "RS256", "kid": "r"}, claims, func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		return must[[]byte](i.t)(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]))
	})
}

func (i *idp) es256(claims map[string]any) string {
	return i.compact(map[string]any{"alg": "ES256", "kid": "e"}, claims, func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, i.ecdsa, sum[:])
		ok(i.t, err)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	})
}

func (i *idp) none(claims map[string]any) string {
	return i.compact(map[string]any{"alg": "none"}, claims, func(string) []byte { return nil })
}

// hs256 uses the public key as a secret that both sides know (RFC 8725, section 2.1).
func (i *idp) hs256(claims map[string]any) string {
	secret := must[[]byte](i.t)(x509.MarshalPKIXPublicKey(&i.rsa.PublicKey))
	return i.compact(map[string]any{"alg": "HS256", "kid": "r"}, claims, func(text string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	})
}
