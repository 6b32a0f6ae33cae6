package capture

import (
	"context"

	"cloudcanvas/shared/vision"
)

// Opened is a file, or a message, with one picture in it or more. It is met by *album.Album.
type Opened interface {
	Count() int                     // of its pictures
	Name(file string, i int) string // of one of them, in a file of that name
	Left() string                   // what of the file is not taken; empty: nothing
	Native(i int) []byte            // what native code of this process reads to decode one; nil where none does
	Picture(ctx context.Context, i int) (vision.Image, vision.Notes, error)
	Close()
}

// Open reads a file's header. It refuses pictures with more than maxPixels before they are decoded.
type Open func(ctx context.Context, data []byte, maxPixels int) (Opened, error)
