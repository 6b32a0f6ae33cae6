package capture

import (
	"fmt"
	"strings"
	"time"
)

// ending is how a decoder came to its end.
type ending struct {
	torn      bool  // within a frame
	exit      error // ErrExited, or nil
	damaged   int   // complaints about damaged pictures
	complaint string
}

func (e ending) reason() string {
	if e.complaint != "" {
		return e.complaint
	}
	return "no picture could be decoded"
}

// unseen says that the input opened and that the decoder made nothing of it.
func (e ending) unseen() bool {
	return e.exit == nil || strings.Contains(e.complaint, "codec parameters") || strings.Contains(e.complaint, "matches no streams")
}

// partial says what is missing of a file, or nothing. Headers announce a frame or two too many
// now and then (frames that a decoder holds back), and those of all that was there before a film was
// trimmed; so it is short only where frames are missing and time is. at is the last frame's place.
func (e ending) partial(frames int64, at time.Duration, s shape) string {
	announced := s.announced
	short := announced > 0 && frames < announced-max(2, announced/100)
	if short && s.lasts > 0 && s.fps > 0 {
		short = at.Seconds() < s.lasts*0.99-3/s.fps
	}
	switch {
	case short:
		return fmt.Sprintf("it ends after %d of %d frames; %s", frames, announced, e.reason())
	case e.torn:
		return fmt.Sprintf("it ends within frame %d; %s", frames, e.reason())
	case e.exit != nil:
		return e.exit.Error()
	case e.damaged > 0:
		return fmt.Sprintf("damaged pictures after %d frames: %s", frames, e.complaint)
	}
	return ""
}
