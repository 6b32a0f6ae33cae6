package capture

import (
	"context"
	"log/slog"

	"cloudcanvas/shared/vision"
)

// Opened is a file, or a message, with one picture in it or more. It is met by *album.Album.
type Opened interface {
	Count() int                     // of its pictures
	Name(file string, i int) string // of one of them, in a file of that name
	Skipped() string                // what of the file is not taken; empty: nothing
	Native(i int) []byte            // what native code of this process reads to decode one; nil where none does
	Picture(ctx context.Context, i int) (vision.Image, vision.Notes, error)
	Close()
}

// Open reads a file's header. It refuses pictures with more than maxPixels before they are decoded.
type Open func(ctx context.Context, data []byte, maxPixels int) (Opened, error)

// Guard is called before native code reads an input, and its done after. Its error refuses an
// input that killed the process before. data are its bytes; nil where they lie in the stream's file,
// and name says which part of it, empty for the file itself.
type Guard func(ctx context.Context, stream, name string, data []byte) (done func(), err error)

// begin lets everything through where there is no guard.
func (g Guard) begin(ctx context.Context, stream, name string, data []byte) (done func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	return g(ctx, stream, name, data)
}

// decode decodes one of a file's pictures. What is decoded apart from this process can't end it, and is not kept.
func (g Guard) decode(ctx context.Context, stream, name string, f Opened, i int) (vision.Image, vision.Notes, error) {
	if data := f.Native(i); data != nil {
		done, err := g.begin(ctx, stream, name, data)
		if err != nil {
			return vision.Image{}, vision.Notes{}, err
		}
		defer done()
	}
	return f.Picture(ctx, i)
}

// loggedNotes are the notes on pictures that were logged already.
type loggedNotes map[string]bool

// maxLoggedNotes bounds them.
const maxLoggedNotes = 20

// log writes each thing that was assumed or skipped once, with the first picture of which it is true.
func (t loggedNotes) log(log *slog.Logger, picture string, notes vision.Notes) {
	for _, note := range []string{notes.Assumed, notes.Left} {
		if note == "" || t[note] || len(t) >= maxLoggedNotes {
			continue
		}
		t[note] = true
		log.Warn("a picture was read with an assumption or in part; further pictures like it are not logged", "picture", picture, "note", note)
	}
}
