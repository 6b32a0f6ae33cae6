package mosaic

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// placedTarget is a bright target and the block that it was found in.
type placedTarget struct {
	sar.Target
	block int
}

// radarTargets are the targets of all blocks, by block, in each by row and column. Those that lie outside the image
// are not believed. A target that the edge between two blocks divides is one.
func (s *Scene) radarTargets() ([]placedTarget, error) {
	var all []placedTarget
	for _, at := range s.manifest.Radar.Blocks {
		b := s.radar.blocks[at.Index]
		if b == nil || b.targets == nil || b.broken != "" {
			continue
		}
		data, err := s.results.get(b.targets.where)
		if err != nil {
			return nil, err
		}
		found, err := sar.DecodeTargets(data)
		if err != nil {
			return nil, err // it was read before
		}
		for _, t := range found.Targets {
			if t.Row >= -0.5 && t.Row < float64(s.manifest.Radar.Lines)-0.5 && t.Col >= -0.5 && t.Col < float64(s.manifest.Radar.Samples)-0.5 {
				all = append(all, placedTarget{t, at.Index})
			}
		}
	}
	return joined(all, s.manifest.Radar.Blocks), nil
}

// targetFeature is a target as GeoJSON. Where it is not known where it lies, its geometry is null: row, column,
// slant range and time say where it was seen.
type targetFeature struct {
	Type       string         `json:"type"`
	Geometry   *geometry      `json:"geometry"`
	Properties map[string]any `json:"properties"`
}

type targetCollection struct {
	Type     string          `json:"type"`
	Name     string          `json:"name"`
	Features []targetFeature `json:"features"`
}

// targetFeatures are detections.geojson.
func (s *Scene) targetFeatures(targets []placedTarget, place *sar.Geometry) (targetCollection, error) {
	c := targetCollection{Type: "FeatureCollection", Name: s.ID, Features: make([]targetFeature, 0, len(targets))}
	for _, t := range targets {
		f := targetFeature{Type: "Feature"}
		data, err := json.Marshal(t.Target)
		if err == nil {
			err = json.Unmarshal(data, &f.Properties)
		}
		if err != nil {
			return c, fmt.Errorf("a target: %w", err)
		}
		f.Properties["block"] = event.RadarTile(t.block)
		if s.manifest.Radar.Simulated {
			f.Properties["simulated"] = true
		}
		if at := rowTime(s.manifest.Radar, t.Row); !at.IsZero() {
			f.Properties["time"] = at.Format(time.RFC3339Nano)
		}
		if place != nil {
			if lat, lon, err := place.Place(t.Row, t.Col, ground); err == nil {
				f.Geometry = &geometry{"Point", [2]float64{lon, lat}}
			}
		}
		c.Features = append(c.Features, f)
	}
	return c, nil
}

// rowTime is the zero-Doppler time of a row; zero: it is not known.
func rowTime(r *event.Radar, row float64) time.Time {
	if r.StartTime.IsZero() {
		return time.Time{}
	}
	return r.StartTime.Add(time.Duration(math.Round((row + float64(r.RowOffset)) / r.PRFHz * 1e9))).UTC()
}
