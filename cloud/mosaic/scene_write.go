package mosaic

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// Outlined are the classes of mask.geojson.
var outlined = map[uint8]string{vision.Shadow: "shadow", vision.Cloud: "cloud"}

// Write makes the scene's files in dir from what is known now, and gives the product, whose Folder,
// Files and Seconds are the caller's. at is the time that item.json says it was made.
//
//	mask.tif       Cloud Optimized GeoTIFF, uint8: 0 clear, 1 shadow, 2 cloud, 254 not judged, 255 no data
//	mask.geojson   outlines of cloud and shadow in lon/lat
//	quicklook.png  the edge's quicklook with the mask laid over
//	quicklook.png.aux.xml  where it lies, as GDAL, and so QGIS, reads it; where the scene says where it lies
//	tiles.json     a list of every tile's decision and outcome
//	item.json      STAC 1.1 Item
//
// Of a scene whose tiles were looked at for objects also, and where all were in place of the mask:
//
//	detections.json     COCO results in pixels of the scene, merged across tiles
//	categories.json     what their category ids mean
//	detections.geojson  their outlines in lon/lat
func (s *Scene) Write(dir string, at time.Time) (Product, error) {
	if s.manifest == nil {
		return Product{}, fmt.Errorf("scene %s: nothing can be written before its manifest has come", s.ID)
	}
	work, err := raster.CreateMask(filepath.Join(s.dir, "mask.tif"), s.grid.Width, s.grid.Height, raster.Georef(s.manifest.Georef))
	if err != nil {
		return Product{}, fmt.Errorf("beginning the mask of scene %s: %w", s.ID, err)
	}
	defer work.Close()
	if err := s.writeMask(work); err != nil {
		return Product{}, fmt.Errorf("scene %s: %w", s.ID, err)
	}
	objects, looked, err := s.objects()
	if err != nil {
		return Product{}, fmt.Errorf("scene %s: %w", s.ID, err)
	}
	missing := s.Missing()
	p := Product{
		Kind: sceneProduct, Name: s.ID, Edge: s.Edge, Complete: len(missing) == 0, Missing: missing,
		Of: s.manifestID.String(), Models: s.modelNames(), Scene: s.stats(),
	}
	if looked {
		found := len(objects)
		p.Scene.Objects = &found
	}
	masked := s.masked(looked)
	if !masked {
		p.Scene.NotJudged, p.Scene.JudgedByEdge, p.Scene.JudgedByCloud = nil, nil, nil
	}
	var files shielded
	files.Go(func() error {
		if !looked {
			return nil
		}
		return s.writeObjects(dir, objects)
	})
	files.Go(func() error {
		if !masked {
			return nil
		}
		mask := filepath.Join(dir, "mask.tif")
		if err := work.Finish(mask); err != nil {
			return err
		}
		return raster.WriteGeoJSON(mask, filepath.Join(dir, "mask.geojson"), outlined)
	})
	files.Go(func() error {
		mask := work
		if !masked {
			mask = nil
		}
		if err := s.writeQuicklook(filepath.Join(dir, "quicklook.png"), mask, objects); err != nil {
			return fmt.Errorf("quicklook: %w", err)
		}
		return s.placeQuicklook(filepath.Join(dir, "quicklook.png"))
	})
	files.Go(func() error { return writeJSON(filepath.Join(dir, "tiles.json"), s.outcomes()) })
	files.Go(func() error {
		item, err := s.stac(p, masked, at)
		if err != nil {
			return fmt.Errorf("item.json: %w", err)
		}
		if s.catalog {
			item.linkToCatalog()
		}
		return writeJSON(filepath.Join(dir, "item.json"), item)
	})
	if err := files.Wait(); err != nil {
		return p, fmt.Errorf("scene %s: %w", s.ID, err)
	}
	return p, nil
}

// shielded are goroutines whose panics are errors: a panic in one of them would end the process.
type shielded struct{ errgroup.Group }

func (s *shielded) Go(do func() error) {
	s.Group.Go(func() error { return crashguard.Shield(do) })
}

// tileOutcome is a line of tiles.json: the edge's decision and what became of the tile in the cloud.
type tileOutcome struct {
	Tile     string   `json:"tile"`
	Decision string   `json:"decision"`            // sent or dropped, by the edge
	Reason   string   `json:"reason"`              // of the drop: nodata, cloud, unchanged; mask: the device's mask was sent
	Score    float64  `json:"score"`               // the edge's: what the tile was worth, 0 … 1
	Cloud    float64  `json:"cloud"`               // the edge's: share of valid pixels
	NoData   float64  `json:"nodata"`              // the edge's: share of pixels
	Left     float64  `json:"left"`                // of a tile that was sent, share of the pixels with data for which the device's mask stands
	Bytes    int      `json:"bytes"`               // sent
	State    string   `json:"state"`               // result, dead, missing or dropped
	Model    string   `json:"model,omitempty"`     // that saw it, with its version
	By       string   `json:"judged_by,omitempty"` // edge or cloud: where that model ran
	Refined  bool     `json:"refined,omitempty"`   // what precision had left away came, too
	Found    *float64 `json:"found,omitempty"`     // the model's cloud share of valid pixels
	Why      string   `json:"why,omitempty"`       // it is dead
}

func (s *Scene) outcomes() []tileOutcome {
	all := make([]tileOutcome, 0, len(s.manifest.Tiles))
	for _, d := range s.manifest.Tiles {
		f := tileOutcome{Tile: d.Tile, Decision: d.Decision, Reason: d.Reason, Score: d.Value, Cloud: d.Cloud, NoData: d.NoData, Left: d.Left, Bytes: d.Bytes}
		t := s.tiles[d.Tile]
		switch {
		case t != nil && t.state == result:
			if f.State, f.Model, f.By = "result", t.model, "cloud"; t.byEdge {
				f.By = "edge"
			}
			f.Refined = t.refined
			if valid := t.counts[0] + t.counts[1] + t.counts[2]; valid > 0 {
				share := float64(t.counts[2]) / float64(valid)
				f.Found = &share
			}
		case d.Decision == event.TileDropped:
			f.State = "dropped"
		case t != nil && t.state == dead:
			f.State, f.Why = "dead", t.reason
		default:
			f.State = "missing"
		}
		all = append(all, f)
	}
	return all
}

func writeJSON(path string, v any) error {
	return writeFile(path, func(f *os.File) error {
		e := json.NewEncoder(f)
		e.SetIndent("", " ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	})
}
