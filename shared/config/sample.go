package config

import "strings"

// Sample is a whole file of settings, each with what it is and its default, below lines of intro.
// Read as it is it gives the defaults, but for the keys that a person must give: these stand there
// empty and say so. What has no value by default is commented out: "#" before the line, and the line
// is a good one without it. A comment for people has one space behind it at the margin.
func Sample(intro string, settings []Setting) []byte {
	w := &sampler{}
	for line := range strings.Lines(intro) {
		w.line("", "# "+strings.TrimSuffix(line, "\n"))
	}
	for _, s := range settings {
		w.line("", "")
		w.setting(s, "", "")
	}
	return []byte(w.text.String())
}

type sampler struct{ text strings.Builder }

// line writes one; off is "#" within what is commented out.
func (w *sampler) line(off, text string) {
	w.text.WriteString(strings.TrimRight(off+text, " ") + "\n")
}

func (w *sampler) setting(s Setting, indent, off string) {
	text := s.Text()
	if s.Required {
		text = "REQUIRED: " + text
	}
	for _, line := range wrapped(text, 100-len(indent)) {
		w.line(off, indent+"# "+line)
	}
	key, inside := indent+s.Name+":", off
	switch {
	case s.Group():
		w.line(off, key)
	case s.Settings != nil:
		inside = "#"
		if s.unset() {
			w.line("#", key)
		} else {
			w.line(off, key)
			for i := range s.Default.Len() {
				w.line(off, indent+"  - "+valueText(s.Default.Index(i)))
			}
		}
		indent += "  "
		if s.Map() {
			w.line("#", indent+"NAME:")
		} else {
			w.line("#", indent+"-")
		}
	case s.Required:
		w.line(off, key)
	case s.Words != "" || s.unset():
		w.line("#", key)
	default:
		if size := sizeText(s.Name, s.Default); size != "" {
			key += " " + valueText(s.Default) + " # " + size
		} else {
			key += " " + valueText(s.Default)
		}
		w.line(off, key)
	}
	for _, inner := range s.Settings {
		w.setting(inner, indent+"  ", inside)
	}
}

// wrapped breaks a text into lines of so many letters.
func wrapped(text string, most int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
