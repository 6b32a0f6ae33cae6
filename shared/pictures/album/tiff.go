package album

import (
	"bytes"
	"context"
	"fmt"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/pictures/tiff"
	"cloudcanvas/shared/vision"
)

// pages are those of a TIFF. Each is decoded as the first of a file, whose header points at it.
type pages struct {
	data      []byte
	file      tiff.File
	own       []tiff.Page
	maxPixels int
}

func openTIFF(data []byte, maxPixels int) (*Album, error) {
	if why := pictures.Windows(bytes.NewReader(data), int64(len(data)), maxPixels); why != "" {
		return nil, fmt.Errorf("it is %s", why)
	}
	f, err := tiff.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("reading the TIFF: %w", err)
	}
	own := f.Pictures()
	if len(own) == 0 { // a preview of something: reported by what reads it
		own = f.Pages[:1]
	}
	if own[0].At != f.Pages[0].At || len(own) > 1 {
		data = bytes.Clone(data) // it is written to
		for _, p := range own {
			f.Order.PutUint32(data[p.Link:], 0) // or OpenCV walks through all that follow, each time
		}
	}
	a := &Album{parts: "pages", count: len(own), source: pages{data, f, own, maxPixels}}
	if f.Cut {
		a.left = fmt.Sprintf("the pages after the first %d can't be found; is the file whole?", len(f.Pages))
	}
	if len(own) == 1 && a.left == "" {
		if _, err := infer.PictureBytes(a.native(0)); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// native is the file with its header pointing at a page.
func (p pages) native(i int) []byte {
	if at := uint32(p.own[i].At); p.file.Order.Uint32(p.data[4:]) != at {
		p.file.Order.PutUint32(p.data[4:], at)
	}
	return p.data
}

func (p pages) bytes(i int) int64 {
	n, err := infer.PictureBytes(p.native(i))
	if err != nil {
		return 0 // picture tells it
	}
	return n
}

func (p pages) picture(_ context.Context, i int) (vision.Image, vision.Notes, error) {
	return infer.DecodePicture(p.native(i), p.maxPixels)
}

func (p pages) close() {}
