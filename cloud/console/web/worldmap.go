package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sync"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
)

// mapView is a map that needs no script: the coast and the scenes' outlines as paths in web
// Mercator's square, 0 … mapUnits from its north-western corner.
type mapView struct {
	Box    string // the SVG's viewBox
	Land   string // path
	Shapes []shape
	Empty  bool
}

type shape struct {
	Path  string // SVG
	Dot   string // a path of no length in its middle, so that a small scene is seen from afar
	Link  string
	Title string
	State string
}

const (
	mapUnits = 4096.0
	maxLat   = 85.0511287798066 // where web Mercator's square ends
)

// mercator is a place on the map.
func mercator(lon, lat float64) (x, y float64) {
	lat = min(max(lat, -maxLat), maxLat) * math.Pi / 180
	return (lon + 180) / 360 * mapUnits, (1 - math.Asinh(math.Tan(lat))/math.Pi) / 2 * mapUnits
}

// landPath is the coastline as an SVG path, made once.
var landPath = sync.OnceValue(func() string {
	data, err := assetFiles.ReadFile("assets/land.json")
	if err != nil {
		return ""
	}
	var land struct {
		Unit  float64 `json:"unit"`
		Rings [][]int `json:"rings"` // lon, lat, lon, lat …
	}
	if err := json.Unmarshal(data, &land); err != nil {
		return ""
	}
	var path bytes.Buffer
	for _, ring := range land.Rings {
		for i := 0; i+1 < len(ring); i += 2 {
			x, y := mercator(float64(ring[i])*land.Unit, float64(ring[i+1])*land.Unit)
			fmt.Fprintf(&path, "%c%.0f %.0f", "LM"[choose01(i == 0)], x, y)
		}
		path.WriteByte('Z')
	}
	return path.String()
})

func choose01(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// drawMap shows the scenes that have a place, with some room around them.
func drawMap(scenes []index.Scene) mapView {
	v := mapView{Land: landPath(), Empty: true}
	west, north, east, south := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, s := range scenes {
		if len(s.Outline) == 0 {
			continue
		}
		v.Empty = false
		var path bytes.Buffer
		var midX, midY float64
		for i, p := range s.Outline {
			x, y := mercator(p[0], p[1])
			midX, midY = midX+x/float64(len(s.Outline)), midY+y/float64(len(s.Outline))
			west, east, north, south = min(west, x), max(east, x), min(north, y), max(south, y)
			fmt.Fprintf(&path, "%c%.3f %.3f", "LM"[choose01(i == 0)], x, y)
		}
		path.WriteByte('Z')
		v.Shapes = append(v.Shapes, shape{Path: path.String(), Dot: fmt.Sprintf("M%.3f %.3fh0", midX, midY), Link: request.ScenePath(s.Edge, s.ID), Title: s.ID + ", " + s.State(), State: s.State()})
	}
	if v.Empty {
		west, north, east, south = 0, mapUnits*0.1, mapUnits, mapUnits*0.8
	}
	const least = mapUnits / 12 // 30 degrees: less and no coast would be in sight
	grow := max(least, 1.5*max(east-west, (south-north)*1.5))
	w, h := min(grow, mapUnits), min(grow/1.5, mapUnits)
	v.Box = fmt.Sprintf("%.3f %.3f %.3f %.3f", (west+east-w)/2, (north+south-h)/2, w, h)
	return v
}
