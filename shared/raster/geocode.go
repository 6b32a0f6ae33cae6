package raster

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/airbusgeo/godal"
)

// Placing is where the pixels of an image lie that has no grid on a map, such as one in slant range. Whole numbers
// are the middles of pixels; a pixel beside the image may have a place as well. sar.Geometry is one.
type Placing interface {
	Size() (rows, cols int)
	Place(row, col, height float64) (lat, lon float64, err error)
	Pixel(lat, lon, height float64) (row, col float64, err error)
}

// Map is the map that an image is brought onto.
type Map struct {
	Metres   float64 // side of a pixel
	Height   float64 // of the ground above the WGS 84 ellipsoid
	Metadata map[string]string
}

// Mapped is what Geocode has written.
type Mapped struct {
	Georef        Georef
	Width, Height int
}

const (
	mapTile    = 512
	tiePixels  = 32      // from tie point to tie point
	maxSource  = 8 << 20 // pixels of the image that are in memory at once
	maxSamples = 8       // a side of a map's pixel
	rimPoints  = 64      // of each side of the image, by which the map is laid out
)

// Geocode brings an image of amplitudes, a file of one band that a Writer has made, onto a map in UTM by inverse
// mapping and writes it as a COG of 32-bit numbers. Each pixel's place in the image is interpolated between tie
// points, and the amplitude between the four pixels around it; where a pixel of the map is larger than the image's,
// it is the root of the mean power of several such places. What lies outside of the image has the image's number
// for no data, NaN where it has none. Memory does not grow with either.
func Geocode(ctx context.Context, src, dst string, at Placing, m Map) (Mapped, error) {
	made, err := geocode(ctx, src, dst, at, m)
	if err != nil {
		return made, fmt.Errorf("geocode %s: %w", src, err)
	}
	return made, nil
}

func geocode(ctx context.Context, src, dst string, at Placing, m Map) (made Mapped, err error) {
	started()
	image, err := godal.Open(src, godal.RasterOnly(), godal.Drivers("GTiff"), reportErrors)
	if err != nil {
		return made, brief(err)
	}
	defer image.Close(reportErrors)
	st := image.Structure()
	rows, cols := at.Size()
	if st.NBands != 1 || st.SizeX != cols || st.SizeY != rows {
		return made, fmt.Errorf("it has %d bands of %d x %d pixels, not one of the %d x %d that have places", st.NBands, st.SizeX, st.SizeY, cols, rows)
	}
	ring, err := rim(at, m.Height)
	if err != nil {
		return made, err
	}
	if made.Georef, made.Width, made.Height, err = mapAround(ring, m.Metres); err != nil {
		return made, err
	}
	to, err := made.Georef.lonlat()
	if err != nil {
		return made, err
	}
	defer to.close()
	none := math.NaN()
	if number, ok := image.Bands()[0].NoData(); ok {
		none = number
	}
	w, err := Create(dst+".map", Layout{Width: made.Width, Height: made.Height, Bands: []string{"amplitude"}, DataType: "Float32",
		NoData: &none, Georef: made.Georef, Metadata: m.Metadata,
		// Blocks that are not there read as no data: an image that lies across its map leaves corners.
		Creation: []string{"TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "SPARSE_OK=TRUE", "COMPRESS=ZSTD", "ZSTD_LEVEL=1", "BIGTIFF=IF_SAFER"}})
	if err != nil {
		return made, err
	}
	defer w.Close()
	c := geocoder{image: image, at: at, height: m.Height, georef: made.Georef, to: to, none: float32(none)}
	for tile := range (Grid{Width: made.Width, Height: made.Height, Size: mapTile}).Tiles() {
		if err := ctx.Err(); err != nil {
			return made, err
		}
		if err := c.fill(tile.Core, w); err != nil {
			return made, err
		}
	}
	return made, w.FinishCOG(dst, "RMS")
}

// rim is the image's edge in longitude and latitude.
func rim(at Placing, height float64) (ring [][2]float64, err error) {
	rows, cols := at.Size()
	corners := [5][2]float64{{0, 0}, {0, 1}, {1, 1}, {1, 0}, {0, 0}}
	for i := range 4 {
		a, b := corners[i], corners[i+1]
		for k := range rimPoints {
			f := float64(k) / rimPoints
			lat, lon, err := at.Place((a[0]+(b[0]-a[0])*f)*float64(rows-1), (a[1]+(b[1]-a[1])*f)*float64(cols-1), height)
			if err != nil {
				return nil, err
			}
			ring = append(ring, [2]float64{lon, lat})
		}
	}
	return append(ring, ring[0]), nil
}

// geocoder fills windows of the map.
type geocoder struct {
	image  *godal.Dataset
	at     Placing
	height float64
	georef Georef
	to     *lonlat
	none   float32
}

// fill writes a window of the map. One that needs too much of the image at once is halved.
func (c *geocoder) fill(at Window, w *Writer) error {
	ties := c.ties(at)
	rows, cols := c.at.Size()
	need, ok := ties.touched(rows, cols)
	if !ok {
		return nil
	}
	if need.W*need.H > maxSource && max(at.W, at.H) > 1 {
		first, second := at, at
		if at.W >= at.H {
			first.W = at.W / 2
			second.X, second.W = at.X+first.W, at.W-first.W
		} else {
			first.H = at.H / 2
			second.Y, second.H = at.Y+first.H, at.H-first.H
		}
		return errors.Join(c.fill(first, w), c.fill(second, w))
	}
	source := amplitudes{at: need, rows: rows, cols: cols, pixels: make([]float32, need.W*need.H), none: c.none}
	if err := c.image.Read(need.X, need.Y, source.pixels, need.W, need.H, reportErrors); err != nil {
		return brief(err)
	}
	pixels, any := make([]float32, at.W*at.H), false
	right, down := ties.samples()
	for y := range at.H {
		for x := range at.W {
			power, n := 0.0, 0
			for j := range down {
				for i := range right {
					row, col := ties.pixel(float64(x)+(float64(i)+.5)/float64(right), float64(y)+(float64(j)+.5)/float64(down))
					if v, ok := source.sample(row, col); ok {
						power += v * v
						n++
					}
				}
			}
			if n == 0 {
				pixels[y*at.W+x] = c.none
				continue
			}
			pixels[y*at.W+x] = float32(math.Sqrt(power / float64(n)))
			any = true
		}
	}
	if !any {
		return nil
	}
	return w.Write(at, pixels)
}

// amplitudes are a window of the image.
type amplitudes struct {
	at         Window
	rows, cols int
	pixels     []float32
	none       float32
}

// sample is the amplitude between pixels; none outside of the image, or where one of the four has no data.
func (a *amplitudes) sample(row, col float64) (v float64, ok bool) {
	if !(row >= -0.5 && col >= -0.5 && row <= float64(a.rows)-0.5 && col <= float64(a.cols)-0.5) {
		return 0, false
	}
	// Half a pixel along the rim there is nothing beyond to interpolate with.
	row, col = min(max(row, 0), float64(a.rows-1)), min(max(col, 0), float64(a.cols-1))
	y, x := int(row), int(col)
	v00, ok00 := a.pixel(y, x)
	v01, ok01 := a.pixel(y, min(x+1, a.cols-1))
	v10, ok10 := a.pixel(min(y+1, a.rows-1), x)
	v11, ok11 := a.pixel(min(y+1, a.rows-1), min(x+1, a.cols-1))
	f, g := row-float64(y), col-float64(x)
	return (v00*(1-g)+v01*g)*(1-f) + (v10*(1-g)+v11*g)*f, ok00 && ok01 && ok10 && ok11
}

func (a *amplitudes) pixel(y, x int) (float64, bool) {
	y, x = y-a.at.Y, x-a.at.X
	if y < 0 || x < 0 || y >= a.at.H || x >= a.at.W {
		return 0, false
	}
	v := a.pixels[y*a.at.W+x]
	return float64(v), v-v == 0 && v != a.none
}
