package visible

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// JSON passes JSON on with what is hidden in its texts written as \u202e: it means the same, and is seen
// by who reads it as it is.
func JSON(w io.Writer) io.Writer { return rewriter{w, jsonEscape} }

// Line passes lines on with what is hidden in them shown. Line breaks and tabs are the writer's own.
func Line(w io.Writer) io.Writer { return rewriter{w, Escape} }

// Page is HTML with what is hidden in it shown, but for line breaks and tabs. Characters that a page
// writes by their numbers are the page's own.
func Page(html []byte) []byte { return rewrite(html, Escape) }

func jsonEscape(r rune) string {
	if r < 0x10000 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	r -= 0x10000
	return fmt.Sprintf(`\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
}

// rewriter takes whole texts: no character is cut between two writes.
type rewriter struct {
	to     io.Writer
	escape func(rune) string
}

// Write passes b on.
func (r rewriter) Write(b []byte) (int, error) {
	if _, err := r.to.Write(rewrite(b, r.escape)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func rewrite(b []byte, escape func(rune) string) []byte {
	var out []byte
	from := 0
	for i := 0; i < len(b); {
		if c := b[i]; c >= ' ' && c <= '~' || c == '\n' || c == '\t' || c == '\r' && i+1 < len(b) && b[i+1] == '\n' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		text := ""
		switch {
		case r == utf8.RuneError && n == 1:
			text = fmt.Sprintf(`\x%02x`, b[i])
		case Hidden(r):
			text = escape(r)
		}
		if text != "" {
			out = append(append(out, b[from:i]...), text...)
			from = i + n
		}
		i += n
	}
	if out == nil {
		return b
	}
	return append(out, b[from:]...)
}
