// Package album opens the files that people have pictures in, one picture or many: the pages of a TIFF, the frames of
// a DICOM file, the slices of a NIfTI volume. It is the one way in for edge, cloud and tools.
package album

import (
	"context"
	"fmt"
	"strconv"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/vision"
)

// MostPictures bounds the pictures that are taken of one file.
const MostPictures = 4096

// Album is a file that was opened. It belongs to one goroutine.
type Album struct {
	parts string // what its pictures are, where there may be many: pages, frames, slices
	count int
	left  string
	source
}

// source decodes the pictures of one kind of file.
type source interface {
	// bytes is the memory that decoding takes.
	bytes(i int) int64
	picture(ctx context.Context, i int) (vision.Image, vision.Notes, error)
	// native is what OpenCV reads, in this process, for a picture; nil where it does not.
	native(i int) []byte
	close()
}

// Open tells a file by its first bytes and reads its header. A picture of more than maxPixels is refused before it is
// decoded. data are the album's until Close.
func Open(ctx context.Context, data []byte, maxPixels int) (*Album, error) {
	a, err := open(ctx, data, maxPixels)
	if err != nil {
		return nil, err
	}
	if a.count > MostPictures {
		a.left = fmt.Sprintf("only the first %d of its %d %s are taken", MostPictures, a.count, a.parts)
		a.count = MostPictures
	}
	return a, nil
}

func open(ctx context.Context, data []byte, maxPixels int) (*Album, error) {
	switch pictures.Of(data).Name {
	case pictures.HEIC, pictures.AVIF:
		return openHEIF(ctx, data, maxPixels)
	case pictures.DICOM:
		return openDICOM(data, maxPixels)
	case pictures.NIfTI:
		return openNIfTI(data, maxPixels)
	case pictures.TIFF, pictures.BigTIFF:
		return openTIFF(data, maxPixels)
	case pictures.GIF:
		return openGIF(data, maxPixels)
	}
	return openPlain(data, maxPixels)
}

// First decodes a file's first picture. What else is in it stands in notes.Left.
func First(ctx context.Context, data []byte, maxPixels int) (vision.Image, vision.Notes, error) {
	a, err := Open(ctx, data, maxPixels)
	if err != nil {
		return vision.Image{}, vision.Notes{}, err
	}
	defer a.Close()
	im, notes, err := a.Picture(ctx, 0)
	if a.count > 1 {
		notes.Left = fmt.Sprintf("only the first of its %d %s is taken", a.count, a.parts)
	}
	return im, notes, err
}

// Count is the number of pictures that are taken.
func (a *Album) Count() int { return a.count }

// Name names a picture of the file: after the file, and where it has more than one with their number from 1 on.
func (a *Album) Name(file string, i int) string {
	if a.count == 1 && a.left == "" {
		return file
	}
	return file + "#" + strconv.Itoa(i+1)
}

// Skipped says what of the file is not taken; empty where all is.
func (a *Album) Skipped() string { return a.left }

// Native is what native code of this process reads to decode a picture; nil where none does, so that nothing that is
// wrong with the file can end the program.
func (a *Album) Native(i int) []byte { return a.native(i) }

// Bytes is the memory that decoding a picture takes.
func (a *Album) Bytes(i int) int64 { return a.bytes(i) }

// Picture decodes one, best in their order.
func (a *Album) Picture(ctx context.Context, i int) (vision.Image, vision.Notes, error) {
	if i < 0 || i >= a.count {
		return vision.Image{}, vision.Notes{}, fmt.Errorf("it has no picture %d", i+1)
	}
	return a.picture(ctx, i)
}

// Close lets go of what decoding holds.
func (a *Album) Close() { a.close() }

// plain is one picture that OpenCV reads.
type plain struct {
	data      []byte
	maxPixels int
	size      int64
}

func openPlain(data []byte, maxPixels int) (*Album, error) {
	size, err := infer.PictureBytes(data)
	if err != nil {
		return nil, err
	}
	return &Album{count: 1, source: plain{data, maxPixels, size}}, nil
}

func (p plain) bytes(int) int64 { return p.size }

func (p plain) picture(context.Context, int) (vision.Image, vision.Notes, error) {
	return infer.DecodePicture(p.data, p.maxPixels)
}

func (p plain) native(int) []byte { return p.data }
func (p plain) close()            {}
