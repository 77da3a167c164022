package console

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/service"
)

// maxForm is how many bytes a form has at most: an envelope is never larger.
const maxForm = 1 << 20

func (c *Console) draftRequest(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c.draft(w, r, service.Ask{
		Kind: service.KindRequest, Rollout: r.PathValue("id"), Ring: r.PostFormValue("ring"), PreApproveRollback: r.PostFormValue("rollback") != "",
	}, "/rollout/"+pathWord(r.PathValue("id")))
}

func (c *Console) draftApproval(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c.draft(w, r, service.Ask{Kind: service.KindApproval, Request: r.PathValue("id"), Meaning: r.PostFormValue("meaning")}, "/request/"+pathWord(r.PathValue("id")))
}

func (c *Console) draftClosing(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c.draft(w, r, service.Ask{Kind: service.KindClosing, Execution: r.PathValue("id"), Meaning: r.PostFormValue("meaning")}, "/execution/"+pathWord(r.PathValue("id")))
}

func (c *Console) draftDenial(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c.draft(w, r, service.Ask{Kind: service.KindDenial, Request: r.PathValue("id")}, "/request/"+pathWord(r.PathValue("id")))
}

type draftBody struct {
	service.Draft
	Statement string
	Encoded   string // the payload as a data address, so that no second request is needed
	Back      string
	Command   string
}

// draft answers with the statement that the visitor shall sign. Nothing is recorded.
// A page checks no package, which the statement says: request-only.
func (c *Console) draft(w http.ResponseWriter, r *http.Request, ask service.Ask, back string) {
	ask.KeyID, ask.Reason = strings.TrimSpace(r.PostFormValue("keyid")), strings.TrimSpace(r.PostFormValue("reason"))
	d, err := c.of(r).Draft(r.Context(), ask)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	if wantsJSON(r) {
		c.answer(w, r, d)
		return
	}
	v := c.view(r, "Draft of a "+strings.ReplaceAll(string(d.Kind), "-", " "), "")
	v.Crumbs = []link{{Name: "Back", Address: back}}
	v.Body = draftBody{Draft: d, Statement: string(d.Payload), Encoded: base64.StdEncoding.EncodeToString(d.Payload), Back: back}
	c.page(w, r, "draft", "", v)
}

// draftFile sends back the draft that a form holds, as a file. It comes from the page
// that showed it, and nothing is kept of it here.
func (c *Console) draftFile(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	data, err := base64.StdEncoding.DecodeString(r.PostFormValue("payload"))
	if err != nil || len(data) == 0 {
		c.fault(w, r, fault{Code: http.StatusBadRequest, Number: service.CodeUsage, Title: "This is no draft", Text: "The form holds no draft. Ask for one again."})
		return
	}
	attach(w, evidence.DigestOf(data).Hex()[:16]+".json", "application/json")
	_, _ = w.Write(data)
}

func (c *Console) answer(w http.ResponseWriter, r *http.Request, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		c.log(r, err)
	}
}

// submit records a signed envelope, which came from the script as it is or as a file of
// a form.
func (c *Console) submit(w http.ResponseWriter, r *http.Request) {
	kind := service.Kind(r.PathValue("kind"))
	if !slices.Contains(service.Kinds, kind) {
		c.fault(w, r, fault{Code: http.StatusNotFound, Number: service.CodeUsage, Title: "There is no such kind of act", Text: string(kind)})
		return
	}
	data, err := envelopeOf(w, r)
	if err != nil {
		c.fault(w, r, fault{Code: http.StatusBadRequest, Number: service.CodeUsage, Title: "No envelope came", Text: err.Error(), Hint: "choose the .sigstore.json file that the command wrote"})
		return
	}
	done, err := c.of(r).Submit(r.Context(), kind, service.Submission{Envelope: data})
	if err != nil {
		c.unable(w, r, err)
		return
	}
	to := afterwards(kind, done.Record)
	if wantsJSON(r) {
		c.answer(w, r, map[string]any{"new": done.New, "act": done.Record.Act, "location": to})
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func envelopeOf(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return io.ReadAll(r.Body)
	}
	f, _, err := r.FormFile("envelope")
	if err != nil {
		return nil, fmt.Errorf("the form has no file: %w", err)
	}
	defer f.Close()
	return io.ReadAll(f)
}

// afterwards is the page that shows what became of an act.
func afterwards(kind service.Kind, l evidence.RecordLine) string {
	switch kind {
	case service.KindRequest:
		return "/request/" + l.Act.Hex()
	case service.KindApproval, service.KindDenial:
		if l.Facts.Request != "" {
			return "/request/" + pathWord(l.Facts.Request)
		}
	case service.KindClosing:
		return "/execution/" + pathWord(strings.TrimPrefix(l.Facts.Execution, "sha256:"))
	}
	return "/record/" + l.ID.Hex()
}

// send sends a stored file whose bytes were hashed before.
func (c *Console) send(w http.ResponseWriter, r *http.Request, content *service.Content, err error) {
	if err != nil {
		c.unable(w, r, err)
		return
	}
	defer content.Close()
	attach(w, content.Name, content.MediaType)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("ETag", `"`+content.Digest.String()+`"`)
	http.ServeContent(w, r, "", time.Time{}, content)
}

func (c *Console) keys(w http.ResponseWriter, r *http.Request) {
	v := c.view(r, "Keys of this browser", "")
	v.Scripts = []string{"keys.js", "keypage.js"}
	c.page(w, r, "keys", "", v)
}
