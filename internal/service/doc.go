// Package service holds the questions and the acts that an evidence store offers to
// whoever is not on its machine. The API and the console present it, and the API's
// client is one too, so that a record says the same everywhere.
//
// Answers are the documents that the commands print with --json. A [Local] computes
// them from a store, under a trust root, at the moment of the question:
//
//	l := service.New(service.Options{Store: store, Trust: trust, Catalog: catalog, Now: time.Now})
//	page, err := l.Search(ctx, evidence.Query{Rings: []string{"production"}})
//	view, err := l.Rollout(ctx, "CHG-123-pilot-5d5a0c1e")
//
// Invariants:
//
//   - What cannot be read now is an error, never an answer from before. The state of a
//     project is kept between questions and moved on by the records that came since;
//     when the log's tree no longer begins with the one that was replayed, it is
//     replayed from its start.
//   - A service holds no key and signs nothing. To act, the caller asks for a [Draft],
//     which is the exact statement, signs it on his own machine, and submits the
//     envelope. The envelope is verified and judged again, in the transaction that
//     records it, by the functions that the commands call. Nothing of a draft is kept.
//   - Bytes of artifacts are hashed before the first of them is handed out, and what is
//     handed out is the copy that was hashed. A name of an artifact is looked up in the
//     record's own list and is never part of a path.
//   - Errors that a caller can act on explain themselves ([Explain]): the code of the
//     commands, a fact, and the next step.
package service

import (
	"context"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/rollout"
)

// A Service answers about one evidence store. It may be used by many goroutines at
// once. A record is named by its id, its act, or at least 8 hex digits of one of them.
type Service interface {
	Records
	Logs
	Rollouts
	Acts
	// Ready says whether the store and the trust root can be read now.
	Ready(ctx context.Context) error
}

// Records are the questions about single records.
type Records interface {
	Search(ctx context.Context, q evidence.Query) (evidence.SearchDocument, error)
	// Record returns what the record's envelope says, and where the store differs.
	Record(ctx context.Context, id string) (evidence.RecordDocument, error)
	// Envelope returns the exact bytes of the record's envelope.
	Envelope(ctx context.Context, id string) ([]byte, error)
	Lineage(ctx context.Context, id string) (evidence.Lineage, error)
	// Verify looks at the record again: signature, rights, facts, files.
	Verify(ctx context.Context, id string) (evidence.VerifyDocument, error)
	Artifacts(ctx context.Context, id string) (Artifacts, error)
	// OpenArtifact opens a file of a record by its name in [Artifacts], or its digest.
	OpenArtifact(ctx context.Context, id, name string) (*Content, error)
	// OpenBundle opens all files of a record as one zip of one exact encoding: of a
	// release, the package's own.
	OpenBundle(ctx context.Context, id string) (*Content, error)
	// Release shows the package of a record, or of a version, from its stored files.
	Release(ctx context.Context, id string) (Release, error)
}

// Logs are the questions about the store as a transparency log.
type Logs interface {
	Log(ctx context.Context) (checkpoint.Document, error)
	// Prove returns the proof that a record is in the newest checkpoint's tree.
	Prove(ctx context.Context, id string) (checkpoint.ProofDocument, error)
	// ProveConsistency proves that the newest checkpoint's tree begins with the tree of
	// the first from records, as a request to a witness.
	ProveConsistency(ctx context.Context, from int64) (checkpoint.ProofDocument, error)
	// Tile returns the tile or entry bundle at a path of C2SP tlog-tiles, such as
	// "tile/0/000.p/7", of the newest checkpoint's tree.
	Tile(ctx context.Context, path string) ([]byte, error)
	// Len returns how many records there are.
	Len(ctx context.Context) (int64, error)
	// Wait returns how many records there are as soon as these are more than n.
	Wait(ctx context.Context, n int64) (int64, error)
}

// Rollouts are the questions about the state of projects.
type Rollouts interface {
	Projects(ctx context.Context) ([]string, error)
	Rings(ctx context.Context, project string) (rollout.Rings, error)
	Diff(ctx context.Context, project, a, b string) (rollout.Diff, error)
	// History lists what came to a target, in one environment and ring or in all ("").
	History(ctx context.Context, project, environment, ring, target string) (rollout.History, error)
	Rollouts(ctx context.Context, project string) (RolloutList, error)
	Rollout(ctx context.Context, id string) (RolloutView, error)
	Requests(ctx context.Context, project string) (rollout.ApprovalList, error)
	// Request finds a request by its id, its act, or digits that this begins with.
	Request(ctx context.Context, name string) (rollout.ApprovalShow, error)
	Executions(ctx context.Context, project string) (ExecutionList, error)
	Execution(ctx context.Context, id string) (Execution, error)
	// Answer asks one of [Questions] about a project; changes are the change records of
	// [ChangesQuestion], and of no other one.
	Answer(ctx context.Context, project, question string, changes []string) (rollout.Answer, error)
}

// Acts are what callers bring.
type Acts interface {
	// Draft composes the statement that the caller shall sign, on the log as it is.
	Draft(ctx context.Context, ask Ask) (Draft, error)
	// Submit records an envelope of a kind, if the act is legal now. That the same is
	// recorded already is no error, but for an execution.
	Submit(ctx context.Context, kind Kind, s Submission) (evidence.ActDocument, error)
	// AddEvidence records an envelope of any kind, as rollproof evidence add does: an
	// act that is not legal is kept and changes nothing.
	AddEvidence(ctx context.Context, envelope []byte) (evidence.AddDocument, error)
}

// DraftLife is how long a draft is worth signing.
const DraftLife = time.Minute
