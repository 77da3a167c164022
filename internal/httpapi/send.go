package httpapi

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/service"
)

// bundleType is the media type of an envelope.
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// sendContent sends a file that was hashed, or the parts of it that are asked for. Its
// ETag is its digest. It is an attachment: no browser shows it as a page of this server.
func sendContent(c *service.Content) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		defer c.Close()
		h := w.Header()
		h.Set("Content-Type", c.MediaType)
		h.Set("Etag", `"`+c.Digest.String()+`"`)
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Content-Disposition", attachment(c.Name))
		extend(w, fileTimeout)
		http.ServeContent(w, r, "", time.Time{}, c.File)
	}
}

// attachment names a file for who saves it. What is no plain name is left out.
func attachment(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "attachment"
	}
	if value := mime.FormatMediaType("attachment", map[string]string{"filename": name}); value != "" {
		return value
	}
	return "attachment"
}

// sendBytes sends a small document as it is.
func sendBytes(data []byte, mediaType string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Etag", `"`+evidence.DigestOf(data).String()+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// extend gives an answer more time than others have. A writer without deadlines, as in
// tests, has all of it.
func extend(w http.ResponseWriter, by time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(by))
}
