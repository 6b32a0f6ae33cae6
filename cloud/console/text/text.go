// Package text is how the console writes things for people: bounded, with units, as sentences.
package text

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxName bounds names that come from outside, in bytes.
const MaxName = 300

// Cut shortens s to at most n bytes, and says so.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// Sentence is an error as a sentence.
func Sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// Number is a value with as many digits as are worth reading.
func Number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// Are is "1 edge is" or "3 edges are".
func Are(n int, one, many string) string { return fmt.Sprintf("%d %s", n, Choose(n, one, many)) }

// Choose is the word for so many.
func Choose(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Some names the first few.
func Some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// Ago is how long something is past, for people.
func Ago(now, then time.Time) string {
	if then.IsZero() {
		return "an unknown time"
	}
	switch d := now.Sub(then); {
	case d < 0:
		return then.UTC().Format("2006-01-02 15:04 UTC")
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// Size is a number of bytes for people.
func Size(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, names := float64(bytes), "kMGTPE"
	for i := range names {
		value /= unit
		if value < unit || i == len(names)-1 {
			return fmt.Sprintf("%.1f %cB", value, names[i])
		}
	}
	return ""
}

// Percent is a share for people; a dash where there is none.
func Percent(share *float64) string {
	if share == nil {
		return "—"
	}
	return strconv.FormatFloat(100**share, 'f', 1, 64) + " %"
}

// WithEdge is how a thing of an edge is named to people: with its edge where others have the name too.
func WithEdge(several map[string]bool, edge, name string) string {
	if several[name] {
		return edge + "/" + name
	}
	return name
}
