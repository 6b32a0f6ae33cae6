package capture

import (
	"strings"
	"testing"
)

func FuzzErrorOutput(f *testing.F) {
	f.Add("[Parsed_showinfo_0 @ 0x55] [info] config in time_base: 1/12800, frame_rate: 25/1\n[Parsed_showinfo_0 @ 0x55] [info] n:   0 pts:    512 pts_time:0.04 s:320x240 i:P\n")
	f.Add("[h264 @ 0x55b0f495a480] [error] error while decoding MB 3 4\nplain\n")
	f.Add("[Parsed_showinfo_0 @ 0x55] [info] n: 1 pts: NOPTS s:99999999999999999999x1\n")
	f.Fuzz(func(t *testing.T, said string) {
		c := &errorOutput{frames: newFrameInfos()}
		c.Write([]byte(said))
		if text := c.lastErrors(); strings.Contains(text, "\n") || len(c.lines) > keptLines {
			t.Errorf("%d lines, %q", len(c.lines), text)
		}
		for _, n := range c.frames.frames {
			if n.w < 0 || n.h < 0 || !n.timed && n.at != 0 {
				t.Errorf("%+v", n)
			}
		}
	})
}
