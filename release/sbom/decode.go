package sbom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds that keep the memory for a hostile document at a small multiple of its
// size. Every document that Write makes is inside: it is at most 5 deep, and its
// objects and values need more bytes than that.
const (
	maxDepth             = 8
	bytesPerObject       = 96
	bytesPerValue        = 16
	bytesPerEntry        = 400
	bytesPerRelationship = 120
)

// decode turns the exact bytes of a document into its fields.
func decode(data []byte) (*document, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("document has %d bytes, at most %d are allowed", len(data), MaxSize)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("document is not UTF-8")
	}
	if err := checkShape(data); err != nil {
		return nil, err
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	if least := len(d.Packages)*bytesPerEntry + len(d.Relationships)*bytesPerRelationship; least > len(data) {
		return nil, fmt.Errorf("document has %d packages and %d relationships in %d bytes, expected at least %d", len(d.Packages), len(d.Relationships), len(data), least)
	}
	again, err := encode(&d)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, explain(data, again)
	}
	return &d, nil
}

// checkShape counts brackets and commas outside strings. It does not decide
// whether data is JSON.
func checkShape(data []byte) error {
	if len(data) == 0 || data[0] != '{' {
		return errors.New("document is not a JSON object")
	}
	depth, objects, values, quoted := 0, 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			objects++
			if depth > maxDepth {
				return fmt.Errorf("document is nested deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
		}
	}
	if objects > 16+len(data)/bytesPerObject || values > 64+len(data)/bytesPerValue {
		return fmt.Errorf("document has %d objects and %d values in %d bytes, more than any SPDX document of this kind", objects, values, len(data))
	}
	return nil
}

// explain says why a document is not want, the one encoding of what it says: an
// unknown field, else where the bytes begin to differ.
func explain(got, want []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(got))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(new(document)); err != nil {
		return explainUnknown(err)
	}
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	line := 1 + bytes.Count(got[:at], []byte("\n"))
	return fmt.Errorf("line %d, byte %d: not the exact encoding: expected %s, not %s", line, at+1, snippet(want, at), snippet(got, at))
}

func snippet(data []byte, at int) string {
	if at == len(data) {
		return "the end"
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(string(data[at:min(at+24, len(data))]), ""))
}

// fieldNames are the names of every field that a document may have.
var fieldNames = []string{
	"SPDXID", "algorithm", "checksumValue", "checksums", "comment", "copyrightText", "created", "creationInfo", "creators",
	"dataLicense", "documentNamespace", "downloadLocation", "externalRefs", "extractedText", "filesAnalyzed",
	"hasExtractedLicensingInfos", "licenseComments", "licenseConcluded", "licenseDeclared", "licenseId", "name",
	"packageFileName", "packages", "primaryPackagePurpose", "referenceCategory", "referenceLocator", "referenceType",
	"relatedSpdxElement", "relationshipType", "relationships", "sourceInfo", "spdxElementId", "spdxVersion", "supplier", "versionInfo",
}

// explainUnknown adds the nearest known name to the decoder's complaint about an
// unknown field.
func explainUnknown(err error) error {
	name, ok := strings.CutPrefix(err.Error(), "json: unknown field ")
	if !ok {
		return err
	}
	name = strings.Trim(name, `"`)
	nearest := slices.MinFunc(fieldNames, func(a, b string) int { return distance(name, a) - distance(name, b) })
	return fmt.Errorf("unknown field %.80q; the nearest known name is %q", name, nearest)
}

// distance counts the edits between two names, case apart (Levenshtein). It looks
// at no more than the first 80 bytes.
func distance(a, b string) int {
	a, b = strings.ToLower(a[:min(len(a), 80)]), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
