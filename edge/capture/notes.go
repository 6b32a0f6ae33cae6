package capture

import (
	"math"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// note is what the decoder says of one of its frames (ffmpeg's showinfo filter, which stands before
// the picture is scaled): its own time, and the size that it has in the stream.
type note struct {
	at   time.Duration // by the stream's clock
	at0  bool          // at is known
	w, h int           // 0: not said
}

// notes holds what the decoder said of frames that are not read yet. ffmpeg writes the line before the
// frame, so that one is never waited for in vain for long.
type notes struct {
	mu     sync.Mutex
	base   float64 // seconds of one unit of the stream's clock; 0: not said yet
	frames []note
	more   chan struct{}
}

// mostNotes bounds the lines of frames that nobody asks for.
const mostNotes = 1 << 12

var (
	noteBase = regexp.MustCompile(`^config in time_base: (\d+)/(\d+)`)
	noteLine = regexp.MustCompile(`^n: *\d+ pts: *(-?\d+|NOPTS) `)
	noteSize = regexp.MustCompile(` s:(\d+)x(\d+)( |$)`)
)

func newNotes() *notes { return &notes{more: make(chan struct{}, 1)} }

// line takes a line of the filter.
func (s *notes) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := noteBase.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64)
		if d, _ := strconv.ParseFloat(m[2], 64); d > 0 {
			s.base = n / d
		}
		return
	}
	m := noteLine.FindStringSubmatch(text)
	if m == nil || len(s.frames) >= mostNotes {
		return
	}
	s.frames = append(s.frames, s.frameOf(m[1], text))
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *notes) frameOf(pts, text string) (f note) {
	if n, err := strconv.ParseInt(pts, 10, 64); err == nil && s.base > 0 {
		if at := float64(n) * s.base; math.Abs(at) < 1e9 { // thirty years
			f.at, f.at0 = time.Duration(math.Round(at*1e6))*time.Microsecond, true
		}
	}
	if m := noteSize.FindStringSubmatch(text); m != nil {
		f.w, _ = strconv.Atoi(m[1])
		f.h, _ = strconv.Atoi(m[2])
	}
	return f
}

// next is what was said of the frame that was read just now; nothing where it isn't said within wait.
func (s *notes) next(wait time.Duration) note {
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		s.mu.Lock()
		if len(s.frames) > 0 {
			f := s.frames[0]
			s.frames = s.frames[1:]
			s.mu.Unlock()
			return f
		}
		s.mu.Unlock()
		select {
		case <-s.more:
		case <-end.C:
			return note{}
		}
	}
}

// timeline makes the frames' places in time from what the stream says: from 0 on, never backwards. A frame
// without a time, or after which the clock was set back, comes one frame's length after the one before it.
type timeline struct {
	each  time.Duration // of a frame, by the announced rate
	begun bool
	shift time.Duration
	last  time.Duration
}

func newTimeline(fps float64) *timeline {
	t := &timeline{each: 40 * time.Millisecond}
	if fps > 0 {
		t.each = time.Duration(float64(time.Second) / fps)
	}
	return t
}

func (t *timeline) place(f note) time.Duration {
	switch {
	case !t.begun:
		t.begun = true
		t.shift = -f.at
	case !f.at0:
		t.last += t.each
	default:
		at := f.at + t.shift
		if at < t.last {
			at = t.last + t.each
			t.shift = at - f.at
		}
		t.last = at
	}
	return t.last
}
