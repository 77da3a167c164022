package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/internal/service"
)

type recordBody struct {
	Document  evidence.RecordDocument
	Facts     [][2]string
	Verified  evidence.VerifyDocument
	Statement string // the payload, "" for an erased record
	Type      string // of the payload
	Reason    string // that the signer gave, "" for none
	Proof     *checkpoint.ProofDocument
	Unproved  string // why there is no proof
	StandsOn  []node
	Below     []node
	Cut       bool
	Artifacts *service.Artifacts
	Unlisted  string // why there are no artifacts
	About     []link // pages about the same thing
	Commands  []string
}

// A node is a record in the tree of what another one stands on.
type node struct {
	Record evidence.RecordLine
	Behind []node
}

func (c *Console) record(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	doc, err := c.of(r).Record(r.Context(), id)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	b := recordBody{Document: doc, Facts: facts(doc.Record), About: about(doc.Record)}
	if err := c.look(r, &b); err != nil {
		c.unable(w, r, err)
		return
	}
	hex := doc.Record.ID.Hex()
	b.Commands = []string{c.command("evidence", "show", hex[:16], "--tree")}
	if c.Server == "" {
		b.Commands = append(b.Commands, "rollproof evidence verify "+hex[:16], "rollproof evidence log prove "+hex[:16])
	}
	v := c.view(r, "Record "+strconv.FormatInt(doc.Record.Index, 10), "Evidence")
	v.Crumbs, v.Body = []link{{Name: "Evidence", Address: "/evidence"}}, b
	c.page(w, r, "record", doc.Record.Facts.Project, v)
}

// facts are the fields of a record that say something and stand nowhere else.
func facts(l evidence.RecordLine) [][2]string {
	var list [][2]string
	for _, f := range l.Fields() {
		switch f[0] {
		case "index", "id", "act", "kind", "illegal", "person", "role", "keyid", "recorded", "claimed", "proved":
		default:
			if f[1] != "" {
				list = append(list, f)
			}
		}
	}
	return list
}

// look asks the store again, each question for itself: what it can't answer of one
// stands in the page beside what it answers of the others.
func (c *Console) look(r *http.Request, b *recordBody) error {
	ctx, id := r.Context(), b.Document.Record.ID.String()
	var err error
	if b.Verified, err = c.of(r).Verify(ctx, id); err != nil {
		return err
	}
	data, err := c.of(r).Envelope(ctx, id)
	if err != nil && !errors.Is(err, evidence.ErrErased) && !isMissing(err) {
		return err
	}
	if err == nil {
		bundle, err := envelope.ParseBundle(data)
		if err != nil {
			return err
		}
		b.Statement, b.Type, b.Reason = string(bundle.Payload), bundle.PayloadType, reason(bundle.Payload)
	}
	if proof, err := c.of(r).Prove(ctx, id); err == nil {
		b.Proof = &proof
	} else if known := service.Explain(err); known != nil {
		b.Unproved = known.Message
	} else {
		return err
	}
	lineage, err := c.of(r).Lineage(ctx, id)
	if err != nil {
		return err
	}
	b.StandsOn, b.Below, b.Cut = nodes(lineage.StandsOn), nodes(lineage.Below), lineage.Cut
	return c.lookAtFiles(r, b, id)
}

// reason is what people say in most acts; a statement that has none, or is no statement
// of ours, gives none.
func reason(payload []byte) string {
	var s struct {
		Predicate struct {
			Reason string `json:"reason"`
		} `json:"predicate"`
	}
	if json.Unmarshal(payload, &s) != nil {
		return ""
	}
	return s.Predicate.Reason
}

func (c *Console) lookAtFiles(r *http.Request, b *recordBody, id string) error {
	artifacts, err := c.of(r).Artifacts(r.Context(), id)
	if err == nil {
		b.Artifacts = &artifacts
		return nil
	}
	known := service.Explain(err)
	if known == nil {
		return err
	}
	b.Unlisted = known.Message
	return nil
}

func nodes(list []evidence.Relative) []node {
	var out []node
	for _, r := range list {
		out = append(out, node{r.Record, nodes(r.Behind)})
	}
	return out
}

// about are the pages that show what a record is part of.
func about(l evidence.RecordLine) []link {
	var list []link
	switch l.Kind {
	case evidence.KindReleasePackage:
		list = append(list, link{Name: "Release " + l.Facts.Version, Address: "/record/" + l.ID.Hex() + "/release"})
	case evidence.KindPromotionRequest:
		list = append(list, link{Name: "Request", Address: "/request/" + l.Act.Hex()})
	case evidence.KindPromotionExecution, evidence.KindRollbackExecution:
		list = append(list, link{Name: "Execution", Address: "/execution/" + l.Act.Hex()})
	}
	if l.Facts.Rollout != "" {
		list = append(list, link{Name: "Rollout " + l.Facts.Rollout, Address: "/rollout/" + pathWord(l.Facts.Rollout)})
	}
	return list
}

func (c *Console) envelopeFile(w http.ResponseWriter, r *http.Request) {
	data, err := c.of(r).Envelope(r.Context(), r.PathValue("id"))
	if err != nil {
		c.unable(w, r, err)
		return
	}
	attach(w, evidence.DigestOf(data).Hex()[:16]+".sigstore.json", "application/vnd.dev.sigstore.bundle.v0.3+json")
	_, _ = w.Write(data)
}

// statementFile sends the payload of a record's envelope, byte for byte.
func (c *Console) statementFile(w http.ResponseWriter, r *http.Request) {
	data, err := c.of(r).Envelope(r.Context(), r.PathValue("id"))
	if err != nil {
		c.unable(w, r, err)
		return
	}
	b, err := envelope.ParseBundle(data)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	attach(w, evidence.DigestOf(b.Payload).Hex()[:16]+".json", "application/json")
	_, _ = w.Write(b.Payload)
}

func (c *Console) artifactFile(w http.ResponseWriter, r *http.Request) {
	digest, err := evidence.ParseDigest(r.PathValue("digest"))
	if err != nil {
		c.fault(w, r, fault{Code: http.StatusNotFound, Number: service.CodeUsage, Title: "There is no such file", Text: err.Error()})
		return
	}
	content, err := c.of(r).OpenArtifact(r.Context(), r.PathValue("id"), digest.String())
	c.send(w, r, content, err)
}

func (c *Console) bundleFile(w http.ResponseWriter, r *http.Request) {
	content, err := c.of(r).OpenBundle(r.Context(), r.PathValue("id"))
	c.send(w, r, content, err)
}

// pathWord is a name in a path of an address.
func pathWord(s string) string { return strings.ReplaceAll(escapeQuery(s), "+", "%20") }
