package rollout

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
)

// actFiles are the names under which acts are written, without their ends.
var actFiles = map[string]string{
	PromotionRequestType: "rollout-promotion-approval-request", PromotionExecutionType: "rollout-promotion-execution",
	RollbackRequestType: "rollout-rollback-approval-request", RollbackExecutionType: "rollout-rollback-execution",
	ApprovalType: "rollout-promotion-approval", DenialType: "rollout-promotion-denial", RevocationType: "rollout-promotion-approval-revocation",
}

// ActFiles returns the files of a request, an approval, a denial, a revocation or an
// execution, by name: the payload byte for byte, its bundle, and for a request and an
// execution the payload for people. The signature is not verified; a statement that
// would not be read is refused.
func ActFiles(b envelope.Bundle) (map[string][]byte, error) {
	if b.PayloadType != evidence.PayloadType {
		return nil, &evidence.TypeError{Field: "payloadType", Got: b.PayloadType, Want: evidence.PayloadType}
	}
	predicateType, d, err := readAny(b.Payload)
	if err != nil {
		return nil, err
	}
	bundle, err := b.Marshal()
	if err != nil {
		return nil, err
	}
	name := actFiles[predicateType]
	files := map[string][]byte{name + ".json": b.Payload, name + ".json.sigstore.json": bundle}
	if page := actMarkdown(d, name+".json"); page != nil {
		files[name+".md"] = page
	}
	return files, nil
}

// readAny reads a statement of one of the types that have files.
func readAny(payload []byte) (string, deed, error) {
	var s struct {
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		return "", nil, err
	}
	if actFiles[s.PredicateType] == "" {
		return "", nil, &evidence.TypeError{Field: "predicateType", Got: s.PredicateType, Want: "an act about a promotion or rollback"}
	}
	d, err := readers[s.PredicateType](payload)
	return s.PredicateType, d, err
}

// actMarkdown renders a request or an execution for people, nil for other acts. It is
// never read back.
func actMarkdown(d deed, file string) []byte {
	switch x := d.(type) {
	case *PromotionRequest:
		return requestMarkdown(x.terms(), x.head(), file, [][2]string{{"rollout", x.Rollout}, {"capture", x.Capture.String()}, {"manifest", x.Manifest.String()}})
	case *RollbackRequest:
		return requestMarkdown(x.terms(), x.head(), file, [][2]string{{"undoes", x.Execution.String()}, {"rollout", x.Rollout}, {"manifest", x.Manifest.String()}})
	case *PromotionExecution:
		return x.markdown(file)
	case *RollbackExecution:
		return x.markdown(file)
	}
	return nil
}

func title(b *strings.Builder, what, id, file string) {
	fmt.Fprintf(b, "# %s %s\n\nRendered from %s, which is what counts.\n\n", what, release.EscapeMarkdown(id), file)
}

func headRows(h Head) [][2]string {
	return [][2]string{
		{"signer (claimed)", h.Actor.Person + " with " + h.Actor.KeyID}, {"time (claimed)", stamp(h.Claimed)},
		{"trust", fmt.Sprintf("version %d, %s", h.Trust.Version, h.Trust.Digest)}, {"log seen", seenWords(h.Seen)},
	}
}

func requestMarkdown(t *terms, h Head, file string, about [][2]string) []byte {
	var b strings.Builder
	title(&b, "Request for a "+t.kind+":", t.id, file)
	rows := append([][2]string{{"project", t.project}, {"version", t.version}}, about...)
	rows = append(rows, [][2]string{
		{"environment", t.environment}, {"from ring", t.from}, {"into ring", t.ring}, {"change record", t.change}, {"reason", t.reason},
		{"expires", stamp(t.expires)}, {"policy", t.policy.String()}, {"plan", t.identity().String()}, {"trust root", t.trustRoot}, {"log", t.origin}, {"supersedes", t.supersedes},
	}...)
	writeTable(&b, append(rows, headRows(h)...))
	for _, d := range t.denied {
		fmt.Fprintf(&b, "\n**These moves were denied before: %s.**\n", d)
	}
	writePlan(&b, t.plan)
	if t.rollback != nil {
		fmt.Fprintf(&b, "\n## Pre-approved rollback\n\nOnce, until %s:\n\n", stamp(t.rollback.Until))
		for _, r := range t.rollback.To {
			fmt.Fprintf(&b, "- %s: %s\n", release.EscapeMarkdown(r.ID), r.Manifest)
		}
	}
	return []byte(b.String())
}

func writePlan(b *strings.Builder, plan []Step) {
	b.WriteString("\n## Plan\n\n| target | from | to | |\n|---|---|---|---|\n")
	for _, s := range plan {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", release.EscapeMarkdown(s.ID), release.EscapeMarkdown(s.Outgoing.held()), release.EscapeMarkdown(s.Incoming.words()),
			release.EscapeMarkdown(s.remarks()))
	}
}

// remarks are what an approver must not overlook.
func (s Step) remarks() string {
	var list []string
	if s.Downgrade {
		list = append(list, "downgrade")
	}
	if !s.Covered {
		list = append(list, "not covered by an observation")
	}
	if s.Exception != "" {
		list = append(list, "exception: "+s.Exception)
	}
	return strings.Join(list, "; ")
}

// rows are those of both kinds of execution.
func (e *enactment) rows() [][2]string {
	rows := [][2]string{{"status", e.status}, {"log", e.origin}, {"time", e.time}}
	if e.witness != nil {
		rows = append(rows, [2]string{"witness", e.witness.By + " at " + stamp(e.witness.Time)})
	}
	if e.breakGlass != nil {
		rows = append(rows, [2]string{"glass broken for incident", e.breakGlass.Incident})
	}
	if e.unattended {
		rows = append(rows, [2]string{"unattended", "the policy asks nobody to approve"})
	}
	for _, d := range e.approvals {
		rows = append(rows, [2]string{"approval", d.String()})
	}
	return append(rows, headRows(e.head)...)
}

func (e *PromotionExecution) markdown(file string) []byte {
	var b strings.Builder
	title(&b, "Executed promotion:", e.RequestID, file)
	writeTable(&b, append([][2]string{
		{"project", e.Project}, {"version", e.Version}, {"manifest", e.Manifest.String()}, {"rollout", e.Rollout}, {"request", e.Request.String()},
		{"environment", e.Environment}, {"ring", e.Ring}, {"change record", e.ChangeRecord}, {"plan", e.Plan.String()}, {"policy", e.Policy.String()},
	}, e.enactment().rows()...))
	b.WriteString("\n## Targets\n\n| target | goes back to |\n|---|---|\n")
	for _, r := range e.Rollback {
		fmt.Fprintf(&b, "| %s | %s |\n", release.EscapeMarkdown(r.ID), release.EscapeMarkdown(Rollback{r.Manifest, r.Version}.words()))
	}
	return []byte(b.String())
}

func (e *RollbackExecution) markdown(file string) []byte {
	var b strings.Builder
	title(&b, "Executed rollback of", e.Rollout, file)
	pre := ""
	if e.PreApproved {
		pre = "by the promotion's approvals"
	}
	writeTable(&b, append([][2]string{
		{"project", e.Project}, {"rolled back", e.Version}, {"manifest", e.Manifest.String()}, {"undoes", e.Execution.String()}, {"request", e.Request.String()}, {"pre-approved", pre},
		{"environment", e.Environment}, {"ring", e.Ring}, {"change record", e.ChangeRecord}, {"reason", e.Reason}, {"policy", e.Policy.String()},
	}, e.enactment().rows()...))
	writePlan(&b, e.Plan)
	return []byte(b.String())
}
