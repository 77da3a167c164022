package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

// maxListed is how many change records the address of a page holds.
const maxListed = 200

type questionBody struct {
	Question           rollout.Question
	Title              string
	Project            string
	Listed             bool   // the question is about a list of change records
	Changes            string // one a line
	Answered           bool
	Answer             rollout.Answer
	Caption            string
	CSV, JSON, Command string
}

// A questionLink leads to the page of a question.
type questionLink struct{ Title, Address, About string }

// auditors are the questions that a replay of the log answers.
func auditors() []questionLink {
	var list []questionLink
	for _, q := range service.Questions().Questions {
		list = append(list, questionLink{inWords(q.Name), "/question/" + q.Name, q.About})
	}
	return list
}

// inWords makes the name of a question a title.
func inWords(name string) string {
	return strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", " ")
}

// changesOf reads the change records of an address: a form sends many lines as one value.
func changesOf(values url.Values) ([]string, error) {
	var list []string
	for _, value := range values["change"] {
		for line := range strings.Lines(value) {
			text := strings.TrimSpace(line)
			if text != "" && !strings.HasPrefix(text, "#") && !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
	}
	if len(list) > maxListed {
		return nil, &service.Failure{Code: service.CodeUsage, Message: strconv.Itoa(len(list)) + " change records, and a page asks about " + strconv.Itoa(maxListed) + " at most", Hint: "rollproof evidence search --query " + service.ChangesQuestion + " --changes FILE takes any number"}
	}
	return list, nil
}

// asked is the project and the list of change records that an address names.
func (c *Console) asked(r *http.Request) (project string, changes []string, err error) {
	if changes, err = changesOf(r.URL.Query()); err != nil {
		return "", nil, err
	}
	if project = r.URL.Query().Get("project"); project != "" {
		return project, changes, nil
	}
	list, err := c.of(r).Projects(r.Context())
	return lastProject(r, list), changes, err
}

func (c *Console) question(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	project, changes, err := c.asked(r)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	b := questionBody{Project: project, Listed: name == service.ChangesQuestion, Changes: strings.Join(changes, "\n")}
	if b.Listed && len(changes) == 0 {
		b.Question, err = rollout.QuestionOf(name)
	} else if b.Question, err = service.CheckQuestion(name, changes); err == nil {
		b.Answer, err = c.of(r).Answer(r.Context(), project, name, changes)
		b.Answered = true
	}
	if err != nil {
		c.unable(w, r, err)
		return
	}
	b.Title = inWords(name)
	kept := url.Values{"project": {project}}
	words := []string{"evidence", "search", "--query", name, "--project", project}
	if b.Listed {
		kept["change"] = changes
		words = append(words, "--changes", "FILE")
	}
	b.CSV, b.JSON = at("/question/"+pathWord(name)+"/csv", kept), at("/question/"+pathWord(name)+"/json", kept)
	b.Command, b.Caption = c.command(words...), plural(len(b.Answer.Findings), "finding", "findings")+" in "+project+", in the order of the log"
	v := c.view(r, b.Title, "Evidence")
	v.Crumbs, v.Body = []link{{Name: "Evidence", Address: "/evidence"}}, b
	c.page(w, r, "question", project, v)
}

// answerTo is the answer of a file, whose address the page made.
func (c *Console) answerTo(r *http.Request) (rollout.Answer, error) {
	project, changes, err := c.asked(r)
	if err != nil {
		return rollout.Answer{}, err
	}
	return c.of(r).Answer(r.Context(), project, r.PathValue("name"), changes)
}

func (c *Console) questionJSON(w http.ResponseWriter, r *http.Request) {
	answer, err := c.answerTo(r)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	data, err := envelope.Encode(answer)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	attach(w, answer.Query+".json", "application/json")
	_, _ = w.Write(data)
}

func (c *Console) questionCSV(w http.ResponseWriter, r *http.Request) {
	answer, err := c.answerTo(r)
	if err != nil {
		c.unable(w, r, err)
		return
	}
	attach(w, answer.Query+".csv", "text/csv; charset=utf-8")
	_ = service.WriteAnswer(w, answer) // the reader may be gone
}
