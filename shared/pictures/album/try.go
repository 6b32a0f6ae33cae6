package album

import (
	"context"
	"embed"
	"errors"

	"cloudcanvas/shared/pictures"
)

//go:embed try
var tries embed.FS

// Try reads a small HEIC or AVIF: that libheif is there does not say that it has the decoders.
func Try(ctx context.Context, kind string) error {
	name := "try/small.heic"
	if kind == pictures.AVIF {
		name = "try/small.avif"
	}
	data, err := tries.ReadFile(name)
	if err != nil {
		return err
	}
	im, _, err := First(ctx, data, 96*64)
	if err == nil && im.W*im.H != 96*64 {
		err = errors.New("it came out in another size")
	}
	return err
}
