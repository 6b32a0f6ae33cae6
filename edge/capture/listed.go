package capture

import (
	"context"
	"io"
	"slices"
	"strings"
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
	text := "ffconcat version 1.0\nfile '" + quoted + "'\noption rtsp_transport " + in.transport + "\n"
	for option := range slices.Chunk(in.hurry(), 2) {
		text += "option " + strings.TrimPrefix(option[0], "-") + " " + option[1] + "\n"
	}
	return strings.NewReader(text)
}

// hide gives in as this ffmpeg can be told of it.
func (t tools) hide(ctx context.Context, in input) input {
	if in.listed() && t.release != nil && t.release.find(ctx, t).before(5, 0) {
		in.open = true
		t.release.old.Do(t.release.tell)
	}
	return in
}
