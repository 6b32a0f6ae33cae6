// Package telemetry is how a process speaks of itself: log lines, metrics, health, and systemd's
// notifications.
package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"

	"cloudcanvas/shared/security"
	"cloudcanvas/shared/visible"
)

// Keys of log attributes, so that one grep finds a thing everywhere.
const (
	Edge   = "edge"
	Stream = "stream"
	Scene  = "scene"
	Tile   = "tile"
	Model  = "model"
	Engine = "engine"
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
