package telemetry

import (
	"regexp"
	"strings"
)

// varying is what differs between two tellings of one fault: addresses with their ports, times, sizes,
// numbers of any kind, also within words.
var varying = regexp.MustCompile(`(?i)\[[0-9a-f:.]*:[0-9a-f:.]*(%\w+)?\](:\d+)?|\b[0-9a-f]{1,4}(:[0-9a-f]{0,4}){3,7}\b|0x[0-9a-f]+|\d+(?:[.,:]\d+)*(?:ns|µs|us|ms|s|m|h)?`)

// FaultKind is the text of a fault without what varies: one fault, told at two times or from two ports,
// is of one kind.
func FaultKind(text string) string {
	text = varying.ReplaceAllString(text, "#")
	for strings.Contains(text, "##") { // 1h2m3s
		text = strings.ReplaceAll(text, "##", "#")
	}
	return text
}

// Faults are the kinds of fault that were told since things last went well, so that each is told once.
// The zero value knows none. It is used by one goroutine.
type Faults struct{ told map[string]bool }

// mostFaults bounds the kinds that are remembered; texts from outside could have any number of them.
const mostFaults = 64

// New says whether a fault is of a kind that was not told yet. Beyond mostFaults nothing is new.
func (f *Faults) New(err error) bool {
	kind := FaultKind(err.Error())
	if f.told[kind] || len(f.told) >= mostFaults {
		return false
	}
	if f.told == nil {
		f.told = map[string]bool{}
	}
	f.told[kind] = true
	return true
}

// Mended forgets them: the next fault of any kind is told.
func (f *Faults) Mended() { clear(f.told) }
