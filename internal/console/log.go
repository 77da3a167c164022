package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/translog"
)

type logBody struct {
	None       string // why there is no log
	Log        checkpoint.Document
	Size       int64 // of the newest checkpoint
	Root       evidence.Digest
	Younger    int64 // records behind it
	Consistent string
	Check      string
	Prove      string
}

func (c *Console) logPage(w http.ResponseWriter, r *http.Request) {
	v := c.view(r, "Log", "Log")
	var b logBody
	doc, err := c.of(r).Log(r.Context())
	switch {
	case errors.Is(err, evidence.ErrNoLog) || isMissing(err):
		b.None = err.Error()
	case err != nil:
		c.unable(w, r, err)
		return
	default:
		b.Log = doc
		if err := b.read(doc); err != nil {
			c.unable(w, r, err)
			return
		}
	}
	b.Check, b.Prove = "rollproof evidence log check --checkpoint FILE", "rollproof evidence log consistency SIZE"
	v.Body = b
	c.page(w, r, "log", "", v)
}

// read takes size and root out of the checkpoint. Its signature is for who holds the
// log's key to verify.
func (b *logBody) read(doc checkpoint.Document) error {
	if doc.Checkpoint == "" {
		b.Younger = doc.Records
		return nil
	}
	signed, err := translog.ParseSigned([]byte(doc.Checkpoint))
	if err != nil {
		return err
	}
	b.Size, b.Root, b.Younger = signed.Size, evidence.Digest(signed.Root), doc.Records-signed.Size
	return nil
}

func (c *Console) checkpointFile(w http.ResponseWriter, r *http.Request) {
	doc, err := c.of(r).Log(r.Context())
	if err != nil {
		c.unable(w, r, err)
		return
	}
	if doc.Checkpoint == "" {
		c.unable(w, r, checkpoint.ErrNone)
		return
	}
	attach(w, "checkpoint", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(doc.Checkpoint))
}

// consistencyFile proves that the newest checkpoint's tree begins with an older one's.
func (c *Console) consistencyFile(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("from")
	from, err := strconv.ParseInt(text, 10, 64)
	if err != nil || from < 0 {
		c.unable(w, r, &evidence.QueryError{Field: "from", Problem: quoted(text), Hint: "the size of a checkpoint, its second line"})
		return
	}
	doc, err := c.of(r).ProveConsistency(r.Context(), from)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	attach(w, fmt.Sprintf("consistency-%d-%d", doc.Index, doc.Size), "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(doc.Proof))
}

func (c *Console) proofFile(w http.ResponseWriter, r *http.Request) {
	doc, err := c.of(r).Prove(r.Context(), r.PathValue("id"))
	if err != nil {
		c.unable(w, r, err)
		return
	}
	attach(w, strings.TrimPrefix(r.PathValue("id"), "sha256:")+".tlog-proof", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(doc.Proof))
}
