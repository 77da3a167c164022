package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// AuditSchema identifies the document of an [Answer].
const AuditSchema = evidence.Namespace + "evidence-query/v1"

// An Audit is what an auditor's questions are asked of: a replay, and for those that no
// act of a rollout answers, the records of the log.
type Audit struct {
	State  *State
	Reader evidence.Reader
	Now    time.Time
	// Verified returns the person by whom a record, examined again, says that
	// its subjects passed a verification, "" for any other record.
	Verified func(evidence.Record) (person string)
	// Changes are the change records that a rollout is expected for.
	Changes []string
}

// An AnswerLine is one line of an answer. Texts are "" and lists empty where a question is
// not about them; Index is -1 where no record shows it.
type AnswerLine struct {
	Index        int64    `json:"index"`
	Act          string   `json:"act"`
	Recorded     string   `json:"recorded"`
	ChangeRecord string   `json:"changeRecord"`
	Version      string   `json:"version"`
	Environment  string   `json:"environment"`
	Ring         string   `json:"ring"`
	Target       string   `json:"target"`
	Rollout      string   `json:"rollout"`
	Persons      []string `json:"persons"`
	Detail       string   `json:"detail"` // a fact
}

// An Answer is what a question found, in the order of the log.
type Answer struct {
	Schema   string          `json:"schema"`
	Query    string          `json:"query"`
	Question string          `json:"question"`
	Project  string          `json:"project"`
	At       string          `json:"at"`
	Policy   evidence.Digest `json:"policy"` // in force
	Findings []AnswerLine    `json:"findings"`
}

// A Question is an auditor's query by its name.
type Question struct {
	Name  string `json:"name"`
	About string `json:"about"`
	ask   func(*Audit, context.Context) ([]AnswerLine, error)
}

// Questions are all of them, in the order in which they are listed.
var Questions = []Question{
	{"promotions-without-two-approvals", "promotions that were executed on the approvals of fewer than two persons", ofState((*State).lonelyPromotions)},
	{"executed-outside-window", "promotions and rollbacks that were executed while the ring's windows were closed", ofState((*State).outsideWindows)},
	{"break-glass-open", "emergency executions that no quorum has closed", (*Audit).openGlasses},
	{"unverified-in-production", "releases in the last ring of an environment of which a binary has no passing verification summary by another person than the releaser", (*Audit).unverified},
	{"same-version-different-digest", "versions for which packages with different manifests are recorded", ofState((*State).doubleVersions)},
	{"illegal-records", "acts that did not count where they stand", ofState((*State).illegalActs)},
	{"what-runs-where", "the release that each target of each ring holds by the log, and whether it was observed there", ofState((*State).placements)},
	{"observed-without-execution", "binaries that observers saw where no legal act put them", ofState((*State).strangers)},
	{"execution-without-observation", "releases that were put on a target where nobody has observed them since", ofState((*State).unseen)},
	{"changes-without-rollout", "change records of a list for which no legal rollout is recorded", (*Audit).missingChanges},
}

// QuestionOf finds a question by its name; the error names the nearest known.
func QuestionOf(name string) (Question, error) {
	var names []string
	for _, q := range Questions {
		if q.Name == name {
			return q, nil
		}
		names = append(names, q.Name)
	}
	return Question{}, fmt.Errorf("%s", unknown("query", name, names))
}

// Answer asks a question.
func (a *Audit) Answer(ctx context.Context, q Question) (Answer, error) {
	answer := Answer{AuditSchema, q.Name, q.About, a.State.Project(), stamp(a.Now), a.State.policy.Digest, []AnswerLine{}}
	found, err := q.ask(a, ctx)
	for _, f := range found {
		f.Persons = append([]string{}, f.Persons...)
		answer.Findings = append(answer.Findings, f)
	}
	slices.SortStableFunc(answer.Findings, func(x, y AnswerLine) int { return int(x.Index - y.Index) })
	return answer, err
}

// ofState asks what the replay alone answers.
func ofState(f func(*State) []AnswerLine) func(*Audit, context.Context) ([]AnswerLine, error) {
	return func(a *Audit, _ context.Context) ([]AnswerLine, error) { return f(a.State), nil }
}

// finding is the line of a request that was executed.
func (p *petition) finding(act evidence.Digest, index int64, recorded time.Time) AnswerLine {
	return AnswerLine{
		Index: index, Act: act.String(), Recorded: stamp(recorded), ChangeRecord: p.change, Version: p.version,
		Environment: p.environment, Ring: p.ring, Rollout: p.rollout,
	}
}

func (s *State) lonelyPromotions() []AnswerLine {
	var list []AnswerLine
	for _, p := range s.promotions {
		var persons []string
		for _, d := range p.approvals {
			if v := s.votes[d]; !slices.Contains(persons, v.person) {
				persons = append(persons, v.person)
			}
		}
		if len(persons) >= 2 {
			continue
		}
		f := p.finding(p.digest, p.index, p.recorded)
		f.Persons, f.Detail = []string{p.person}, fmt.Sprintf("executed by %s, approved by %s", p.person, quoted(persons))
		switch {
		case p.incident != "":
			f.Detail = fmt.Sprintf("%s broke the glass for incident %s", p.person, p.incident)
		case p.unattended:
			f.Detail = "unattended: the policy asked nobody to approve"
		}
		list = append(list, f)
	}
	return list
}

// outsideWindows were noted when they were executed, by the rules of that moment.
func (s *State) outsideWindows() []AnswerLine { return s.outside }

// noteWindow notes an execution in a ring whose windows are closed: an emergency, or a
// rollback that was approved before.
func (s *State) noteWindow(how string, p *petition, by signed) {
	ring, refusal := s.ring(p.environment, p.ring)
	if refusal != nil {
		return
	}
	why, err := ring.Windows.Closed(by.Recorded, s.options.Location)
	if err != nil || why == "" {
		return
	}
	f := p.finding(by.Digest, by.Index, by.Recorded)
	f.Persons, f.Detail = []string{by.person}, how+": "+why
	s.outside = append(s.outside, f)
}

func (a *Audit) openGlasses(context.Context) ([]AnswerLine, error) {
	var list []AnswerLine
	for _, o := range a.State.OpenGlasses() {
		g := a.State.glasses[o.Act]
		f := g.finding(o.Act, g.index, o.Recorded)
		f.Persons, f.Detail = []string{o.Person}, fmt.Sprintf("incident %s, approved since by %s, due %s", o.Incident, quoted(o.Approved), stamp(o.Due))
		if a.Now.After(o.Due) {
			f.Detail += ", overdue"
		}
		list = append(list, f)
	}
	return list, nil
}

// doubleVersions looks at packages and captures that count and at captures that do
// not: whoever tried to roll out another package under a known version is shown.
func (s *State) doubleVersions() []AnswerLine {
	seen := map[string]map[evidence.Digest]AnswerLine{}
	note := func(version string, manifest evidence.Digest, f AnswerLine) {
		if seen[version] == nil {
			seen[version] = map[evidence.Digest]AnswerLine{}
		}
		if before, there := seen[version][manifest]; !there || f.Index < before.Index {
			f.Version, f.Detail = version, "manifest "+manifest.String()
			seen[version][manifest] = f
		}
	}
	for _, c := range s.closings {
		note(c.version, c.manifest, AnswerLine{Index: c.Index, Act: c.Digest.String(), Recorded: stamp(c.Recorded)})
	}
	for _, id := range s.order {
		t := s.rollouts[id]
		note(t.Release.Version, t.Manifest, t.finding())
	}
	for _, i := range s.illegal {
		if !i.manifest.IsZero() {
			note(i.version, i.manifest, AnswerLine{Index: i.Index, Act: i.Digest.String(), Rollout: i.Rollout})
		}
	}
	var list []AnswerLine
	for _, manifests := range seen {
		for _, f := range manifests {
			if len(manifests) > 1 {
				list = append(list, f)
			}
		}
	}
	return list
}

func (t *track) finding() AnswerLine {
	return AnswerLine{
		Index: t.index, Act: t.digest.String(), Recorded: stamp(t.recorded), ChangeRecord: t.ChangeRecord, Version: t.Release.Version,
		Environment: t.Environment, Ring: t.Ring, Rollout: t.ID, Persons: slices.Clone(t.operators),
	}
}

func (s *State) illegalActs() []AnswerLine {
	var list []AnswerLine
	for _, i := range s.illegal {
		list = append(list, AnswerLine{Index: i.Index, Act: i.Digest.String(), Rollout: i.Rollout, Detail: strings.TrimPrefix(i.PredicateType, evidence.Namespace) + ": " + i.Refusal.Reason})
	}
	return list
}

func (a *Audit) missingChanges(context.Context) ([]AnswerLine, error) {
	known := map[string]bool{}
	for _, t := range a.State.rollouts {
		known[t.ChangeRecord] = true
	}
	var list []AnswerLine
	for _, change := range a.Changes {
		if !known[change] {
			list = append(list, AnswerLine{Index: -1, ChangeRecord: change, Detail: "no legal rollout is recorded"})
		}
	}
	return list, nil
}
