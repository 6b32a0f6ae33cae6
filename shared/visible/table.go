package visible

import (
	"fmt"
	"io"
	"strings"
)

// gap is what stands between two columns.
const gap = 2

// Table aligns cells, which tabs in a format separate, by the width that they are shown with. Values
// are made visible, so that none of them can end a cell or a row. Rows that follow each other are one
// table; a row without a tab stands for itself.
type Table struct {
	out  io.Writer
	rows [][]string
	part strings.Builder // of a row that has not ended
}

// NewTable writes to out when it is flushed.
func NewTable(out io.Writer) *Table { return &Table{out: out} }

// Printf adds cells and rows: "%s\t%d\n".
func (t *Table) Printf(format string, values ...any) {
	t.add(Sprintf(format, values...))
}

// add takes text in whose tabs and line breaks are the table's own.
func (t *Table) add(text string) {
	for line := range strings.Lines(text) {
		whole, ended := strings.CutSuffix(line, "\n")
		t.part.WriteString(whole)
		if ended {
			t.rows = append(t.rows, strings.Split(t.part.String(), "\t"))
			t.part.Reset()
		}
	}
}

// Flush writes what was added since the last one.
func (t *Table) Flush() error {
	if t.part.Len() > 0 {
		t.rows = append(t.rows, strings.Split(t.part.String(), "\t"))
		t.part.Reset()
	}
	var b strings.Builder
	for from := 0; from < len(t.rows); {
		to := from + 1
		if len(t.rows[from]) > 1 {
			for to < len(t.rows) && len(t.rows[to]) > 1 {
				to++
			}
		}
		align(&b, t.rows[from:to])
		from = to
	}
	t.rows = nil
	if _, err := io.WriteString(t.out, b.String()); err != nil {
		return fmt.Errorf("print a table: %w", err)
	}
	return nil
}

func align(b *strings.Builder, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] { // nothing is aligned with the last
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]+gap-Width(cell)))
			}
		}
		b.WriteByte('\n')
	}
}
