package service

import (
	"encoding/csv"
	"io"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// WriteCSV writes a page as a table with a line of names.
func WriteCSV(w io.Writer, doc evidence.SearchDocument) error {
	out := csv.NewWriter(w)
	var names []string
	for _, f := range (evidence.RecordLine{}).Fields() {
		names = append(names, f[0])
	}
	if err := out.Write(names); err != nil {
		return err
	}
	for _, line := range doc.Records {
		var cells []string
		for _, f := range line.Fields() {
			cells = append(cells, Cell(f[1]))
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// Cell keeps a spreadsheet from reading a text as a formula. A leading tab is shown as
// \u{9} and needs no quote.
func Cell(text string) string {
	text = archive.Printable(text)
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}
