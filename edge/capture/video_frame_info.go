package capture

import (
	"math"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// frameInfo is what the decoder writes of one of its frames (ffmpeg's showinfo filter, which stands before
// the picture is scaled): its own time, and the size that it has in the stream.
type frameInfo struct {
	at    time.Duration // by the stream's clock
	timed bool          // at is known
	w, h  int           // 0: unknown
}

// frameInfos holds the infos of frames that are not read yet. ffmpeg writes the line before the
// frame, so that one is never waited for in vain for long.
type frameInfos struct {
	mu     sync.Mutex
	base   float64 // seconds of one unit of the stream's clock; 0: unknown yet
	frames []frameInfo
	more   chan struct{}
}

// maxFrameInfos bounds the lines of frames that nobody asks for.
const maxFrameInfos = 1 << 12

var (
	infoTimeBase = regexp.MustCompile(`^config in time_base: (\d+)/(\d+)`)
	infoFrame    = regexp.MustCompile(`^n: *\d+ pts: *(-?\d+|NOPTS) `)
	infoSize     = regexp.MustCompile(` s:(\d+)x(\d+)( |$)`)
)

func newFrameInfos() *frameInfos { return &frameInfos{more: make(chan struct{}, 1)} }

// line takes a line of the filter.
func (s *frameInfos) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := infoTimeBase.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64)
		if d, _ := strconv.ParseFloat(m[2], 64); d > 0 {
			s.base = n / d
		}
		return
	}
	m := infoFrame.FindStringSubmatch(text)
	if m == nil || len(s.frames) >= maxFrameInfos {
		return
	}
	s.frames = append(s.frames, s.frameOf(m[1], text))
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *frameInfos) frameOf(pts, text string) (f frameInfo) {
	if n, err := strconv.ParseInt(pts, 10, 64); err == nil && s.base > 0 {
		if at := float64(n) * s.base; math.Abs(at) < 1e9 { // thirty years
			f.at, f.timed = time.Duration(math.Round(at*1e6))*time.Microsecond, true
		}
	}
	if m := infoSize.FindStringSubmatch(text); m != nil {
		f.w, _ = strconv.Atoi(m[1])
		f.h, _ = strconv.Atoi(m[2])
	}
	return f
}

// next is the info of the frame that was read just now; empty where none came within wait.
func (s *frameInfos) next(wait time.Duration) frameInfo {
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
			return frameInfo{}
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

func (t *timeline) place(f frameInfo) time.Duration {
	switch {
	case !t.begun:
		t.begun = true
		t.shift = -f.at
	case !f.timed:
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
