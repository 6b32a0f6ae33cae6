// Package telemetry is what a process shows of itself: log lines, metrics, health, and systemd's
// notifications.
package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"cloudcanvas/shared/security"
	"cloudcanvas/shared/visible"
)

// Keys of log attributes, the same everywhere, so that one grep finds a thing.
const (
	Edge   = "edge"
	Stream = "stream"
	Scene  = "scene"
	Model  = "model"
	Topic  = "topic"
	Err    = "err"
)

// NewLogger makes the process's logger: level debug|info|warn|error, format text|json. What would not
// be seen of a value, or would move a terminal's cursor, stands in a line as an escape.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: use debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(redacted{visible.Line(w)}, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(redacted{visible.JSON(w)}, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q: use text or json", format)
}

// redacted takes what lets somebody in out of the addresses in a line, whoever wrote them there.
type redacted struct{ to io.Writer }

// Write passes a line on.
func (r redacted) Write(b []byte) (int, error) {
	line := b
	if bytes.Contains(b, []byte("://")) {
		line = []byte(security.RedactText(string(b)))
	}
	if _, err := r.to.Write(line); err != nil {
		return 0, err
	}
	return len(b), nil
}

// varying is what differs between two texts of one fault: addresses with their ports, times, sizes,
// numbers of any kind, also within words.
var varying = regexp.MustCompile(`(?i)\[[0-9a-f:.]*:[0-9a-f:.]*(%\w+)?\](:\d+)?|\b[0-9a-f]{1,4}(:[0-9a-f]{0,4}){3,7}\b|0x[0-9a-f]+|\d+(?:[.,:]\d+)*(?:ns|µs|us|ms|s|m|h)?`)

// FaultKind is the text of a fault without what varies: one fault, met at two times or from two ports,
// is of one kind.
func FaultKind(text string) string {
	text = varying.ReplaceAllString(text, "#")
	for strings.Contains(text, "##") { // 1h2m3s
		text = strings.ReplaceAll(text, "##", "#")
	}
	return text
}

// Faults are the kinds of fault that were logged since things last went well, so that each is logged once.
// The zero value knows none. It is used by one goroutine.
type Faults struct{ logged map[string]bool }

// mostFaults bounds the kinds that are remembered; texts from outside could have any number of them.
const mostFaults = 64

// New says whether a fault is of a kind that was not logged yet. Beyond mostFaults nothing is new.
func (f *Faults) New(err error) bool {
	kind := FaultKind(err.Error())
	if f.logged[kind] || len(f.logged) >= mostFaults {
		return false
	}
	if f.logged == nil {
		f.logged = map[string]bool{}
	}
	f.logged[kind] = true
	return true
}

// Mended forgets them: the next fault of any kind is new.
func (f *Faults) Mended() { clear(f.logged) }
