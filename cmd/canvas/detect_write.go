package main

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sliced"
	"cloudcanvas/shared/vision"
)

// sceneDetection is a line of detections.json: COCO's results format.
type sceneDetection struct {
	ImageID    string     `json:"image_id"` // the file's name
	CategoryID int        `json:"category_id"`
	BBox       [4]float64 `json:"bbox"` // x, y, width, height in pixels of the scene
	Score      float64    `json:"score"`
}

const lookedFile = "looked.json"

// looked is looked.json: how much of a scene the detector saw.
type looked struct {
	Scene  string   `json:"scene"` // the file, its whole path
	Width  int      `json:"width"`
	Height int      `json:"height"`
	Slices int      `json:"slices"`
	Empty  int      `json:"empty"`  // slices without data
	Unread [][4]int `json:"unread"` // windows that could not be read: x, y, width, height in pixels
}

// recall keeps the folders of earlier runs for the scenes that they are of: results of another file of the
// same name come beside them.
func (d detector) recall() {
	reports, _ := filepath.Glob(filepath.Join(d.out, "*", lookedFile))
	for _, file := range reports {
		var l looked
		data, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(data, &l) == nil && l.Scene != "" {
			d.names.Took(filepath.Base(filepath.Dir(file)), l.Scene)
		}
	}
}

// absolute is a file's whole path; names of GDAL's that are no file's stay as they are.
func absolute(path string) string {
	if _, err := os.Stat(path); err != nil {
		return path
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// write makes the files of one scene. Each is there whole or not at all.
func (d detector) write(dir string, v *view, found sliced.Found, unread []raster.Window) error {
	info, boxes := v.scene.Info(), found.Boxes
	l := looked{Scene: absolute(info.Path), Width: info.Width, Height: info.Height, Slices: found.Slices, Empty: found.Empty, Unread: [][4]int{}}
	for _, w := range unread {
		l.Unread = append(l.Unread, [4]int{w.X, w.Y, w.W, w.H})
	}
	lines := []sceneDetection{}
	var categories vision.CategoryList
	for _, b := range boxes {
		lines = append(lines, sceneDetection{filepath.Base(info.Path), categories.Add(b.CategoryID(), b.Label), pixelsOf(b), rounded(float64(b.Score), 1e4)})
	}
	if err := errors.Join(durable.WriteJSON(filepath.Join(dir, lookedFile), l), durable.WriteJSON(filepath.Join(dir, "detections.json"), lines),
		durable.WriteJSON(filepath.Join(dir, "categories.json"), categories.List()), quicklook(filepath.Join(dir, "quicklook.jpg"), v, boxes)); err != nil {
		return err
	}
	features, err := raster.Features(info.Georef, boxes)
	if errors.Is(err, raster.ErrNoGeoref) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(features)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, "detections.geojson"), append(data, '\n'), 0o644)
}

// quicklook is the scene, scaled down, with the boxes drawn.
func quicklook(path string, v *view, boxes []vision.Box) error {
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
	drawn, err := infer.Annotate(im, scaled, nil)
	if err != nil {
		return err
	}
	data, err := infer.EncodeJPEG(drawn, 88)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o644)
}

func pixelsOf(b vision.Box) [4]float64 {
	return [4]float64{rounded(float64(b.X), 100), rounded(float64(b.Y), 100), rounded(float64(b.W), 100), rounded(float64(b.H), 100)}
}

// rounded keeps so many parts of one.
func rounded(v, parts float64) float64 { return math.Round(v*parts) / parts }
