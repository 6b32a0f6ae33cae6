package capture

import (
	"log/slog"

	"cloudcanvas/shared/vision"
)

// told are the notes on pictures that were told already.
type told map[string]bool

// mostTold bounds them.
const mostTold = 20

// tell says each thing that was assumed or left out once, with the first picture of which it is true.
func (t told) tell(log *slog.Logger, picture string, notes vision.Notes) {
	for _, note := range []string{notes.Assumed, notes.Left} {
		if note == "" || t[note] || len(t) >= mostTold {
			continue
		}
		t[note] = true
		log.Warn("how a picture was read; others like it are not told again", "picture", picture, "note", note)
	}
}
