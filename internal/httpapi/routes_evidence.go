package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
)

// A search is the filters of rollproof evidence search, called as its flags are.
type search struct {
	Kinds             []string `query:"metadata-kind,explode" maxItems:"50"`
	Projects          []string `query:"project,explode" maxItems:"50"`
	Versions          []string `query:"version,explode" maxItems:"50"`
	Digests           []string `query:"digest,explode" maxItems:"50" doc:"of any subject"`
	Signers           []string `query:"signer,explode" maxItems:"50" doc:"fingerprints of keys"`
	Persons           []string `query:"person,explode" maxItems:"50"`
	ChangeRecords     []string `query:"change-record,explode" maxItems:"50"`
	Environments      []string `query:"environment,explode" maxItems:"50"`
	Rings             []string `query:"ring,explode" maxItems:"50"`
	TargetRings       []string `query:"target-ring,explode" maxItems:"50"`
	RolloutStatuses   []string `query:"rollout-status,explode" maxItems:"50"`
	ApprovalStates    []string `query:"approval-state,explode" maxItems:"50"`
	PromotionResults  []string `query:"promotion-execution-status,explode" maxItems:"50"`
	RollbackResults   []string `query:"rollback-execution-status,explode" maxItems:"50"`
	DeploymentTargets []string `query:"deployment-target,explode" maxItems:"50"`
	Rollouts          []string `query:"rollout-id,explode" maxItems:"50"`
	Since             string   `query:"since" format:"date-time" doc:"recorded at or after"`
	Until             string   `query:"until" format:"date-time" doc:"recorded before"`
	Illegal           bool     `query:"illegal" doc:"only acts that did not count where they stand"`
	Text              string   `query:"text" maxLength:"500" doc:"words that must all occur; a last * stands for any ending"`
	Order             string   `query:"order" enum:"newest,oldest" default:"newest"`
	Limit             int      `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor            string   `query:"cursor" maxLength:"100" doc:"the next of the page before"`
}

func (s *search) query() (evidence.Query, error) {
	q := evidence.Query{
		Projects: s.Projects, Versions: s.Versions, Digests: s.Digests, Signers: s.Signers, Persons: s.Persons, ChangeRecords: s.ChangeRecords,
		Environments: s.Environments, Rings: s.Rings, TargetRings: s.TargetRings, RolloutStatuses: s.RolloutStatuses, ApprovalStates: s.ApprovalStates,
		PromotionResults: s.PromotionResults, RollbackResults: s.RollbackResults, DeploymentTargets: s.DeploymentTargets, Rollouts: s.Rollouts,
		Illegal: s.Illegal, Text: s.Text, Order: evidence.Order(s.Order), Limit: s.Limit, Cursor: s.Cursor,
	}
	for _, k := range s.Kinds {
		q.Kinds = append(q.Kinds, evidence.Kind(k))
	}
	for _, t := range []struct {
		field, text string
		into        *time.Time
	}{{"since", s.Since, &q.Since}, {"until", s.Until, &q.Until}} {
		if t.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, t.text)
		if err != nil {
			return q, &evidence.QueryError{Field: t.field, Problem: "no instant", Hint: "for example 2026-03-02T00:00:00Z"}
		}
		*t.into = at.UTC()
	}
	return q, nil
}

// Named is the record, or the act, that a path names.
type Named struct {
	ID string `path:"id" minLength:"1" maxLength:"200" doc:"digest of the record or of its act, or at least 8 hex digits of one"`
}

type namedArtifact struct {
	Named
	Name string `path:"name" minLength:"1" maxLength:"1000" doc:"as the list of artifacts has it (a slash as %2F), or its digest"`
}

// An envelope that is sent.
type envelopeBody struct {
	Body struct {
		Envelope []byte `json:"envelope" doc:"the exact bytes of a Sigstore bundle or a DSSE envelope" minLength:"1"`
	}
}

func (a *api) evidenceRoutes() {
	register(a, route{method: "GET", path: "/evidence", id: "searchEvidence", summary: "find records", scope: access.Read},
		func(ctx context.Context, in *search) (evidence.SearchDocument, error) {
			q, err := in.query()
			if err != nil {
				return evidence.SearchDocument{}, err
			}
			return a.of(ctx).Search(ctx, q)
		})
	register(a, route{method: "POST", path: "/evidence", id: "addEvidence", summary: "verify an envelope and record it", scope: access.Ingest, errors: []int{http.StatusConflict, http.StatusRequestEntityTooLarge}},
		func(ctx context.Context, in *envelopeBody) (evidence.AddDocument, error) {
			return a.of(ctx).AddEvidence(ctx, in.Body.Envelope)
		})
	register(a, route{method: "GET", path: "/evidence/{id}", id: "showRecord", summary: "what a record's envelope says", scope: access.Read},
		func(ctx context.Context, in *Named) (evidence.RecordDocument, error) {
			return a.of(ctx).Record(ctx, in.ID)
		})
	stream(a, route{method: "GET", path: "/evidence/{id}/envelope", id: "getEnvelope", summary: "the exact bytes of a record's envelope", scope: access.Read}, bundleType,
		func(ctx context.Context, in *Named) (func(http.ResponseWriter, *http.Request), error) {
			data, err := a.of(ctx).Envelope(ctx, in.ID)
			return sendBytes(data, bundleType), err
		})
	register(a, route{method: "GET", path: "/evidence/{id}/lineage", id: "showLineage", summary: "what a record stands on, and what stands on it", scope: access.Read},
		func(ctx context.Context, in *Named) (evidence.Lineage, error) { return a.of(ctx).Lineage(ctx, in.ID) })
	register(a, route{method: "GET", path: "/evidence/{id}/verification", id: "verifyRecord", summary: "verify a record again", scope: access.Read},
		func(ctx context.Context, in *Named) (evidence.VerifyDocument, error) {
			return a.of(ctx).Verify(ctx, in.ID)
		})
	register(a, route{method: "GET", path: "/evidence/{id}/artifacts", id: "listArtifacts", summary: "the files of a record, their integrity, and whether a rollout is ready", scope: access.Read},
		func(ctx context.Context, in *Named) (service.Artifacts, error) {
			return a.of(ctx).Artifacts(ctx, in.ID)
		})
	stream(a, route{method: "GET", path: "/evidence/{id}/artifacts/{name}", id: "getArtifact", summary: "a file of a record", scope: access.Read, errors: []int{http.StatusRequestedRangeNotSatisfiable}}, "application/octet-stream",
		func(ctx context.Context, in *namedArtifact) (func(http.ResponseWriter, *http.Request), error) {
			c, err := a.of(ctx).OpenArtifact(ctx, in.ID, in.Name)
			return sendContent(c), err
		})
	stream(a, route{method: "GET", path: "/evidence/{id}/artifact-bundle", id: "getBundle", summary: "all files of a record as a zip", scope: access.Read, errors: []int{http.StatusRequestedRangeNotSatisfiable}}, "application/zip",
		func(ctx context.Context, in *Named) (func(http.ResponseWriter, *http.Request), error) {
			c, err := a.of(ctx).OpenBundle(ctx, in.ID)
			return sendContent(c), err
		})
	register(a, route{method: "GET", path: "/releases/{id}", id: "showRelease", summary: "the package of a release: manifest, modules, provenance", scope: access.Read},
		func(ctx context.Context, in *Named) (service.Release, error) { return a.of(ctx).Release(ctx, in.ID) })
}
