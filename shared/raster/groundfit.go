package raster

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/airbusgeo/godal"
)

// A raster without a grid of its own may have ground control points, or rational polynomials (RPCs, of which
// GDAL's page "RPCs in GeoTIFF" and STDI-0002's RPC00B tell the order of terms). It is placed by the affine grid
// that fits those best, and how far they lie off it is told: whoever needs more warps the scene first.

// groundPoint is a place in the raster and what lies there in the reference system.
type groundPoint struct{ col, row, x, y float64 }

const maxGroundPoints = 100_000

// fitGround is the affine grid of a dataset's ground control points or RPCs; nil where it has none that fit.
func fitGround(ds *godal.Dataset) (Georef, *Fact) {
	st := ds.Structure()
	if points, wkt := controlPoints(ds), strings.ToValidUTF8(ds.GCPProjection(), "?"); len(points) >= 3 && wkt != "" {
		if t, most, ok := affine(points); ok {
			from := FromFile
			if most > 1 {
				from = FromAssumed
			}
			return Georef{WKT: wkt, Transform: t}, &Fact{"place", fmt.Sprintf("the grid that fits %d ground control points best, which lie up to %.2g pixels off it; for more give what gdalwarp makes of it", len(points), most), from}
		}
	}
	if r, ok := readRPC(ds.Metadatas(godal.Domain("RPC"))); ok {
		if t, most, ok := affine(r.points(float64(st.SizeX), float64(st.SizeY))); ok {
			system, err := godal.NewSpatialRefFromEPSG(4326, reportErrors)
			if err != nil {
				return Georef{}, nil
			}
			defer system.Close()
			wkt, err := system.WKT()
			if err != nil {
				return Georef{}, nil
			}
			return Georef{WKT: wkt, Transform: t}, &Fact{"place", fmt.Sprintf("the grid that fits its RPCs best for ground at %.0f m, up to %.2g pixels off them; for more give what gdalwarp -rpc -to RPC_DEM=HEIGHTS.tif makes of it", r.at[2], most), FromAssumed}
		}
	}
	return Georef{}, nil
}

func controlPoints(ds *godal.Dataset) (points []groundPoint) {
	for i, p := range ds.GCPs() {
		if i == maxGroundPoints {
			break
		}
		points = append(points, groundPoint{p.DfGCPPixel, p.DfGCPLine, p.DfGCPX, p.DfGCPY})
	}
	return points
}

// affine is the grid that fits points best by least squares, and how many pixels off it they lie at most. false
// where they are too few, lie on one line, or are no numbers.
func affine(points []groundPoint) (t [6]float64, most float64, ok bool) {
	if len(points) < 3 {
		return t, 0, false
	}
	n := float64(len(points))
	var c, r, x, y float64
	for _, p := range points {
		c, r, x, y = c+p.col/n, r+p.row/n, x+p.x/n, y+p.y/n
	}
	var cc, cr, rr, cx, rx, cy, ry float64
	for _, p := range points {
		dc, dr, dx, dy := p.col-c, p.row-r, p.x-x, p.y-y
		cc, cr, rr = cc+dc*dc, cr+dc*dr, rr+dr*dr
		cx, rx, cy, ry = cx+dc*dx, rx+dr*dx, cy+dc*dy, ry+dr*dy
	}
	det := cc*rr - cr*cr
	if !(det > 1e-9*cc*rr) {
		return t, 0, false
	}
	t[1], t[2] = (cx*rr-rx*cr)/det, (rx*cc-cx*cr)/det
	t[4], t[5] = (cy*rr-ry*cr)/det, (ry*cc-cy*cr)/det
	t[0], t[3] = x-t[1]*c-t[2]*r, y-t[4]*c-t[5]*r
	area := t[1]*t[5] - t[2]*t[4]
	for _, p := range points {
		dx, dy := p.x-t[0]-t[1]*p.col-t[2]*p.row, p.y-t[3]-t[4]*p.col-t[5]*p.row
		most = max(most, math.Hypot((dx*t[5]-dy*t[2])/area, (dy*t[1]-dx*t[4])/area))
	}
	for _, v := range append(t[:], most) {
		if v-v != 0 {
			return t, 0, false
		}
	}
	return t, most, area != 0
}

// rpc are the rational polynomials of a raster: from longitude, latitude and height to line and sample.
type rpc struct {
	at, scale                              [3]float64 // longitude, latitude, height
	line, sample, lineScale, sampleScale   float64
	lineNum, lineDen, sampleNum, sampleDen [20]float64
}

func readRPC(m map[string]string) (r rpc, ok bool) {
	ok = true
	number := func(key string) float64 {
		v, err := strconv.ParseFloat(strings.TrimSpace(m[key]), 64)
		ok = ok && err == nil && v-v == 0
		return v
	}
	terms := func(key string) (all [20]float64) {
		words := strings.Fields(m[key])
		if ok = ok && len(words) == len(all); !ok {
			return all
		}
		for i, w := range words {
			v, err := strconv.ParseFloat(w, 64)
			ok = ok && err == nil && v-v == 0
			all[i] = v
		}
		return all
	}
	for i, axis := range []string{"LONG", "LAT", "HEIGHT"} {
		r.at[i], r.scale[i] = number(axis+"_OFF"), number(axis+"_SCALE")
	}
	r.line, r.lineScale, r.sample, r.sampleScale = number("LINE_OFF"), number("LINE_SCALE"), number("SAMP_OFF"), number("SAMP_SCALE")
	r.lineNum, r.lineDen = terms("LINE_NUM_COEFF"), terms("LINE_DEN_COEFF")
	r.sampleNum, r.sampleDen = terms("SAMP_NUM_COEFF"), terms("SAMP_DEN_COEFF")
	return r, ok
}

// points are those of a grid over a raster of so many columns and rows, and the ground that is seen there.
func (r rpc) points(width, height float64) (points []groundPoint) {
	const steps = 10
	var rough []groundPoint
	for i := range steps + 1 {
		for j := range steps + 1 {
			l, p := 2*float64(i)/steps-1, 2*float64(j)/steps-1 // normalised by offset and scale
			col, row := r.image(l, p)
			rough = append(rough, groundPoint{col, row, l, p})
		}
	}
	first, _, ok := affine(rough)
	if !ok {
		return nil
	}
	guess := Georef{Transform: first}
	for i := range steps + 1 {
		for j := range steps + 1 {
			col, row := width*float64(i)/steps, height*float64(j)/steps
			l, p := guess.At(col, row)
			for range 20 { // each turn leaves what the rough grid does not know of the slope
				c, w := r.image(l, p)
				l += first[1]*(col-c) + first[2]*(row-w)
				p += first[4]*(col-c) + first[5]*(row-w)
			}
			if c, w := r.image(l, p); math.Hypot(c-col, w-row) < 0.01 {
				points = append(points, groundPoint{col, row, r.at[0] + l*r.scale[0], r.at[1] + p*r.scale[1]})
			}
		}
	}
	return points
}

// image is where ground at the middle height is seen. RPCs count from the middle of the first pixel.
func (r rpc) image(l, p float64) (col, row float64) {
	t := [20]float64{1, l, p, 0, l * p, 0, 0, l * l, p * p, 0, 0, l * l * l, l * p * p, 0, l * l * p, p * p * p, 0, 0, 0, 0}
	of := func(k [20]float64) (sum float64) {
		for i := range t {
			sum += k[i] * t[i]
		}
		return sum
	}
	col = of(r.sampleNum)/of(r.sampleDen)*r.sampleScale + r.sample + .5
	row = of(r.lineNum)/of(r.lineDen)*r.lineScale + r.line + .5
	return col, row
}
