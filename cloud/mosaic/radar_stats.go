package mosaic

import (
	"slices"

	"cloudcanvas/shared/event"
)

// RadarStats say what an image of raw radar echoes was made of, and how much of it is there.
type RadarStats struct {
	Lines      int     `json:"lines"`
	Samples    int     `json:"samples"`
	Blocks     int     `json:"blocks"`
	Focused    int     `json:"focused"` // blocks of which the rows are there
	CentroidHz float64 `json:"centroid_hz"`
	Ambiguity  int     `json:"ambiguity"`
	Targets    int     `json:"targets"`
	Ships      int     `json:"ships"` // of the targets
	// Rows of the image: focused, of which there is the device's own amplitude alone, and without data.
	FocusedRows   int  `json:"focused_rows"`
	AmplitudeRows int  `json:"amplitude_rows"`
	EmptyRows     int  `json:"empty_rows"`
	Simulated     bool `json:"simulated,omitempty"` // nobody took it
	// Placed: its orbit says where it lies. NotPlaced is why that is not so where there is an orbit, or why there
	// is no map of it.
	Placed    bool   `json:"placed"`
	NotPlaced string `json:"not_placed,omitempty"`
}

func (s *Scene) radarStats() *RadarStats {
	r := s.manifest.Radar
	f := &RadarStats{Lines: r.Lines, Samples: r.Samples, Blocks: len(r.Blocks), CentroidHz: r.CentroidHz, Ambiguity: r.Ambiguity, EmptyRows: r.Lines, Simulated: r.Simulated}
	for _, b := range s.radar.blocks {
		if b.rows != nil {
			f.Focused++
		}
		f.Targets += b.count
		f.Ships += b.ships
	}
	return f
}

// count takes in what became of the blocks when the image was written.
func (f *RadarStats) count(outcomes []blockOutcome, im *radarImage) {
	f.Focused = 0
	for _, o := range outcomes {
		if o.State == stateResult || o.State == statePartial {
			f.Focused++
		}
	}
	f.FocusedRows, f.AmplitudeRows = im.focused, im.shown
	f.EmptyRows = f.Lines - im.focused - im.shown
}

// radarTileStats counts blocks as a scene's tiles are counted.
func (s *Scene) radarTileStats() *SceneStats {
	m := s.manifest
	f := &SceneStats{
		Width: m.Width, Height: m.Height, Tiles: len(m.Tiles), Dropped: map[string]int{}, SceneBytes: m.FileBytes,
		UplinkedBytes: int64(s.sizes[0] + s.sizes[1]), Screening: m.Screening, Facts: m.Facts,
	}
	for n, d := range m.Tiles {
		if d.Decision == event.TileDropped {
			f.Dropped[d.Reason]++
			continue
		}
		f.Sent++
		if d.Reason != event.SentAmplitude { // whose bytes are counted as they came
			f.UplinkedBytes += int64(d.Bytes)
		}
		switch b := s.radar.blocks[n]; {
		case b == nil:
		case b.rows != nil:
			f.Results++
		case b.dead != "":
			f.Dead++
		}
		if b := s.radar.blocks[n]; b != nil && b.targets != nil && b.targets.byEdge {
			f.UplinkedBytes += int64(b.targets.size)
		}
	}
	for _, p := range s.radar.amplitude {
		f.UplinkedBytes += int64(p.size)
	}
	return f
}

// radarModels are the algorithms that made the rows, in the order of their names.
func (s *Scene) radarModels() []string {
	names := []string{}
	for _, b := range s.radar.blocks {
		for _, p := range []*radarPart{b.rows, b.targets} {
			if p != nil && p.model != "" && !slices.Contains(names, p.model) {
				names = append(names, p.model)
			}
		}
	}
	slices.Sort(names)
	return names
}
