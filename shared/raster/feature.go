package raster

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/airbusgeo/godal"
)

// longestEdge is how many pixels an edge may have before it gets points between: straight lines of
// a projection are bent in lon/lat.
const longestEdge = 64

// featureWriter writes areas as GeoJSON, one Feature a line.
type featureWriter struct {
	w       *bufio.Writer
	georef  Georef
	to      *lonlat // nil: coordinates stay pixels
	classes map[uint8]string
	count   int
	number  []byte
}

func (f *featureWriter) open() {
	f.w.WriteString(`{"type":"FeatureCollection",`)
	if f.to == nil {
		f.w.WriteString(`"coordinates":"pixel",`)
	}
	f.w.WriteString(`"features":[`)
}

func (f *featureWriter) close() { f.w.WriteString("\n]}\n") }

// write writes one area, given in pixels.
func (f *featureWriter) write(rings [][][2]float64, class uint8) error {
	pixels := 0.0
	for i, ring := range rings {
		if area := math.Abs(signedArea(ring)); i == 0 {
			pixels += area
		} else {
			pixels -= area
		}
	}
	polygons, area := [][][][2]float64{rings}, math.NaN()
	if f.to != nil {
		var err error
		if rings, err = f.lonlat(rings); err != nil {
			return err
		}
		area = 0
		for _, ring := range rings {
			area += ringArea(ring)
		}
		if polygons, err = cutAtDateLine(rings); err != nil {
			return err
		}
	}
	if f.count++; f.count > 1 {
		f.w.WriteByte(',')
	}
	name, err := json.Marshal(f.classes[class])
	if err != nil {
		return err
	}
	fmt.Fprintf(f.w, "\n"+`{"type":"Feature","properties":{"class":%s,"value":%d,"area_m2":`, name, class)
	if math.IsNaN(area) {
		fmt.Fprintf(f.w, `null,"area_px":%.0f`, pixels)
	} else {
		fmt.Fprintf(f.w, `%.2f`, area)
	}
	f.w.WriteString(`},"geometry":{"type":`)
	if len(polygons) == 1 {
		f.w.WriteString(`"Polygon","coordinates":`)
		f.polygon(polygons[0])
	} else {
		f.w.WriteString(`"MultiPolygon","coordinates":[`)
		for i, p := range polygons {
			if i > 0 {
				f.w.WriteByte(',')
			}
			f.polygon(p)
		}
		f.w.WriteByte(']')
	}
	_, err = f.w.WriteString("}}")
	return err
}

// polygon writes coordinates with 7 decimals: a centimetre.
func (f *featureWriter) polygon(rings [][][2]float64) {
	f.w.WriteByte('[')
	for i, ring := range rings {
		if i > 0 {
			f.w.WriteByte(',')
		}
		f.w.WriteByte('[')
		for k, p := range ring {
			b := f.number[:0]
			if k > 0 {
				b = append(b, ',')
			}
			b = append(b, '[')
			b = strconv.AppendFloat(b, math.Round(p[0]*1e7)/1e7, 'f', -1, 64)
			b = append(b, ',')
			b = strconv.AppendFloat(b, math.Round(p[1]*1e7)/1e7, 'f', -1, 64)
			b = append(b, ']')
			f.w.Write(b)
			f.number = b
		}
		f.w.WriteByte(']')
	}
	f.w.WriteByte(']')
}

// lonlat turns rings of pixels into rings of degrees, the exterior counter-clockwise, holes clockwise.
func (f *featureWriter) lonlat(rings [][][2]float64) ([][][2]float64, error) {
	out := make([][][2]float64, len(rings))
	for i, ring := range rings {
		var xs, ys []float64
		add := func(col, row float64) {
			x, y := f.georef.At(col, row)
			xs, ys = append(xs, x), append(ys, y)
		}
		for k, p := range ring {
			if k > 0 {
				before := ring[k-1]
				pieces := math.Ceil(max(math.Abs(p[0]-before[0]), math.Abs(p[1]-before[1])) / longestEdge)
				for piece := 1.0; piece < pieces; piece++ {
					t := piece / pieces
					add(before[0]+(p[0]-before[0])*t, before[1]+(p[1]-before[1])*t)
				}
			}
			add(p[0], p[1])
		}
		if err := f.to.turn(xs, ys); err != nil {
			return nil, err
		}
		turned := make([][2]float64, len(xs))
		for k := range xs {
			turned[k] = [2]float64{xs[k], ys[k]}
		}
		unwrap(turned)
		if (signedArea(turned) > 0) != (i == 0) {
			reverse(turned)
		}
		out[i] = turned
	}
	return out, nil
}

// cutAtDateLine splits a polygon that crosses the 180th meridian (unwrapped: longitudes beyond 180)
// into polygons on either side of it.
func cutAtDateLine(rings [][][2]float64) ([][][][2]float64, error) {
	crosses := false
	for _, p := range rings[0] {
		crosses = crosses || p[0] > 180
	}
	if !crosses {
		return [][][][2]float64{rings}, nil
	}
	for _, hole := range rings[1:] { // a hole that lies wholly beyond was unwrapped on its own
		for hole[0][0] < Bounds(rings[0])[0]-1e-9 {
			for i := range hole {
				hole[i][0] += 360
			}
		}
	}
	text, err := json.Marshal(map[string]any{"type": "Polygon", "coordinates": rings})
	if err != nil {
		return nil, err
	}
	whole, err := godal.NewGeometryFromGeoJSON(string(text), heard)
	if err != nil {
		return nil, brief(err)
	}
	defer whole.Close()
	var out [][][][2]float64
	for _, west := range []float64{-180, 180} {
		box := fmt.Sprintf("POLYGON((%[1]g -90,%[2]g -90,%[2]g 90,%[1]g 90,%[1]g -90))", west, west+360)
		half, err := godal.NewGeometryFromWKT(box, nil, heard)
		if err != nil {
			return nil, brief(err)
		}
		part, err := whole.Intersection(half, heard)
		half.Close()
		if err != nil {
			return nil, brief(err)
		}
		wkb, err := part.WKB(heard)
		part.Close()
		if err != nil {
			return nil, brief(err)
		}
		polygons, err := parseWKB(wkb)
		if err != nil {
			return nil, err
		}
		for _, p := range polygons {
			for i, ring := range p {
				if (signedArea(ring) > 0) != (i == 0) {
					reverse(ring)
				}
				for k := range ring {
					ring[k][0] -= west + 180
				}
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// parseWKB gives the polygons of a well-known-binary polygon, multipolygon or collection (OGC
// 06-103r4, 8.2); points and lines in a collection are passed over.
func parseWKB(b []byte) ([][][][2]float64, error) {
	polygons, _, err := parseGeometry(b, 0)
	return polygons, err
}

var errWKB = errors.New("the outline is not well-known binary")

func parseGeometry(b []byte, depth int) (polygons [][][][2]float64, after []byte, err error) {
	if len(b) < 5 || b[0] > 1 || depth > 4 {
		return nil, nil, errWKB
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 1 {
		order = binary.LittleEndian
	}
	kind := order.Uint32(b[1:])
	b = b[5:]
	count := func() (n int) {
		if len(b) < 4 {
			err = errWKB
			return 0
		}
		n = int(order.Uint32(b))
		b = b[4:]
		return n
	}
	points := func() (ring [][2]float64) {
		n := count()
		if err != nil || n > len(b)/16 {
			err = errWKB
			return nil
		}
		ring = make([][2]float64, n)
		for i := range ring {
			ring[i][0] = math.Float64frombits(order.Uint64(b[i*16:]))
			ring[i][1] = math.Float64frombits(order.Uint64(b[i*16+8:]))
		}
		b = b[n*16:]
		return ring
	}
	switch kind {
	case 1:
		if len(b) < 16 {
			return nil, nil, errWKB
		}
		b = b[16:]
	case 2:
		points()
	case 3:
		var rings [][][2]float64
		for n := count(); n > 0 && err == nil; n-- {
			rings = append(rings, points())
		}
		if len(rings) > 0 {
			polygons = append(polygons, rings)
		}
	case 4, 5, 6, 7:
		for n := count(); n > 0 && err == nil; n-- {
			var more [][][][2]float64
			more, b, err = parseGeometry(b, depth+1)
			polygons = append(polygons, more...)
		}
	default:
		return nil, nil, fmt.Errorf("%w: geometry type %d", errWKB, kind)
	}
	return polygons, b, err
}
