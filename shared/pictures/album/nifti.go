package album

import (
	"context"
	"fmt"

	"cloudcanvas/shared/pictures/nifti"
	"cloudcanvas/shared/vision"
)

// volume is a NIfTI file's, in slices.
type volume struct{ file *nifti.File }

func openNIfTI(data []byte, maxPixels int) (*Album, error) {
	f, err := nifti.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the NIfTI volume: %w", err)
	}
	if err := fits(f.W, f.H, maxPixels); err != nil {
		return nil, err
	}
	return &Album{parts: "slices", count: f.Slices, source: volume{f}}, nil
}

func (v volume) bytes(int) int64 { return v.file.Bytes() }

func (v volume) picture(ctx context.Context, i int) (vision.Image, vision.Notes, error) {
	im, notes, err := v.file.Slice(ctx, i)
	if err != nil {
		return im, notes, fmt.Errorf("decoding the NIfTI volume: %w", err)
	}
	if s := v.file.Spacing; s[0] > 0 {
		notes.Spacing = vision.Spacing{X: s[0], Y: s[1], Of: vision.OfBody}
	}
	return im, notes, nil
}

func (v volume) native(int) []byte { return nil }
func (v volume) close()            {}
