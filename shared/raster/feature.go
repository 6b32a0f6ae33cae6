package raster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// longestEdge is how many pixels an edge may have before it gets points between: straight lines of
// a projection are bent in lon/lat, the more the nearer they are to a pole.
func longestEdge(latitude float64) float64 {
	switch latitude = math.Abs(latitude); {
	case latitude > 85:
		return 4
	case latitude > 60:
		return 16
	}
	return 64
}

// featureWriter writes areas as GeoJSON, one Feature a line.
type featureWriter struct {
	w       *bufio.Writer
	georef  Georef
	to      *lonlat   // nil: coordinates stay pixels
	within  []polygon // the part of the raster that has a place, in pixels; none: all of it
	nowhere bool      // no part has
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
		if polygons, err = f.place(rings); err != nil {
			return err
		}
		if len(polygons) > 0 {
			area = areaOf(polygons)
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
		f.w.WriteString(squareMetres(area))
	}
	f.w.WriteString(`},"geometry":`)
	switch len(polygons) {
	case 0:
		f.w.WriteString("null") // it has no place on the Earth
	case 1:
		f.w.WriteString(`{"type":"Polygon","coordinates":`)
		f.polygon(polygons[0])
		f.w.WriteByte('}')
	default:
		f.w.WriteString(`{"type":"MultiPolygon","coordinates":[`)
		for i, p := range polygons {
			if i > 0 {
				f.w.WriteByte(',')
			}
			f.polygon(p)
		}
		f.w.WriteString("]}")
	}
	_, err = f.w.WriteString("}")
	return err
}

// place puts an area on the Earth: as a whole, or the parts of it that have a place.
func (f *featureWriter) place(rings polygon) ([]polygon, error) {
	areas := []polygon{rings}
	if len(f.within) > 0 {
		var err error
		if areas, err = overlay(areas, nil, f.within); err != nil {
			return nil, err
		}
	} else if f.nowhere {
		return nil, nil
	}
	var all []polygon
	for _, area := range areas {
		turned, ok := f.lonlat(area)
		if !ok {
			continue
		}
		parts, err := onGlobe(turned)
		if err != nil {
			return nil, err
		}
		all = append(all, parts...)
	}
	return all, nil
}

// squareMetres is an area to five digits at least, and to no more than hundredths: pixels may be of millimetres.
func squareMetres(area float64) string {
	if area < 100 {
		return strconv.FormatFloat(area, 'g', 5, 64)
	}
	return strconv.FormatFloat(area, 'f', 2, 64)
}

func areaOf(polygons []polygon) (area float64) {
	for _, rings := range polygons {
		for _, ring := range rings {
			area += ringArea(ring)
		}
	}
	return area
}

// polygon writes coordinates as they are: rounded where that leaves them valid.
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
			b = strconv.AppendFloat(b, p[0], 'f', -1, 64)
			b = append(b, ',')
			b = strconv.AppendFloat(b, p[1], 'f', -1, 64)
			b = append(b, ']')
			f.w.Write(b)
			f.number = b
		}
		f.w.WriteByte(']')
	}
	f.w.WriteByte(']')
}

// lonlat turns rings of pixels into rings of degrees, the exterior counter-clockwise, holes clockwise.
// placed is false where the exterior has no three points with a place; other points without are
// left out.
func (f *featureWriter) lonlat(rings [][][2]float64) (_ [][][2]float64, placed bool) {
	var out [][][2]float64
	for i, ring := range rings {
		longest := longestEdge(0)
		turned := f.split(ring, longest)
		nearest := 0.0 // to a pole
		for _, p := range turned {
			nearest = max(nearest, math.Abs(p[1]))
		}
		if l := longestEdge(nearest); l < longest {
			turned = f.split(ring, l)
		}
		if len(turned) < 4 {
			if i == 0 {
				return nil, false
			}
			continue
		}
		turned = unwrap(turned)
		if (signedArea(turned) > 0) != (i == 0) {
			reverse(turned)
		}
		out = append(out, turned)
	}
	return out, true
}

// split turns a ring of pixels into one of degrees, with points between so that no edge is longer than that.
func (f *featureWriter) split(ring [][2]float64, longest float64) [][2]float64 {
	var xs, ys []float64
	add := func(col, row float64) {
		x, y := f.georef.At(col, row)
		xs, ys = append(xs, x), append(ys, y)
	}
	for k, p := range ring {
		if k > 0 {
			before := ring[k-1]
			pieces := math.Ceil(max(math.Abs(p[0]-before[0]), math.Abs(p[1]-before[1])) / longest)
			for piece := 1.0; piece < pieces; piece++ {
				t := piece / pieces
				add(before[0]+(p[0]-before[0])*t, before[1]+(p[1]-before[1])*t)
			}
		}
		add(p[0], p[1])
	}
	return f.to.ring(xs, ys, f.georef.pixel())
}

// ring is a closed ring of the points that have a place.
func (l *lonlat) ring(xs, ys []float64, pixel float64) [][2]float64 {
	ok := l.placed(xs, ys, pixel)
	turned := make([][2]float64, 0, len(xs))
	for k := range xs {
		if ok[k] {
			turned = append(turned, [2]float64{xs[k], ys[k]})
		}
	}
	if n := len(turned); n > 0 && turned[0] != turned[n-1] {
		turned = append(turned, turned[0])
	}
	return turned
}
