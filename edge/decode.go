package edge

import (
	"context"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/pictures/album"
	"cloudcanvas/shared/vision"
)

// opening opens files with pictures in them, which are decoded within the memory that all decoders of the process
// may take at one time. A picture waits for others until its context ends.
func (a *Agent) opening() capture.Open {
	return func(ctx context.Context, data []byte, maxPixels int) (capture.Opened, error) {
		f, err := album.Open(ctx, data, maxPixels)
		if err != nil {
			return nil, err
		}
		return budgeted{f, a.memory}, nil
	}
}

type budgeted struct {
	*album.Album
	memory *budget.Bytes
}

func (b budgeted) Picture(ctx context.Context, i int) (vision.Image, vision.Notes, error) {
	give, err := b.memory.Take(ctx, b.Bytes(i))
	if err != nil {
		return vision.Image{}, vision.Notes{}, err
	}
	defer give()
	return b.Album.Picture(ctx, i)
}
