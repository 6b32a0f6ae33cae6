package raster

import (
	"fmt"
	"math"

	"github.com/airbusgeo/godal"
)

// maxViewSide bounds what is drawn at once, in pixels a side.
const maxViewSide = 4096

// ReadClassesScaled gives a window of the first band in w x h numbers, nearest neighbour, for rasters
// of classes. Files with overviews (COGs) are read from the one that fits, so that the cost is that
// of the answer, not of the window.
func (s *Scene) ReadClassesScaled(at Window, w, h int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.classesScaled(at, w, h)
}

func (s *Scene) classesScaled(at Window, w, h int) ([]byte, error) {
	if s.ds == nil {
		return nil, fmt.Errorf("read classes of %s: it is closed", s.info.Path)
	}
	if !at.In(s.info.Width, s.info.Height) || w < 1 || h < 1 || w > maxViewSide || h > maxViewSide {
		return nil, fmt.Errorf("read classes of %s: %s in %d x %d: the raster has %d x %d pixels, an answer at most %d a side",
			s.info.Path, at, w, h, s.info.Width, s.info.Height, maxViewSide)
	}
	class := make([]byte, w*h)
	if err := s.ds.Bands()[0].Read(at.X, at.Y, class, w, h, godal.Window(at.W, at.H), reportErrors); err != nil {
		return nil, fmt.Errorf("read classes of %s at %s: %w", s.info.Path, at, brief(err))
	}
	return class, nil
}

// Tile of a web map: OGC 17-083r4, WebMercatorQuad; x from the west, y from the north.
type MapTile struct{ Z, X, Y int }

// MaxZoom is the deepest level of map tiles: 1 cm a pixel.
const MaxZoom = 24

// Check says what is wrong with the numbers of a tile.
func (t MapTile) Check() error {
	if t.Z < 0 || t.Z > MaxZoom || t.X < 0 || t.Y < 0 || t.X >= 1<<t.Z || t.Y >= 1<<t.Z {
		return fmt.Errorf("there is no map tile %d/%d/%d: levels go from 0 to %d, columns and rows from 0 to 2^level - 1", t.Z, t.X, t.Y, MaxZoom)
	}
	return nil
}

// lonlat is the place of a point of the tile, u and v in 0 … 1 from its north-western corner.
func (t MapTile) lonlat(u, v float64) (lon, lat float64) {
	n := float64(int(1) << t.Z)
	lon = (float64(t.X)+u)/n*360 - 180
	lat = math.Atan(math.Sinh(math.Pi*(1-2*(float64(t.Y)+v)/n))) * 180 / math.Pi
	return lon, lat
}

// mapSteps is how many squares a side of a map tile is cut into for its projection: within one, a
// straight line of the map is a straight line of the scene to a fraction of a pixel.
const mapSteps = 16

// ReadClassesMap draws the first band into a web map's tile of size x size pixels, nearest neighbour;
// outside is what pixels beyond the scene get. found is false where the scene does not touch the tile.
func (s *Scene) ReadClassesMap(t MapTile, size int, outside byte) (class []byte, found bool, err error) {
	if err := t.Check(); err != nil {
		return nil, false, err
	}
	if size < mapSteps || size > 1024 || size%mapSteps != 0 {
		return nil, false, fmt.Errorf("a map tile of %d pixels: the size must be a multiple of %d up to 1024", size, mapSteps)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ds == nil {
		return nil, false, fmt.Errorf("draw a map tile of %s: it is closed", s.info.Path)
	}
	cols, rows, err := s.mapGrid(t)
	if err != nil {
		return nil, false, fmt.Errorf("draw a map tile of %s: %w", s.info.Path, err)
	}
	at, found := s.touched(cols, rows)
	if !found {
		return nil, false, nil
	}
	w, h := min(at.W, 2*size), min(at.H, 2*size) // half a map pixel at the least is enough
	source, err := s.classesScaled(at, w, h)
	if err != nil {
		return nil, false, err
	}
	class = make([]byte, size*size)
	step := size / mapSteps
	sx, sy := float64(w)/float64(at.W), float64(h)/float64(at.H)
	for y := range size {
		for x := range size {
			k := (y/step)*(mapSteps+1) + x/step
			u, v := (float64(x%step)+0.5)/float64(step), (float64(y%step)+0.5)/float64(step)
			col := blend(cols, k, u, v) - float64(at.X)
			row := blend(rows, k, u, v) - float64(at.Y)
			class[y*size+x] = outside
			if col >= 0 && row >= 0 && col < float64(at.W) && row < float64(at.H) {
				class[y*size+x] = source[min(int(row*sy), h-1)*w+min(int(col*sx), w-1)]
			}
		}
	}
	return class, true, nil
}

// blend is the bilinear value within the square whose first corner is k.
func blend(at []float64, k int, u, v float64) float64 {
	const below = mapSteps + 1
	return (at[k]*(1-u)+at[k+1]*u)*(1-v) + (at[k+below]*(1-u)+at[k+below+1]*u)*v
}

// mapGrid is where the corners of a map tile's squares lie in the scene, in columns and rows.
func (s *Scene) mapGrid(t MapTile) (cols, rows []float64, err error) {
	g := s.info.Georef
	to, err := g.lonlat()
	if err != nil {
		return nil, nil, err
	}
	defer to.close()
	for j := range mapSteps + 1 {
		for i := range mapSteps + 1 {
			lon, lat := t.lonlat(float64(i)/mapSteps, float64(j)/mapSteps)
			cols, rows = append(cols, lon), append(rows, lat)
		}
	}
	ok := make([]bool, len(cols))
	if err := to.back.TransformEx(cols, rows, nil, ok); err != nil {
		// Far from the scene its projection may have no numbers: such corners lie outside.
		for i := range ok {
			if !ok[i] {
				cols[i], rows[i] = math.Inf(1), math.Inf(1)
			}
		}
	}
	if to.degrees { // longitudes of 0 … 360, or beyond the 180th meridian: the turn that is nearest
		x, _ := g.At(float64(s.info.Width)/2, float64(s.info.Height)/2)
		for i := range cols {
			cols[i] += 360 * math.Round((x-cols[i])/360)
		}
	}
	a := g.Transform
	det := a[1]*a[5] - a[2]*a[4]
	for i := range cols {
		x, y := cols[i]-a[0], rows[i]-a[3]
		cols[i], rows[i] = (x*a[5]-y*a[2])/det, (y*a[1]-x*a[4])/det
	}
	return cols, rows, nil
}

// touched is the part of the scene that corners span.
func (s *Scene) touched(cols, rows []float64) (Window, bool) {
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for i := range cols {
		if c, r := cols[i], rows[i]; c-c == 0 && r-r == 0 {
			low[0], low[1] = min(low[0], c), min(low[1], r)
			high[0], high[1] = max(high[0], c), max(high[1], r)
		}
	}
	x0, y0 := max(low[0], 0), max(low[1], 0)
	x1, y1 := min(high[0], float64(s.info.Width)), min(high[1], float64(s.info.Height))
	if !(x0 < x1 && y0 < y1) {
		return Window{}, false
	}
	w := Window{X: int(x0), Y: int(y0)}
	w.W, w.H = int(math.Ceil(x1))-w.X, int(math.Ceil(y1))-w.Y
	return w, true
}
