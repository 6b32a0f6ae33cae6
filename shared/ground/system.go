// Package ground holds small views of the Earth's surface, which tell whether ground has changed since it was
// seen last. Views lie on a lattice that is fixed in the projection, so that any scene on the same pixel grid
// sees the same ones, however it is cut and whoever took it. It is pure: no I/O, no clock.
//
//	a tile's picture ──▶ Overview (cells of 4 x 4 pixels) ──▶ Compare with the views of its blocks
//	                                  └──▶ Patches ──▶ View.Overlay, View.Merge (64 x 64 cells each)
package ground

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// System names a pixel grid and the bands seen on it: the projection, the size and direction of a pixel, where
// the grid's lines lie to a tenth of a pixel, and the bands in their order. Scenes of one system have their
// pixels in the same places.
//
//	EPSG:32632 10 0 0 -10 0 0 blue,green,red,nir
type System string

// Pixel is a pixel's place in a system, counted from the projection's origin.
type Pixel struct{ Col, Row int64 }

const (
	maxSystem = 1024    // bytes of a name
	maxPixel  = 1 << 40 // of a column or row
	maxBands  = 16
	maxBand   = 64 // bytes of a band's name
)

// ErrSystem is what is no system's name.
var ErrSystem = errors.New("not a ground system")

// Locate gives the system of a raster and the place of its first pixel in it. epsg is 0 where the reference
// system has no code; then wkt stands for it. transform is GDAL's. False for rasters that lie nowhere.
func Locate(epsg int, wkt string, transform [6]float64, bands []string) (System, Pixel, bool) {
	t := transform
	turn := t[1]*t[5] - t[2]*t[4]
	if turn == 0 || turn-turn != 0 || epsg == 0 && wkt == "" || !sound(bands) {
		return "", Pixel{}, false
	}
	col, colTenth, ok := split((t[0]*t[5] - t[2]*t[3]) / turn)
	row, rowTenth, ok2 := split((t[1]*t[3] - t[0]*t[4]) / turn)
	if !ok || !ok2 {
		return "", Pixel{}, false
	}
	reference := fmt.Sprintf("EPSG:%d", epsg)
	if epsg == 0 {
		sum := sha256.Sum256([]byte(wkt))
		reference = "WKT:" + hex.EncodeToString(sum[:16])
	}
	names := make([]string, len(bands))
	for i, b := range bands {
		names[i] = url.QueryEscape(b)
	}
	s := System(fmt.Sprintf("%s %.9g %.9g %.9g %.9g %d %d %s", reference, t[1]+0, t[2]+0, t[4]+0, t[5]+0, colTenth, rowTenth, strings.Join(names, ",")))
	return s, Pixel{col, row}, s.Check() == nil
}

func sound(bands []string) bool {
	if len(bands) == 0 || len(bands) > maxBands {
		return false
	}
	for _, b := range bands {
		if b == "" || len(b) > maxBand {
			return false
		}
	}
	return true
}

// split cuts a place into whole pixels and tenths. It is first rounded to a millionth, so that two files whose
// numbers differ in the last digit fall on the same side of a tenth's border.
func split(at float64) (whole int64, tenth int, ok bool) {
	if !(math.Abs(at) < maxPixel) {
		return 0, 0, false
	}
	millionths := int64(math.Round(at * 1e6))
	tenths := floor(millionths+50_000, 100_000)
	whole = floor(tenths, 10)
	return whole, int(tenths - 10*whole), true
}

// floor divides, rounding down.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// ID is short and fit for paths.
func (s System) ID() string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// Bands are how many the system has.
func (s System) Bands() int { return strings.Count(string(s), ",") + 1 }

// Shared says whether the system means the same to everybody: its reference system has a code.
func (s System) Shared() bool { return strings.HasPrefix(string(s), "EPSG:") }

// Check says what is wrong with a system's name, or nil: it may come from outside.
func (s System) Check() error {
	field := strings.Split(string(s), " ")
	if len(s) > maxSystem || len(field) != 8 {
		return fmt.Errorf("%w: %.60q", ErrSystem, string(s))
	}
	kind, code, _ := strings.Cut(field[0], ":")
	if n, err := strconv.ParseUint(code, 10, 21); kind == "EPSG" && (err != nil || n == 0) || kind != "EPSG" && (kind != "WKT" || len(code) != 32) {
		return fmt.Errorf("%w: reference system %.60q", ErrSystem, field[0])
	}
	for _, f := range field[1:5] {
		if v, err := strconv.ParseFloat(f, 64); err != nil || !(math.Abs(v) <= 1e12) {
			return fmt.Errorf("%w: a pixel of %.60q", ErrSystem, f)
		}
	}
	for _, f := range field[5:7] {
		if len(f) != 1 || f < "0" || f > "9" {
			return fmt.Errorf("%w: %.60q tenths of a pixel", ErrSystem, f)
		}
	}
	names := strings.Split(field[7], ",")
	for i, name := range names {
		var err error
		if names[i], err = url.QueryUnescape(name); err != nil {
			return fmt.Errorf("%w: band %.60q", ErrSystem, name)
		}
	}
	if !sound(names) {
		return fmt.Errorf("%w: bands %.60q", ErrSystem, field[7])
	}
	return nil
}
