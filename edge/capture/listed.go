package capture

import (
	"context"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An address with a password in it would stand in ffmpeg's arguments, which everybody on the machine
// may read. ffmpeg takes it from a list on its standard input instead (its concat demuxer): the same
// streams, nothing to be seen. The list's option for the transport needs ffmpeg 5.

// listed says that the address must not be among the arguments.
func (in input) listed() bool { return in.kind == rtsp && in.private && !in.open }

// list is what ffmpeg reads; nil: nothing.
func (in input) list() io.Reader {
	if !in.listed() {
		return nil
	}
	quoted := strings.ReplaceAll(in.target, "'", `'\''`)
	return strings.NewReader("ffconcat version 1.0\nfile '" + quoted + "'\noption rtsp_transport " + in.transport + "\n")
}

// listing finds out once whether the installed ffmpeg takes lists.
type listing struct {
	once sync.Once
	no   bool
	tell func() // where it does not
}

var ffmpegVersion = regexp.MustCompile(`^ff(?:mpeg|probe) version n?(\d+)\.`)

// hide gives in as this ffmpeg can be told of it. What is no release, such as a build of today's
// sources, is taken for a new one.
func (t tools) hide(ctx context.Context, in input) input {
	if !in.listed() || t.lists == nil {
		return in
	}
	t.lists.once.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		said, err := exec.CommandContext(ctx, t.ffmpeg, "-version").Output()
		t.lists.no = err == nil && older(string(said))
		if t.lists.no && t.lists.tell != nil {
			t.lists.tell()
		}
	})
	in.open = t.lists.no
	return in
}

// older says of what `ffmpeg -version` prints that the lists of this ffmpeg have no options.
func older(said string) bool {
	m := ffmpegVersion.FindStringSubmatch(said)
	if m == nil {
		return false
	}
	major, err := strconv.Atoi(m[1])
	return err == nil && major < 5
}
