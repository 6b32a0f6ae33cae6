package capture

import (
	"context"

	"cloudcanvas/shared/vision"
)

// Guard hears of an input before native code reads it, and by done when it has. Its error refuses an
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
