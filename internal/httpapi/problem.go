package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
)

// A Problem is what a caller gets for a request that could not be done.
type Problem struct {
	Title  string `json:"title" doc:"what the status means"`
	Status int    `json:"status" doc:"of HTTP"`
	Detail string `json:"detail" doc:"a fact"`
	Code   int    `json:"code" minimum:"1" maximum:"6" doc:"what the command would exit with: 1 could not, 2 usage, 3 bad evidence, 4 a rule, 5 an approval, 6 a conflict"`
	Hint   string `json:"hint" doc:"the next step, may be empty"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus is the status of the response.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// statuses is the one table from codes to the status of HTTP.
var statuses = map[int]int{
	service.CodeFailed: http.StatusServiceUnavailable, service.CodeUsage: http.StatusBadRequest, service.CodeEvidence: http.StatusUnprocessableEntity,
	service.CodeRule: http.StatusForbidden, service.CodeApproval: http.StatusForbidden, service.CodeConflict: http.StatusConflict,
}

// codes are those of refusals that HTTP itself makes; every other one is of usage.
var codes = map[int]int{
	http.StatusForbidden: service.CodeRule, http.StatusNotFound: service.CodeFailed, http.StatusTooManyRequests: service.CodeFailed,
	http.StatusServiceUnavailable: service.CodeFailed, http.StatusInternalServerError: service.CodeFailed, http.StatusRequestTimeout: service.CodeFailed,
}

// problem is the one table from errors to problems. What an error that nobody knows
// says is for the server's operator alone.
func problem(err error) *Problem {
	var own *Problem
	if errors.As(err, &own) {
		return own
	}
	if f := service.Explain(err); f != nil {
		status := statuses[f.Code]
		if f.Missing {
			status = http.StatusNotFound
		}
		return &Problem{http.StatusText(status), status, archive.Printable(f.Message), f.Code, archive.Printable(f.Hint)}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return refusal(http.StatusServiceUnavailable, "it took too long", "ask for less, or later")
	}
	return refusal(http.StatusInternalServerError, "the server could not do it", "its operator finds the reason in its log")
}

// refusal is a problem that HTTP itself makes.
func refusal(status int, detail, hint string) *Problem {
	code, ok := codes[status]
	if !ok {
		code = service.CodeUsage
	}
	return &Problem{http.StatusText(status), status, detail, code, hint}
}

// write answers with a problem.
func (p *Problem) write(w http.ResponseWriter) {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		panic(err) // texts and numbers
	}
	h := w.Header()
	h.Set("Content-Type", problemType)
	h.Set("Cache-Control", "no-store")
	h.Del("Etag")
	h.Del("Content-Length")
	w.WriteHeader(p.Status)
	w.Write(append(data, '\n')) // who does not read it loses it
}

// humaErrors makes the library's own errors problems, once for the process.
var humaErrors = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		var large *http.MaxBytesError
		if errors.As(errors.Join(errs...), &large) {
			return refusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", large.Limit), "send less at a time")
		}
		var details []string
		for _, e := range errs {
			if e != nil {
				details = append(details, e.Error())
			}
		}
		if len(details) > 0 {
			message += ": " + strings.Join(details, "; ")
		}
		if status == http.StatusUnprocessableEntity {
			status = http.StatusBadRequest // the library's word for a request that does not fit its schema
		}
		return refusal(status, archive.Printable(message), "see /openapi.json")
	}
})
