package release

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
)

// Table returns the inspection as text for a terminal: a row per binary, a column per
// document, and below it every difference.
func (i *Inspection) Table() []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(append([]string{"binary"}, i.Documents...), "\t"))
	for _, row := range i.Binaries {
		fields := []string{row.Path}
		for _, c := range row.Cells {
			fields = append(fields, c.text())
		}
		fmt.Fprintln(w, strings.Join(fields, "\t"))
	}
	w.Flush()
	for _, row := range i.Binaries {
		for _, c := range row.Cells {
			for _, d := range c.Differences {
				fmt.Fprintf(&b, "\n%s: %s: %s\n  said      %s\n  expected  %s\n", row.Path, c.Document, d.Fact, orNothing(d.Said), orNothing(d.Expected))
			}
		}
	}
	fmt.Fprintf(&b, "\n%d agree, %d differ, %d absent; the verdict is %s\n", i.Agree, i.Differ, i.Absent, i.Verdict)
	return b.Bytes()
}

func (c Cell) text() string {
	switch c.State {
	case Agree:
		return fmt.Sprintf("agree (%d)", c.Compared)
	case Differ:
		return fmt.Sprintf("DIFFER (%d)", len(c.Differences))
	}
	return "-"
}

func orNothing(text string) string {
	if text == "" {
		return "(nothing)"
	}
	return text
}
