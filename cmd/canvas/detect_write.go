package main

import (
	"encoding/json"
	"errors"
	"math"
	"path/filepath"

	"github.com/google/renameio/v2"

	"cloudcanvas/edge/detect"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// sceneDetection is a line of detections.json: COCO's results format.
type sceneDetection struct {
	ImageID    string     `json:"image_id"` // the file's name
	CategoryID int        `json:"category_id"`
	BBox       [4]float64 `json:"bbox"` // x, y, width, height in pixels of the scene
	Score      float64    `json:"score"`
}

// feature is a detection on the map, as RFC 7946 has it.
type feature struct {
	Type       string     `json:"type"`
	Geometry   geometry   `json:"geometry"`
	Properties properties `json:"properties"`
}

type geometry struct {
	Type        string `json:"type"`
	Coordinates any    `json:"coordinates"`
}

type properties struct {
	Label  string        `json:"label"`
	Score  float64       `json:"score"`
	Pixels [4]float64    `json:"bbox_pixels"` // x, y, width, height
	Centre [2]float64    `json:"centre_lonlat"`
	Map    [4][2]float64 `json:"corners_map"`    // in the scene's reference system, from the top left on
	EPSG   int           `json:"epsg,omitempty"` // of that system
}

// write makes the files of one scene. Each is there whole or not at all.
func (d detector) write(dir string, v view, boxes []vision.Box) error {
	info := v.scene.Info()
	lines := []sceneDetection{}
	for _, b := range boxes {
		lines = append(lines, sceneDetection{filepath.Base(info.Path), detect.CategoryID(b.Label, b.Class), pixelsOf(b), rounded(float64(b.Score), 1e4)})
	}
	if err := errors.Join(writeJSON(filepath.Join(dir, "detections.json"), lines), quicklook(filepath.Join(dir, "quicklook.jpg"), v, boxes)); err != nil {
		return err
	}
	places, err := raster.NewPlaces(info.Georef)
	if errors.Is(err, raster.ErrNoGeoref) {
		return nil
	}
	if err != nil {
		return err
	}
	defer places.Close()
	features := []feature{}
	for _, b := range boxes {
		at, err := places.Box(float64(b.X), float64(b.Y), float64(b.W), float64(b.H))
		if err != nil {
			return err
		}
		features = append(features, feature{"Feature", outline(at.Polygons), properties{b.Label, rounded(float64(b.Score), 1e4), pixelsOf(b),
			[2]float64{rounded(at.Centre[0], 1e7), rounded(at.Centre[1], 1e7)}, at.Map, info.Georef.EPSG}})
	}
	data, err := json.Marshal(struct {
		Type     string    `json:"type"`
		Features []feature `json:"features"`
	}{"FeatureCollection", features})
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, "detections.geojson"), append(data, '\n'), 0o644)
}

// outline is a polygon, or several over the 180th meridian; 7 decimals are a centimetre.
func outline(polygons [][][][2]float64) geometry {
	for _, rings := range polygons {
		for _, ring := range rings {
			for i := range ring {
				ring[i] = [2]float64{rounded(ring[i][0], 1e7), rounded(ring[i][1], 1e7)}
			}
		}
	}
	if len(polygons) == 1 {
		return geometry{"Polygon", polygons[0]}
	}
	return geometry{"MultiPolygon", polygons}
}

// quicklook is the scene, scaled down, with the boxes drawn.
func quicklook(path string, v view, boxes []vision.Box) error {
	im, err := v.Whole()
	if err != nil || im.W == 0 {
		return err
	}
	scaled := make([]vision.Box, len(boxes))
	by := float32(im.W) / float32(v.scene.Info().Width)
	for i, b := range boxes {
		b.X, b.Y, b.W, b.H = b.X*by, b.Y*by, b.W*by, b.H*by
		scaled[i] = b
	}
	drawn, err := infer.Annotate(im, scaled)
	if err != nil {
		return err
	}
	data, err := infer.EncodeJPEG(drawn, 88)
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, data, 0o644)
}

func pixelsOf(b vision.Box) [4]float64 {
	return [4]float64{rounded(float64(b.X), 100), rounded(float64(b.Y), 100), rounded(float64(b.W), 100), rounded(float64(b.H), 100)}
}

// rounded keeps so many parts of one.
func rounded(v, parts float64) float64 { return math.Round(v*parts) / parts }
