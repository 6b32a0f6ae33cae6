// Package telemetry is how a process speaks of itself: log lines, metrics, health, and systemd's
// notifications.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"

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
		return slog.New(slog.NewTextHandler(visible.Line(w), options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(visible.JSON(w), options)), nil
	}
	return nil, fmt.Errorf("--log-format %q: use text or json", format)
}
