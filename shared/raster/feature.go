package raster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
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
		turned = unwrap(turned)
		if (signedArea(turned) > 0) != (i == 0) {
			reverse(turned)
		}
		out[i] = turned
	}
	return out, nil
}
