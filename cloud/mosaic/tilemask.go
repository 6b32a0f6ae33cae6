package mosaic

import (
	"bytes"
	"fmt"
	"image"
	"image/png"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// decodeCore reads a result's mask, an 8-bit gray PNG of the tile's window or of its core, and gives
// the classes of the core. The size is looked at before anything is decoded.
func decodeCore(data []byte, at raster.Tile) ([]byte, error) {
	head, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	from := at.Window
	if head.Width == at.Core.W && head.Height == at.Core.H {
		from = at.Core
	}
	if head.Width != from.W || head.Height != from.H {
		return nil, fmt.Errorf("it has %d x %d pixels, the tile's window has %d x %d", head.Width, head.Height, at.Window.W, at.Window.H)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	gray, ok := picture.(*image.Gray)
	if !ok {
		return nil, fmt.Errorf("it is not 8-bit gray")
	}
	inner := at.Core.Sub(from)
	class := make([]byte, 0, inner.W*inner.H)
	for y := range inner.H {
		row := (inner.Y+y)*gray.Stride + inner.X
		class = append(class, gray.Pix[row:row+inner.W]...)
	}
	return class, nil
}

// count is how many pixels are clear, shadow, cloud, and anything else.
func count(class []byte) (n [4]uint32) {
	for _, c := range class {
		if c > vision.Cloud {
			c = 3
		}
		n[c]++
	}
	return n
}
