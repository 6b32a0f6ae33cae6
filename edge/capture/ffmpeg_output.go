package capture

import (
	"strings"
	"sync"
)

// errorOutput keeps the last lines of ffmpeg's standard error, and counts those that speak of
// damaged pictures.
type errorOutput struct {
	frames  *frameInfos // takes what the decoder writes of its frames; nil: of ffprobe, which writes nothing of them
	levels  bool        // a line had its level in front of it: what has none is the rest of a line that is no error
	lock    sync.Mutex
	rest    []byte
	lines   []string
	damaged int
}

// damage is how ffmpeg's demuxers and decoders speak of bytes that are missing or wrong.
var damage = []string{"ended prematurely", "partial file", "truncat", "damaged", "orrupt",
	"rror while decoding", "rror at MB", "Invalid NAL", "Invalid data found", "concealing", "missing picture"}

const maxLineLength, keptLines = 300, 8

func (c *errorOutput) Write(p []byte) (int, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, b := range p {
		if b != '\n' && b != '\r' {
			if len(c.rest) < maxLineLength {
				c.rest = append(c.rest, b)
			}
			continue
		}
		c.line()
	}
	return len(p), nil
}

func (c *errorOutput) line() {
	line := strings.TrimSpace(string(c.rest))
	c.rest = c.rest[:0]
	level, info := "", false
	// "[h264 @ 0x55b0f495a480] [error] text": the address says nothing to a reader.
	for strings.HasPrefix(line, "[") {
		group, text, ok := strings.Cut(line, "] ")
		if !ok {
			return
		}
		if isLevel(group[1:]) {
			level = group[1:]
		}
		info = info || strings.Contains(group, "showinfo")
		line = strings.TrimSpace(text)
	}
	if info && c.frames != nil {
		c.frames.line(line)
	}
	c.levels = c.levels || level != ""
	if line == "" || strings.HasPrefix(line, "Last message repeated") || !isErrorLevel(level, c.levels) {
		return
	}
	for _, d := range damage {
		if strings.Contains(line, d) {
			c.damaged++
			break
		}
	}
	c.lines = append(c.lines, strings.ToValidUTF8(line, "?"))
	if len(c.lines) > keptLines {
		c.lines = c.lines[1:]
	}
}

// isLevel knows the words that ffmpeg puts before a line when it is asked for levels.
func isLevel(word string) bool {
	switch word {
	case "panic", "fatal", "error", "warning", "info", "verbose", "debug", "trace":
		return true
	}
	return false
}

// isErrorLevel says whether a line of that level, or of none, is an error.
func isErrorLevel(level string, levels bool) bool {
	switch level {
	case "panic", "fatal", "error":
		return true
	case "":
		return !levels
	}
	return false
}

// lastErrors is the last two errors of ffmpeg: the cause, and what it gave up for it.
func (c *errorOutput) lastErrors() string {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.rest) > 0 {
		c.line()
	}
	return strings.Join(c.lines[max(0, len(c.lines)-2):], "; ")
}

func (c *errorOutput) damagedPictures() int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.damaged
}
