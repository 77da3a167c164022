package console

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/rollproof/rollproof/internal/service"
)

// contentPolicy lets a page load its own stylesheet and scripts and nothing else: no
// inline script or style, no frame, no other host, and no text that becomes script.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func setHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}

// guard puts the headers on every answer and refuses credentials in an address.
func (c *Console) guard(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w)
		if tokenInAddress(r.URL) {
			c.refuseToken(w, r)
			return
		}
		serve(w, r)
	})
}

func (c *Console) refuseToken(w http.ResponseWriter, r *http.Request) {
	c.fault(w, r, fault{Code: http.StatusBadRequest, Number: service.CodeUsage, Title: "A token must not stand in an address",
		Text: "Addresses are kept in histories and logs. Take this token as known to others: revoke it, and sign in with a new one.", Command: "rollproof token revoke ID"})
}

// tokenText is the form of our tokens; other credentials are known by their names.
var tokenText = regexp.MustCompile(`rpt_[A-Za-z0-9]+_[A-Z2-7a-z]{16,}`)

func tokenInAddress(u *url.URL) bool {
	if tokenText.MatchString(u.Path) {
		return true
	}
	for name, values := range u.Query() {
		switch strings.ToLower(name) {
		case "token", "access_token", "id_token", "authorization", "bearer":
			return true
		}
		for _, v := range values {
			if tokenText.MatchString(v) {
				return true
			}
		}
	}
	return false
}

// localPath returns where to go after signing in: a path of this console in its plain
// form, "/" for anything that a browser could read as another place.
func localPath(next string) string {
	for _, r := range next {
		if r == '\\' || r <= ' ' || r == 0x7f {
			return "/"
		}
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.User != nil || strings.Contains(u.Path, "\\") {
		return "/"
	}
	if clean := path.Clean("/" + u.Path); clean != u.Path && clean+"/" != u.Path {
		return "/"
	}
	return next
}
