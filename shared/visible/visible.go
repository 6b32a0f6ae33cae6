// Package visible prints text that came from outside so that what is seen is what is there: escape
// sequences, control characters, line breaks, bidirectional overrides, invisible characters and bytes
// that are no UTF-8 appear as \x1b, \n, \u{202e} and so on. Names, reasons and versions that devices
// tell can then not forge a table's row, move a terminal's cursor or hide what they say.
package visible

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// longest is how much of one text is shown; the rest is told by its size.
const longest = 4 << 10

// stacked is how many marks may stand on one letter: more climb over the lines above.
const stacked = 2

// Text is s as it may be shown, in one line.
func Text(s string) string { return show(s, false) }

// Lines is Text that keeps line breaks and tabs, for what stands alone on a terminal.
func Lines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		text, more := strings.CutSuffix(line, "\n")
		b.WriteString(show(text, true))
		if more {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Short is Text of at most n bytes of s.
func Short(s string, n int) string {
	if len(s) <= n {
		return Text(s)
	}
	return Text(s[:boundary(s, n)]) + "…"
}

// boundary is n, or a little less where a character would be cut there.
func boundary(s string, n int) int {
	for back := range utf8.UTFMax {
		if n-back <= 0 || utf8.RuneStart(s[n-back]) {
			return max(n-back, 0)
		}
	}
	return n // no character at all
}

func show(s string, tabs bool) string {
	if plain(s) {
		return s
	}
	rest := 0
	if len(s) > longest {
		cut := boundary(s, longest)
		rest = len(s) - cut
		s = s[:cut]
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	marks := stacked // none may come first: it would stand on what is before
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
			marks = stacked
		case r == '\t' && tabs:
			b.WriteByte('\t')
			marks = stacked
		case unicode.In(r, unicode.Mn, unicode.Me) && !Hidden(r) && marks < stacked:
			b.WriteRune(r)
			marks++
		case Hidden(r) || unicode.In(r, unicode.Mn, unicode.Me):
			b.WriteString(Escape(r))
			marks = stacked
		default:
			b.WriteRune(r)
			if marks = 0; r == ' ' {
				marks = stacked
			}
		}
		s = s[n:]
	}
	if rest > 0 {
		fmt.Fprintf(&b, "… and %d bytes more", rest)
	}
	return b.String()
}

// plain says that nothing of s must be looked at: short printable ASCII, as nearly all is.
func plain(s string) bool {
	if len(s) > longest {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Escape is how a character is shown that is not shown as itself.
func Escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	}
	return fmt.Sprintf(`\u{%x}`, r)
}

// blank are characters that Unicode calls letters, marks or symbols and that show nothing.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x034f, 0x034f, 1}, {0x115f, 0x1160, 1}, {0x17b4, 0x17b5, 1}, {0x180b, 0x180f, 1}, {0x2800, 0x2800, 1},
		{0x3164, 0x3164, 1}, {0xfe00, 0xfe0f, 1}, {0xffa0, 0xffa0, 1}, {0xfffc, 0xfffc, 1},
	},
	R32: []unicode.Range32{{0x1d159, 0x1d159, 1}, {0x1d173, 0x1d17a, 1}, {0xe0000, 0xe0fff, 1}},
}

// Hidden says of a character that it is not seen, or changes how others are: control characters,
// bidirectional marks, joiners, spaces that are not the space, blanks, and what Unicode does not know.
func Hidden(r rune) bool {
	return r != ' ' && (!unicode.IsPrint(r) || unicode.Is(blank, r))
}

// Width is how many columns of a terminal a text takes that is shown as it is.
func Width(s string) (columns int) {
	for _, r := range s {
		columns += columnsOf(r)
	}
	return columns
}

func columnsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// Cut is what of s fits into so many columns, with … where something is left out.
func Cut(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	at := 0
	for i, r := range s {
		w := columnsOf(r)
		if at+w > columns-1 {
			return s[:i] + "…"
		}
		at += w
	}
	return s
}

// arg shows a value as its verb would print it, made visible.
type arg struct{ value any }

// Format prints the value.
func (a arg) Format(state fmt.State, verb rune) {
	io.WriteString(state, Text(fmt.Sprintf(fmt.FormatString(state, verb), a.value)))
}

// args makes values safe to print. Numbers are as they are.
func args(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		switch v.(type) {
		case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64, bool:
			out[i] = v
		default:
			out[i] = arg{v}
		}
	}
	return out
}

// Sprintf is fmt.Sprintf whose values can forge nothing; format itself is the program's own.
func Sprintf(format string, values ...any) string { return fmt.Sprintf(format, args(values)...) }

// Fprintf is fmt.Fprintf whose values can forge nothing.
func Fprintf(w io.Writer, format string, values ...any) (int, error) {
	return fmt.Fprintf(w, format, args(values)...)
}
