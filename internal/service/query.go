package service

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/vsa"
	"github.com/rollproof/rollproof/rollout"
)

// QuestionsSchema identifies a [QuestionList].
const QuestionsSchema = evidence.Namespace + "evidence-questions/v1"

// A QuestionList has the questions of auditors.
type QuestionList struct {
	Schema    string             `json:"schema"`
	Questions []rollout.Question `json:"questions"`
}

// Questions are all that a service answers.
func Questions() QuestionList { return QuestionList{QuestionsSchema, rollout.Questions} }

// ChangesQuestion is the question that needs a list of change records.
const ChangesQuestion = "changes-without-rollout"

// CheckQuestion finds a question and holds it to its list of change records.
func CheckQuestion(name string, changes []string) (rollout.Question, error) {
	q, err := rollout.QuestionOf(name)
	if err != nil {
		return q, missing(err.Error(), "rollproof evidence search --query lists them")
	}
	if wanted := name == ChangesQuestion; wanted != (len(changes) > 0) {
		return q, &Failure{Code: CodeUsage, Message: "a list of change records and the question " + ChangesQuestion + " go together", Hint: "give both, or neither"}
	}
	return q, nil
}

// Answer asks an auditor's question about a project.
func (l *Local) Answer(ctx context.Context, project, question string, changes []string) (rollout.Answer, error) {
	q, err := CheckQuestion(question, changes)
	if err != nil {
		return rollout.Answer{}, err
	}
	var answer rollout.Answer
	err = l.of(ctx, project, func(d *Desk, s *rollout.State) (err error) {
		audit := rollout.Audit{State: s, Reader: l.options.Store, Now: l.now(), Changes: changes, Verified: d.VerifiedBy}
		answer, err = audit.Answer(ctx, q)
		return err
	})
	return answer, err
}

// VerifiedBy examines a record again, and returns the verifier whose passing summary it
// is, "" for any other record.
func (d *Desk) VerifiedBy(r evidence.Record) string {
	examined, err := d.Intake().Examine(r.Envelope)
	if err != nil || examined.ID != r.ID || examined.Signer.Role != trust.Verifier || examined.PredicateType != vsa.PredicateType {
		return ""
	}
	b, err := envelope.ParseBundle(r.Envelope)
	if err != nil {
		if b, err = envelope.ParseDSSE(r.Envelope); err != nil {
			return ""
		}
	}
	f, err := vsa.Read(b.Payload)
	if err != nil || !f.Passed {
		return ""
	}
	return examined.Signer.Person
}

var findingColumns = []string{"index", "act", "recorded", "changeRecord", "version", "environment", "ring", "target", "rollout", "persons", "detail"}

// WriteAnswer writes an answer as a table with a line of names.
func WriteAnswer(w io.Writer, answer rollout.Answer) error {
	rows := [][]string{findingColumns}
	for _, f := range answer.Findings {
		cells := []string{FindingIndex(f), f.Act, f.Recorded, f.ChangeRecord, f.Version, f.Environment, f.Ring, f.Target, f.Rollout, strings.Join(f.Persons, " "), f.Detail}
		for i := range cells {
			cells[i] = Cell(cells[i])
		}
		rows = append(rows, cells)
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// FindingIndex is the index of a finding's record, "" where no record shows it.
func FindingIndex(f rollout.AnswerLine) string {
	if f.Index < 0 {
		return ""
	}
	return strconv.FormatInt(f.Index, 10)
}
