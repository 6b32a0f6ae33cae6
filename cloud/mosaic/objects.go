package mosaic

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sliced"
	"cloudcanvas/shared/vision"
)

// boxesOf reads a tile's result that is a list of objects, as a worker makes it; ok is false for a mask.
func boxesOf(data []byte) (boxes []vision.Box, ok bool) {
	var found struct {
		Width int          `json:"width"`
		Boxes []vision.Box `json:"boxes"`
	}
	if len(data) == 0 || data[0] != '{' || json.Unmarshal(data, &found) != nil || found.Width < 1 {
		return nil, false
	}
	return found.Boxes, true
}

// objects are the boxes of all tiles in pixels of the scene, those that show one object merged, best
// first (SAHI's GREEDYNMM with IOS from 0.5 on); ok is false where no tile was looked at for objects.
// What lies in the margin around the scene is a mirror image, and is left out.
func (s *Scene) objects() (merged []vision.Box, ok bool, err error) {
	var all []vision.Box
	for at := range s.grid.Tiles() {
		t := s.tiles[at.Name()]
		if t == nil || t.state != result || !t.boxes {
			continue
		}
		ok = true
		data, err := s.results.get(t.where)
		if err != nil {
			return nil, ok, err
		}
		boxes, _ := boxesOf(data)
		for _, b := range boxes {
			left, top := max(b.X+float32(at.Window.X), 0), max(b.Y+float32(at.Window.Y), 0)
			right := min(b.X+b.W+float32(at.Window.X), float32(s.grid.Width))
			bottom := min(b.Y+b.H+float32(at.Window.Y), float32(s.grid.Height))
			if middle := b.X + b.W/2 + float32(at.Window.X); middle < 0 || middle > float32(s.grid.Width) {
				continue
			}
			if middle := b.Y + b.H/2 + float32(at.Window.Y); middle < 0 || middle > float32(s.grid.Height) || right <= left || bottom <= top {
				continue
			}
			b.X, b.Y, b.W, b.H, b.Points = left, top, right-left, bottom-top, nil
			all = append(all, b)
		}
	}
	return sliced.DefaultConfig().Merge(all), ok, nil
}

// masked says whether a mask is made: of a scene whose tiles were all looked at for objects, none is.
func (s *Scene) masked(looked bool) bool {
	for _, t := range s.tiles {
		if t.state == result && !t.boxes {
			return true
		}
	}
	return !looked
}

// writeObjects makes detections.json and, of a scene with a place, detections.geojson.
func (s *Scene) writeObjects(dir string, boxes []vision.Box) error {
	lines := make([]detection, len(boxes))
	for i, b := range boxes {
		lines[i] = detection{s.ID, vision.CategoryID(b.Label, b.Class), [4]float32{b.X, b.Y, b.W, b.H}, b.Score}
	}
	if err := writeJSON(filepath.Join(dir, "detections.json"), lines); err != nil {
		return fmt.Errorf("detections.json: %w", err)
	}
	features, err := raster.Features(raster.Georef(s.manifest.Georef), boxes)
	if errors.Is(err, raster.ErrNoGeoref) {
		return nil
	}
	if err == nil {
		err = writeJSON(filepath.Join(dir, "detections.geojson"), features)
	}
	if err != nil {
		return fmt.Errorf("detections.geojson: %w", err)
	}
	return nil
}
