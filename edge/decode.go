package edge

import (
	"context"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/vision"
)

// decoding decodes pictures within the memory that all decoders of the process may take at one time. It
// waits for others until ctx ends.
func (a *Agent) decoding(ctx context.Context) capture.Decode {
	return func(data []byte, maxPixels int) (vision.Image, vision.Notes, error) {
		size, err := infer.PictureBytes(data)
		if err != nil {
			return vision.Image{}, vision.Notes{}, err
		}
		give, err := a.memory.Take(ctx, size)
		if err != nil {
			return vision.Image{}, vision.Notes{}, err
		}
		defer give()
		return infer.DecodePicture(data, maxPixels)
	}
}
