// Package linktile is how a tile of a scene travels from a device to the cloud: the scene's own whole
// numbers, coded without loss or with a bound on the error, of the blocks that are wanted, with the device's
// own mask for the others. It knows nothing of files, projections or networks.
//
//	"CCT1" | length, header (JSON, deflated) | sections: kind, length, bytes … | CRC-32C of all before
//
// Lengths are varints, the checksum is little-endian. How pixels are coded: docs/decisions/0022-codec-of-link-tiles.md.
package linktile

import (
	"errors"
	"fmt"
	"math"
)

// MediaType is the content type of an item that holds a tile.
const MediaType = "application/vnd.cloudcanvas.tile"

// BlockSide is the side of the blocks that a tile leaves out or keeps, in pixels.
const BlockSide = 32

// Bounds of a tile, checked before anything is made room for.
const (
	MaxSide    = 4096
	MaxBands   = 32
	MaxSamples = 1 << 28 // pixels x bands
)

// Tile is a rectangle of a scene.
type Tile struct {
	Header
	// Pix are the stored numbers, band after band, row by row, those of Int16 as their bits. In blocks that are
	// left out they hold the block's mean.
	Pix []uint16
	// Kept says for each block, row by row, whether its pixels are here; nil: all are. See Inner.
	Kept []bool
	// Mask is the device's own class of each pixel (0 clear, 1 shadow, 2 cloud, 255 no data); nil: there is none.
	Mask []byte
}

// Header is what stands before the pixels.
type Header struct {
	W        int        `json:"w"`
	H        int        `json:"h"`
	Bands    []string   `json:"bands"`
	DataType string     `json:"type"`              // Byte, UInt16 or Int16
	Scalings []Scaling  `json:"scale"`             // of each band
	NoData   *float64   `json:"nodata,omitempty"`  // the number that marks pixels without data, exact in every layer
	Error    []int      `json:"error,omitempty"`   // of each band, the most that a stored number is off; nil: none is
	Layer    string     `json:"layer,omitempty"`   // LayerCoarse or LayerRefinement; "": a tile by itself
	Refines  string     `json:"refines,omitempty"` // the digest of the tile that a refinement refines
	More     bool       `json:"more,omitempty"`    // a refinement of this tile may follow: who gets it keeps it
	Grid     bool       `json:"grid,omitempty"`    // of a tile made of layers: the pixels of the coarse one are exact
	Place    Place      `json:"place"`
	EPSG     int        `json:"epsg,omitempty"`
	Affine   [6]float64 `json:"affine"`          // of the tile's corner, in GDAL's order; all 0: unknown
	Model    string     `json:"model,omitempty"` // that made Mask, and its version
	Version  string     `json:"version,omitempty"`
}

// Scaling turns stored numbers into reflectance: number x Scale + Offset.
type Scaling struct {
	Scale  float64 `json:"s"`
	Offset float64 `json:"o"`
}

// Place is where the tile lies in its scene, and which of the scene's windows it is made of. Windows are
// squares of Size pixels every Size-Overlap pixels, the first one beginning Margin pixels outside the
// scene's corner; outside, the scene is mirrored. The tile holds every pixel that its windows show.
type Place struct {
	SceneW  int `json:"scene_w"`
	SceneH  int `json:"scene_h"`
	X       int `json:"x"` // of the tile's first pixel in the scene
	Y       int `json:"y"`
	Size    int `json:"size"`
	Overlap int `json:"overlap"`
	Margin  int `json:"margin"`
	Col     int `json:"col"` // of the first window
	Row     int `json:"row"`
	Cols    int `json:"cols"` // windows
	Rows    int `json:"rows"`
}

// ErrMalformed is what is no tile, or one out of bounds.
var ErrMalformed = errors.New("not a tile")

// Blocks is how many blocks a tile has along a side of n pixels.
func Blocks(n int) int { return (n + BlockSide - 1) / BlockSide }

// Inner are the blocks whose neighbours are all kept, row by row. The others that are kept border on what is left
// out: they are there for who judges the inner ones to look around, and the device's mask stands for them too.
func Inner(kept []bool, cols int) []bool {
	inner := make([]bool, len(kept))
	for i := range kept {
		inner[i] = true
		col, rows := i%cols, len(kept)/cols
		for row := max(0, i/cols-1); row <= min(rows-1, i/cols+1); row++ {
			for c := max(0, col-1); c <= min(cols-1, col+1); c++ {
				inner[i] = inner[i] && kept[row*cols+c]
			}
		}
	}
	return inner
}

// Memory is how much decoding a tile takes, in bytes: the numbers, the sizes of their residuals, what is known
// of each pixel, and the tables of the tokens. Refining takes as much, beside the base.
func (h Header) Memory() int64 {
	return int64(h.W)*int64(h.H)*(int64(len(h.Bands))*4+4) + 1<<20
}

// Check says what is wrong with a header, or nil. Every number is bounded before it sizes anything.
func (h Header) Check() error {
	switch {
	case h.W < 1 || h.H < 1 || h.W > MaxSide || h.H > MaxSide:
		return fmt.Errorf("%w: %d x %d pixels, 1 to %d a side are possible", ErrMalformed, h.W, h.H, MaxSide)
	case len(h.Bands) < 1 || len(h.Bands) > MaxBands:
		return fmt.Errorf("%w: %d bands, 1 to %d are possible", ErrMalformed, len(h.Bands), MaxBands)
	case int64(h.W)*int64(h.H)*int64(len(h.Bands)) > MaxSamples:
		return fmt.Errorf("%w: %d x %d pixels of %d bands, %d numbers in all are possible", ErrMalformed, h.W, h.H, len(h.Bands), MaxSamples)
	case h.DataType != "Byte" && h.DataType != "UInt16" && h.DataType != "Int16":
		return fmt.Errorf("%w: numbers of type %.40q, not Byte, UInt16 or Int16", ErrMalformed, h.DataType)
	case len(h.Scalings) != len(h.Bands):
		return fmt.Errorf("%w: %d scalings of %d bands", ErrMalformed, len(h.Scalings), len(h.Bands))
	case h.Layer != "" && h.Layer != LayerCoarse && h.Layer != LayerRefinement:
		return fmt.Errorf("%w: a layer %.20q", ErrMalformed, h.Layer)
	case (h.Refines != "") != (h.Layer == LayerRefinement):
		return fmt.Errorf("%w: a layer %.20q that refines %.32q", ErrMalformed, h.Layer, h.Refines)
	case h.Error != nil && len(h.Error) != len(h.Bands):
		return fmt.Errorf("%w: bounds of the error for %d of %d bands", ErrMalformed, len(h.Error), len(h.Bands))
	}
	for i, name := range h.Bands {
		if len(name) > 64 {
			return fmt.Errorf("%w: a band's name of %d bytes", ErrMalformed, len(name))
		}
		if s := h.Scalings[i]; !(math.Abs(s.Scale) > 0 && math.Abs(s.Scale) <= 1e12 && math.Abs(s.Offset) <= 1e12) {
			return fmt.Errorf("%w: band %.40q is scaled by %v and %v", ErrMalformed, name, s.Scale, s.Offset)
		}
	}
	for _, e := range h.Error {
		if e < 0 || e > math.MaxInt16 {
			return fmt.Errorf("%w: a bound of %d on the error", ErrMalformed, e)
		}
	}
	if h.NoData != nil {
		low, high := Limits(h.DataType)
		if v := *h.NoData; !(v >= low && v <= high) || v != math.Trunc(v) {
			return fmt.Errorf("%w: %v marks no data, which is no %s", ErrMalformed, v, h.DataType)
		}
	}
	return h.Place.check(h.W, h.H)
}

// Limits are the least and the most that a number of a type can be.
func Limits(dataType string) (low, high float64) {
	switch dataType {
	case "Byte":
		return 0, math.MaxUint8
	case "Int16":
		return math.MinInt16, math.MaxInt16
	}
	return 0, math.MaxUint16
}

// check bounds the place of a tile of w x h in its scene.
func (p Place) check(w, h int) error {
	const maxScene = 1 << 21
	switch {
	case p.SceneW < 1 || p.SceneH < 1 || p.SceneW > maxScene || p.SceneH > maxScene:
		return fmt.Errorf("%w: of a scene of %d x %d pixels", ErrMalformed, p.SceneW, p.SceneH)
	case p.X < 0 || p.Y < 0 || p.X > p.SceneW-w || p.Y > p.SceneH-h:
		return fmt.Errorf("%w: %d x %d pixels at %d, %d of a scene of %d x %d", ErrMalformed, w, h, p.X, p.Y, p.SceneW, p.SceneH)
	case p.Size < 1 || p.Size > MaxSide || p.Overlap < 0 || p.Overlap > p.Size/2 || p.Margin < 0 || p.Margin >= p.Size-p.Overlap:
		return fmt.Errorf("%w: windows of %d pixels with overlap %d and margin %d", ErrMalformed, p.Size, p.Overlap, p.Margin)
	case p.Col < 0 || p.Row < 0 || p.Cols < 1 || p.Rows < 1 || p.Cols > 64 || p.Rows > 64 || p.Col > maxScene || p.Row > maxScene:
		return fmt.Errorf("%w: %d x %d windows from %d, %d on", ErrMalformed, p.Cols, p.Rows, p.Col, p.Row)
	}
	return nil
}
