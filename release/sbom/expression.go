package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	noAssertion   = "NOASSERTION"
	none          = "NONE"
	licenseRef    = "LicenseRef-"
	maxExpression = 64 << 10 // bytes
	maxParens     = 16       // nested
)

var (
	expressionToken = regexp.MustCompile(`[()]|[^() ]+`)
	licenseID       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*\+?$`)
)

// An expression is a parsed SPDX license expression (SPDX 2.3, Annex D).
type expression struct {
	terms  []string // joined by AND at the top
	choice bool     // the one term is joined by OR at the top
	refs   []string // LicenseRefs in it
}

// parseExpression parses a license expression in the form that it is written in:
// one space between words, none beside parentheses.
func parseExpression(text string) (expression, error) {
	if len(text) > maxExpression {
		return expression{}, fmt.Errorf("license expression has %d bytes, at most %d are allowed", len(text), maxExpression)
	}
	p := expressionParser{rest: expressionToken.FindAllString(text, -1)}
	terms, choice, err := p.or(0)
	switch {
	case err != nil:
		return expression{}, fmt.Errorf("license expression %.200q: %w", text, err)
	case len(p.rest) > 0:
		return expression{}, fmt.Errorf("license expression %.200q: unexpected %.40q", text, p.rest[0])
	case strings.Join(terms, " AND ") != text:
		return expression{}, fmt.Errorf("license expression %.200q is not written as %.200q", text, strings.Join(terms, " AND "))
	}
	return expression{terms, choice, p.refs}, nil
}

type expressionParser struct {
	rest []string
	refs []string
}

func (p *expressionParser) next() string {
	if len(p.rest) == 0 {
		return ""
	}
	token := p.rest[0]
	p.rest = p.rest[1:]
	return token
}

func (p *expressionParser) accept(word string) bool {
	if len(p.rest) > 0 && p.rest[0] == word {
		p.next()
		return true
	}
	return false
}

// or parses alternatives. Where there is no choice it returns the terms that AND
// joins, else the one term that OR joins.
func (p *expressionParser) or(depth int) (terms []string, choice bool, err error) {
	var alternatives []string
	for {
		terms, err := p.and(depth)
		if err != nil {
			return nil, false, err
		}
		alternatives = append(alternatives, strings.Join(terms, " AND "))
		switch {
		case p.accept("OR"):
		case len(alternatives) == 1:
			return terms, false, nil
		default:
			return []string{strings.Join(alternatives, " OR ")}, true, nil
		}
	}
}

func (p *expressionParser) and(depth int) ([]string, error) {
	var terms []string
	for {
		term, err := p.simple(depth)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
		if !p.accept("AND") {
			return terms, nil
		}
	}
}

func (p *expressionParser) simple(depth int) (string, error) {
	token := p.next()
	if token == "(" {
		if depth == maxParens {
			return "", fmt.Errorf("more than %d nested parentheses", maxParens)
		}
		inner, _, err := p.or(depth + 1)
		if err != nil {
			return "", err
		}
		if !p.accept(")") {
			return "", fmt.Errorf("a parenthesis is not closed")
		}
		return "(" + strings.Join(inner, " AND ") + ")", nil
	}
	if !isLicenseID(token) {
		return "", fmt.Errorf("expected a license identifier, not %.40q", token)
	}
	if strings.HasPrefix(token, licenseRef) {
		p.refs = append(p.refs, token)
	}
	if p.accept("WITH") {
		exception := p.next()
		if !isLicenseID(exception) {
			return "", fmt.Errorf("expected an exception identifier, not %.40q", exception)
		}
		token += " WITH " + exception
	}
	return token, nil
}

func isLicenseID(token string) bool {
	return licenseID.MatchString(token) && !slices.Contains([]string{"AND", "OR", "WITH", none, noAssertion}, token)
}

// conjunction joins the terms of several expressions with AND, each once, sorted.
func conjunction(expressions []expression) string {
	var terms []string
	for _, e := range expressions {
		if e.choice {
			terms = append(terms, "("+e.terms[0]+")")
		} else {
			terms = append(terms, e.terms...)
		}
	}
	slices.Sort(terms)
	terms = slices.Compact(terms)
	if len(terms) == 1 && expressions[0].choice {
		return expressions[0].terms[0]
	}
	return strings.Join(terms, " AND ")
}

// refOf returns the LicenseRef that names text.
func refOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return licenseRef + hex.EncodeToString(sum[:8])
}
