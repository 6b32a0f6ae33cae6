// Package native is what a mosaic needs of the package with OpenCV: boxes drawn into pictures. It
// stands apart so that the mosaic itself builds and tests without it.
package native

import (
	"context"
	"fmt"

	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/vision"
)

const (
	maxPixels = 1 << 26 // of a snapshot
	quality   = 88      // of the JPEG: boxes and labels stay crisp
)

// Annotator draws with OpenCV.
type Annotator struct {
	Memory *budget.Bytes // of all decoders of the process; nil: without bound
}

// Draw decodes a JPEG, draws zones, lines and boxes with labels and scores, and encodes it again.
func (a Annotator) Draw(jpeg []byte, boxes []vision.Box, marks []vision.Mark) ([]byte, error) {
	size, err := infer.ImageBytes(jpeg)
	if err != nil {
		return nil, fmt.Errorf("decoding a snapshot: %w", err)
	}
	give, err := a.Memory.Take(context.Background(), size) // others have it for as long as a picture takes
	if err != nil {
		return nil, fmt.Errorf("decoding a snapshot: %w", err)
	}
	defer give()
	im, err := infer.DecodeImage(jpeg, maxPixels)
	if err != nil {
		return nil, fmt.Errorf("decoding a snapshot: %w", err)
	}
	drawn, err := infer.Annotate(im, boxes, marks)
	if err != nil {
		return nil, fmt.Errorf("drawing %d boxes: %w", len(boxes), err)
	}
	return infer.EncodeJPEG(drawn, quality)
}
