package mosaic

import (
	"bytes"
	"fmt"
	"image"
	"image/png"

	"cloudcanvas/shared/raster"
)

// shareOne is the probability 1 in a result's planes.
const shareOne = 254

// maxClasses bounds the planes of one result.
const maxClasses = 16

// decodeShares reads a tile's result: an 8-bit gray PNG of the window's width, with one plane below
// the other for class 1, 2, …, each of the window's height, in 1/254; 255 is no data. The size is
// looked at before anything is decoded.
func decodeShares(data []byte, at raster.Window) ([][]byte, error) {
	head, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	planes := head.Height / max(at.H, 1)
	if head.Width != at.W || head.Height != planes*at.H || planes < 1 || planes > maxClasses {
		return nil, fmt.Errorf("it has %d x %d pixels, not planes of %d x %d below one another", head.Width, head.Height, at.W, at.H)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	gray, ok := picture.(*image.Gray)
	if !ok || gray.Stride != at.W {
		return nil, fmt.Errorf("it is not 8-bit gray")
	}
	shares := make([][]byte, planes)
	for c := range shares {
		shares[c] = gray.Pix[c*at.W*at.H:][:at.W*at.H]
	}
	return shares, nil
}
