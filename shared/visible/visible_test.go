package visible

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWhatIsHiddenIsShown(t *testing.T) {
	for in, want := range map[string]string{
		"mast-7": "mast-7", "Küste": "Küste", "港": "港", "": "",
		"\x1b[2J": `\x1b[2J`, "a\nb\tc\r": `a\nb\tc\r`, "\u009b31m": `\x9b31m`, "\x7f": `\x7f`,
		"abc\u202etxt": `abc\u{202e}txt`, "\u2066x\u2069": `\u{2066}x\u{2069}`, "a\u200bb": `a\u{200b}b`, "\ufeffx": `\u{feff}x`, "a\u00a0b": `a\xa0b`,
		"\xff\xfe": `\xff\xfe`, "\xed\xa0\x80": `\xed\xa0\x80`, "a\u3164": `a\u{3164}`, "x\U000e0041": `x\u{e0041}`, "\u2028": `\u{2028}`,
		"e\u0301": "e\u0301", "\u0301x": `\u{301}x`, "a\u0301\u0301\u0301": "a\u0301\u0301" + `\u{301}`, "a \u0301": `a \u{301}`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	if got := Text(strings.Repeat("é", 5000)); len(got) > longest+40 || !strings.HasSuffix(got, "bytes more") {
		t.Errorf("%d bytes", len(got))
	}
	if got := Lines("a\n\x1bb\tc\n"); got != "a\n\\x1bb\tc\n" {
		t.Errorf("%q", got)
	}
	if got := Short("日本語", 4); got != "日…" {
		t.Errorf("%q", got)
	}
}

func TestValuesOfAFormatForgeNothing(t *testing.T) {
	evil := "x\n\x1b[31mEDGE\tfake"
	got := Sprintf("%s %q %v %-12s| %d %.1f %v", evil, "\u202e", map[string]string{evil: "\u202e"}, "ab", 3, 1.5, errors.New(evil))
	if strings.ContainsFunc(got, Hidden) || !strings.Contains(got, `x\n\x1b[31mEDGE\tfake`) || !strings.Contains(got, "ab          | 3 1.5") {
		t.Errorf("%q", got)
	}
}

func TestATableIsAlignedByWhatIsShown(t *testing.T) {
	var b bytes.Buffer
	w := NewTable(&b)
	w.Printf("EDGE\tSTATE\tWHY\n")
	w.Printf("%s\t%s\t%s\n", "a\nb", "on", "x")
	w.Printf("%s\t%s\t%s\n", "港港港", "off", "y\tz")
	w.Printf("\nend\n")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "EDGE    STATE  WHY\n" + `a\nb    on     x` + "\n港港港  off    " + `y\tz` + "\n\nend\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestNothingHiddenPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		for _, got := range []string{Text(s), Short(s, rapid.IntRange(0, 20).Draw(t, "n")), Sprintf("%s%v", s, []string{s}), Cut(Text(s), 10)} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, Hidden) {
				t.Fatalf("%q is shown as %q", s, got)
			}
		}
		if w := Width(Cut(Text(s), 10)); w > 10 {
			t.Fatalf("%q is %d wide", s, w)
		}
		var b bytes.Buffer
		w := NewTable(&b)
		w.Printf("A\tB\n%s\t%s\n", s, s)
		if err := w.Flush(); err != nil || strings.Count(b.String(), "\n") != 2 {
			t.Fatalf("%q makes the table %q", s, b.String())
		}
	})
}

func TestLogsAndPagesShowWhatIsHidden(t *testing.T) {
	var b bytes.Buffer
	in := map[string]string{"a": "x\u202ey\U000e0041\u200b é\n"}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := JSON(&b).Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["a"] != in["a"] || strings.Contains(b.String(), "\u202e") || !strings.Contains(b.String(), `\u202ey\udb40\udc41\u200b é`) {
		t.Errorf("%s %v", b.String(), err)
	}
	b.Reset()
	if _, err := Line(&b).Write([]byte("a\u202eb\x1bc\r\n\xff")); err != nil || b.String() != "a\\u{202e}b\\x1bc\r\n\\xff" {
		t.Errorf("%q %v", b.String(), err)
	}
	if got := string(Page([]byte("<p>\n\t\u2066x</p>"))); got != "<p>\n\t\\u{2066}x</p>" {
		t.Errorf("%q", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x1b]0;x\x07", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		for _, got := range []string{Text(s), Short(s, max(n, 0))} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, Hidden) {
				t.Fatalf("%q is shown as %q", s, got)
			}
		}
	})
}
