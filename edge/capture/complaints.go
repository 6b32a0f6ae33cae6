package capture

import (
	"strings"
	"sync"
)

// complaints keeps the last lines of ffmpeg's standard error, and counts those that speak of
// damaged pictures.
type complaints struct {
	lock    sync.Mutex
	rest    []byte
	lines   []string
	damaged int
}

// damage is how ffmpeg's demuxers and decoders speak of bytes that are missing or wrong.
var damage = []string{"ended prematurely", "partial file", "truncat", "damaged", "orrupt",
	"rror while decoding", "rror at MB", "Invalid NAL", "Invalid data found", "concealing", "missing picture"}

const complaintLength, complaintLines = 300, 8

func (c *complaints) Write(p []byte) (int, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, b := range p {
		if b != '\n' && b != '\r' {
			if len(c.rest) < complaintLength {
				c.rest = append(c.rest, b)
			}
			continue
		}
		c.line()
	}
	return len(p), nil
}

func (c *complaints) line() {
	line := strings.TrimSpace(string(c.rest))
	c.rest = c.rest[:0]
	// "[h264 @ 0x55b0f495a480] text": the address says nothing to a reader.
	if strings.HasPrefix(line, "[") {
		if _, text, ok := strings.Cut(line, "] "); ok {
			line = strings.TrimSpace(text)
		}
	}
	if line == "" || strings.HasPrefix(line, "Last message repeated") || strings.HasPrefix(line, "[") {
		return
	}
	for _, d := range damage {
		if strings.Contains(line, d) {
			c.damaged++
			break
		}
	}
	c.lines = append(c.lines, strings.ToValidUTF8(line, "?"))
	if len(c.lines) > complaintLines {
		c.lines = c.lines[1:]
	}
}

// last is the last two things that ffmpeg said: the cause, and what it gave up for it.
func (c *complaints) last() string {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.rest) > 0 {
		c.line()
	}
	return strings.Join(c.lines[max(0, len(c.lines)-2):], "; ")
}

func (c *complaints) damages() int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.damaged
}
