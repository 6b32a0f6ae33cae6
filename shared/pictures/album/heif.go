package album

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/pictures/apart"
	"cloudcanvas/shared/vision"
)

// heif is a HEIC or AVIF file, in a process of its own.
type heif struct {
	kind string
	file *apart.File
}

func openHEIF(ctx context.Context, data []byte, maxPixels int) (*Album, error) {
	h := heif{kind: pictures.Of(data).Name}
	var err error
	if h.file, err = apart.Open(ctx, apart.HEIF, data); err != nil {
		return nil, fmt.Errorf("reading the %s: %w", h.kind, err)
	}
	if err := fits(h.file.W, h.file.H, maxPixels); err != nil {
		h.file.Close()
		return nil, err
	}
	return &Album{count: 1, source: h}, nil
}

// fits holds a size against a limit.
func fits(w, h, maxPixels int) error {
	if w < 1 || h < 1 || w > maxPixels/h {
		return fmt.Errorf("it has %dx%d pixels, over the limit of %d; scale it down, or raise the limit", w, h, maxPixels)
	}
	return nil
}

func (h heif) bytes(int) int64 {
	return h.file.Bytes()
}

func (h heif) picture(ctx context.Context, _ int) (vision.Image, vision.Notes, error) {
	pix, err := h.file.Pixels(ctx)
	if err != nil {
		return vision.Image{}, vision.Notes{}, fmt.Errorf("decoding the %s: %w", h.kind, err)
	}
	return vision.Image{W: h.file.W, H: h.file.H, Pix: pix}, h.notes(), nil
}

func (h heif) notes() (n vision.Notes) {
	switch {
	case h.file.Moves:
		n.Left = "it moves, and only its main picture is taken"
	case h.file.Pictures > 1:
		n.Left = fmt.Sprintf("only the main one of its %d pictures is taken", h.file.Pictures)
	}
	if h.file.Bright {
		n.Assumed = "its colours are made for bright screens (HDR), and are taken as they are stored, which looks pale"
	}
	return n
}

func (h heif) native(int) []byte { return nil }
func (h heif) close()            { h.file.Close() }

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
