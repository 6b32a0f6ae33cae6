package mosaic

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sliced"
	"cloudcanvas/shared/vision"
)

// boxesOf reads a tile's result that is a list of objects, as a worker makes it; ok is false for a mask. Who
// gives more than anybody could use, or numbers that are none, gives nothing.
func boxesOf(data []byte) (boxes []vision.Box, ok bool, err error) {
	var found struct {
		Width int          `json:"width"`
		Boxes []vision.Box `json:"boxes"`
	}
	if len(data) == 0 || data[0] != '{' || json.Unmarshal(data, &found) != nil || found.Width < 1 {
		return nil, false, nil
	}
	if len(found.Boxes) > event.MaxBoxes {
		return nil, true, fmt.Errorf("%d boxes in one tile, %d is the limit", len(found.Boxes), event.MaxBoxes)
	}
	for _, b := range found.Boxes {
		if !event.WithinPicture(b.X, b.Y, b.W, b.H) || !event.WithinPicture(b.Score) {
			return nil, true, fmt.Errorf("a box at %v, %v of %v x %v pixels with score %v", b.X, b.Y, b.W, b.H, b.Score)
		}
	}
	return found.Boxes, true, nil
}

// Bounds of what is merged: the best of so many boxes, and so many looks from one to another. In a scene
// full of ships each box has a few others around it; where each has thousands, those that are left when the
// looks are spent stand as they were found.
const (
	mostObjects = 1_000_000
	mergeLooks  = 50_000_000
)

// best keeps the boxes with the highest scores.
func best(boxes []vision.Box, most int) []vision.Box {
	slices.SortStableFunc(boxes, func(a, b vision.Box) int { return cmp.Compare(b.Score, a.Score) })
	return boxes[:min(len(boxes), most)]
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
		boxes, _, _ := boxesOf(data)
		for _, b := range boxes {
			left, top := max(b.X+float32(at.Held.X), 0), max(b.Y+float32(at.Held.Y), 0)
			right := min(b.X+b.W+float32(at.Held.X), float32(s.grid.Width))
			bottom := min(b.Y+b.H+float32(at.Held.Y), float32(s.grid.Height))
			if middle := b.X + b.W/2 + float32(at.Held.X); middle < 0 || middle > float32(s.grid.Width) {
				continue
			}
			if middle := b.Y + b.H/2 + float32(at.Held.Y); middle < 0 || middle > float32(s.grid.Height) || right <= left || bottom <= top {
				continue
			}
			b.X, b.Y, b.W, b.H = left, top, right-left, bottom-top
			all = append(all, b.Bare())
		}
		if len(all) > 2*mostObjects {
			all = best(all, mostObjects)
		}
	}
	if len(all) > mostObjects {
		all = best(all, mostObjects)
	}
	merged, _ = sliced.DefaultConfig().MergeWithin(all, mergeLooks)
	return merged, ok, nil
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

// writeObjects makes detections.json, categories.json and, of a scene with a place, detections.geojson.
func (s *Scene) writeObjects(dir string, boxes []vision.Box) error {
	lines := make([]detection, len(boxes))
	var categories vision.CategoryList
	for i, b := range boxes {
		lines[i] = detection{s.ID, categories.Add(b.CategoryID(), b.Label), [4]float32{b.X, b.Y, b.W, b.H}, b.Score, event.ShapeOf(b)}
	}
	if err := writeJSON(filepath.Join(dir, "detections.json"), lines); err != nil {
		return fmt.Errorf("detections.json: %w", err)
	}
	if err := writeJSON(filepath.Join(dir, "categories.json"), categories.List()); err != nil {
		return fmt.Errorf("categories.json: %w", err)
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
