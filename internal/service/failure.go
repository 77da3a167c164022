package service

import (
	"context"
	"errors"
	"io/fs"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/rollout"
)

// Codes of failures: the exit codes of the commands.
const (
	CodeFailed   = 1 // could not do it
	CodeUsage    = 2 // the question is wrong
	CodeEvidence = 3 // evidence is bad
	CodeRule     = 4 // a rule said no
	CodeApproval = 5 // an approval is missing or does not count
	CodeConflict = 6 // somebody else was first
)

// A Failure is an error that a caller can act on.
type Failure struct {
	Code    int
	Message string // a fact
	Hint    string // the next step, may be ""
	Missing bool   // what was asked for is not there
}

func (f *Failure) Error() string { return f.Message }

// known maps errors of the evidence packages to codes and next steps.
var known = []struct {
	err  error
	code int
	hint string
}{
	{evidence.ErrForeignSchema, CodeEvidence, "somebody changed the database, or it is none of rollproof's; compare it with a backup"},
	{evidence.ErrNewerSchema, CodeFailed, "use the version of rollproof that wrote it"},
	{evidence.ErrOlderSchema, CodeFailed, "a command that writes, such as rollproof evidence add, brings it to this version"},
	{evidence.ErrFull, CodeFailed, "make room; nothing was recorded"},
	{evidence.ErrBusy, CodeFailed, "run it again; nothing was recorded"},
	{evidence.ErrReadOnly, CodeFailed, "check who may write the store and its directory"},
	{evidence.ErrClock, CodeRule, "set the clock of this machine"},
	{evidence.ErrNoLog, CodeFailed, "rollproof evidence log init gives it one"},
	{evidence.ErrLogExists, CodeConflict, "rollproof evidence log check shows it"},
	{evidence.ErrErased, CodeFailed, "its digests, its place in the log and the order to erase it are still there: rollproof evidence show"},
	{evidence.ErrNotFound, CodeFailed, "rollproof evidence search lists what is there; an id is at least 8 hex digits of a record or an act"},
	{evidence.ErrNotASubject, CodeEvidence, "a file belongs to a record when its digest is one of the record's subjects"},
	{checkpoint.ErrNone, CodeFailed, "rollproof evidence log checkpoint signs a new one"},
	{checkpoint.ErrAhead, CodeConflict, "make the request again from that size: rollproof evidence log consistency"},
	{context.Canceled, CodeFailed, "nothing was recorded"},
}

// absent are those of them that say that something is not there.
var absent = []error{evidence.ErrNotFound, evidence.ErrErased, evidence.ErrNoLog, checkpoint.ErrNone}

// Explain is the one table from the errors of a store, a log and a project's rules to
// failures; nil for an error that it does not know.
func Explain(err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	for _, explain := range []func(error) *Failure{explainAct, explainRecord, explainLog} {
		if f := explain(err); f != nil {
			return f
		}
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return &Failure{Code: k.code, Message: err.Error(), Hint: k.hint, Missing: isAny(err, absent)}
		}
	}
	return nil
}

func isAny(err error, of []error) bool {
	for _, e := range of {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func explainAct(err error) *Failure {
	var refusal *rollout.Refusal
	var tampered *rollout.TamperedError
	switch {
	case errors.As(err, &refusal):
		return &Failure{Code: int(refusal.Code), Message: refusal.Reason, Hint: refusal.Hint}
	case errors.As(err, &tampered):
		return &Failure{Code: CodeEvidence, Message: err.Error(), Hint: "the store was changed: rollproof evidence verify --all names each place"}
	}
	return nil
}

func explainRecord(err error) *Failure {
	var query *evidence.QueryError
	var ambiguous *evidence.AmbiguousError
	var refused *evidence.RefusedError
	switch {
	case errors.As(err, &query):
		return &Failure{Code: CodeUsage, Message: query.Error(), Hint: query.Hint}
	case errors.As(err, &ambiguous):
		return &Failure{Code: CodeUsage, Message: ambiguous.Error(), Hint: "give more digits"}
	case errors.As(err, &refused):
		return &Failure{Code: CodeEvidence, Message: refused.Error(), Hint: refused.Hint}
	}
	return nil
}

func explainLog(err error) *Failure {
	var rewritten *checkpoint.RewrittenError
	var younger *checkpoint.YoungerError
	var shorter *checkpoint.ShorterError
	var origin *translog.OriginError
	var signature *translog.SignatureError
	var format *translog.FormatError
	var proof *translog.ProofError
	var root *translog.RootError
	switch {
	case errors.As(err, &rewritten):
		return &Failure{Code: CodeEvidence, Message: err.Error(), Hint: "records were removed, changed or put in another order since, or the store was restored from a backup"}
	case errors.As(err, &younger):
		return &Failure{Code: CodeFailed, Message: err.Error(), Hint: "rollproof evidence log checkpoint signs a new one", Missing: true}
	case errors.As(err, &shorter):
		return &Failure{Code: CodeEvidence, Message: err.Error(), Hint: "the log was shortened or restored from a backup; or sign a checkpoint first"}
	case errors.As(err, &origin):
		return &Failure{Code: CodeEvidence, Message: err.Error(), Hint: "the checkpoint belongs to another log"}
	case errors.As(err, &signature), errors.As(err, &format), errors.As(err, &proof), errors.As(err, &root):
		return &Failure{Code: CodeEvidence, Message: err.Error(), Hint: "get it again from who made it"}
	}
	return nil
}

// missing is the failure of something that is not there.
func missing(message, hint string) *Failure {
	return &Failure{Code: CodeFailed, Message: message, Hint: hint, Missing: true}
}

// isNotExist reports whether a stored file is gone.
func isNotExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, evidence.ErrNotFound)
}
