package album

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"cloudcanvas/shared/pictures/apart"
	"cloudcanvas/shared/pictures/dicom"
	"cloudcanvas/shared/vision"
)

// frames are those of a DICOM file.
type frames struct{ file *dicom.File }

func openDICOM(data []byte, maxPixels int) (*Album, error) {
	f, err := dicom.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the DICOM file: %w", err)
	}
	if err := fits(f.Columns, f.Rows, maxPixels); err != nil {
		return nil, err
	}
	return &Album{parts: "frames", count: f.Frames, source: frames{f}}, nil
}

func (f frames) bytes(int) int64 { return f.file.Bytes() }

func (f frames) picture(ctx context.Context, i int) (vision.Image, vision.Notes, error) {
	im, notes, err := f.file.Picture(i, func(codestream []byte) (dicom.Raw, error) {
		return f.jpeg2000(ctx, codestream)
	})
	if err != nil {
		return im, notes, fmt.Errorf("decoding the DICOM file: %w", err)
	}
	if s := f.file.Spacing; s[0] > 0 {
		notes.Spacing = vision.Spacing{X: s[0], Y: s[1], Of: vision.OfBody}
		if f.file.AtDetector {
			notes.Spacing.Of = vision.OfDetector
		}
	}
	return im, notes, nil
}

// jpeg2000 decodes a frame in a process of its own.
func (f frames) jpeg2000(ctx context.Context, codestream []byte) (r dicom.Raw, err error) {
	p, err := apart.Open(ctx, apart.JPEG2000, codestream)
	if err != nil {
		return r, fmt.Errorf("its JPEG 2000: %w", err)
	}
	defer p.Close()
	if p.W != f.file.Columns || p.H != f.file.Rows {
		return r, errors.New("its JPEG 2000 has another size than the file says")
	}
	pix, err := p.Pixels(ctx)
	if err != nil {
		return r, fmt.Errorf("its JPEG 2000: %w", err)
	}
	r = dicom.Raw{W: p.W, H: p.H, Samples: p.Samples, Values: make([]int32, p.W*p.H*p.Samples)}
	for k := range r.Values {
		switch {
		case p.Bits == 8:
			r.Values[k] = int32(pix[k])
		case p.Signed:
			r.Values[k] = int32(int16(binary.NativeEndian.Uint16(pix[2*k:])))
		default:
			r.Values[k] = int32(binary.NativeEndian.Uint16(pix[2*k:]))
		}
	}
	return r, nil
}

func (f frames) native(int) []byte { return nil }
func (f frames) close()            {}
