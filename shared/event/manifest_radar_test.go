package event

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func sampleRadarManifest() Manifest {
	m := Manifest{
		ID: "english_bay", Width: 2048, Height: 3000, Bands: []string{"HH"}, DataType: RadarDataType, Grid: RadarGrid(2),
		FileBytes: 12288000, Screening: "none", Captured: sampleTime,
		Radar: &Radar{
			Lines: 3000, Samples: 2048, Format: "iq8", Blocks: []RadarBlock{{0, 0, 1600}, {1, 1600, 1400}},
			CentroidHz: -6900, Ambiguity: -6, CentroidFrom: "estimated", RowOffset: 12, RangeWindow: "kaiser", AzimuthWindow: "kaiser",
			CarrierHz: 5.3e9, PRFHz: 1256.98, SamplingHz: 32.317e6, ChirpRateHzS: -0.72135e12, ChirpS: 41.74e-6,
			FirstRangeM: 988647, VelocityMS: 7062, SpeedOfLightMS: 299792458,
			StartTime: sampleTime, LookSide: "right", Polarisation: "HH", Platform: "radarsat-1",
			Orbit: []RadarVector{
				{sampleTime, [3]float64{1e6, 2e6, 6.7e6}, [3]float64{7000, 0, 0}},
				{sampleTime.Add(time.Minute), [3]float64{1.4e6, 2e6, 6.7e6}, [3]float64{7000, 0, 0}},
			},
		},
	}
	for n := range m.Radar.Blocks {
		m.Tiles = append(m.Tiles, TileDecision{Tile: RadarTile(n), Decision: TileSent, Value: 1, Bytes: 900})
	}
	return m
}

func TestRadarManifestsAreWrittenAsPromised(t *testing.T) {
	b, err := json.MarshalIndent(sampleRadarManifest(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "manifest_radar.json", append(b, '\n'))
	got, err := ParseManifest(Item{Kind: Scene, Data: b})
	if err != nil {
		t.Fatal(err)
	}
	if got.Radar == nil || got.Radar.Blocks[1].FirstRow != 1600 || !got.Radar.Orbit[1].Time.Equal(sampleTime.Add(time.Minute)) {
		t.Errorf("%+v", got.Radar)
	}
}

// A cloud from before radar scenes reads the same bytes without knowing the section.
func TestACloudThatKnowsNoRadarRefusesTheManifest(t *testing.T) {
	m := sampleRadarManifest()
	m.Radar = nil
	if err := m.Check(); err == nil || !strings.Contains(err.Error(), m.ID) {
		t.Errorf("it takes a radar's manifest for a scene's: %v", err)
	}
	if m.Grid.Of(m.Width, m.Height).Cols() != 0 {
		t.Error("a radar's grid has tiles of a picture")
	}
}

func TestRadarManifestsAreBounded(t *testing.T) {
	for name, spoil := range map[string]func(*Manifest){
		"no lines":           func(m *Manifest) { m.Radar.Lines = 0 },
		"other size":         func(m *Manifest) { m.Width++ },
		"enormous":           func(m *Manifest) { m.Radar.Samples, m.Width = 1<<40, 1<<40 },
		"no blocks":          func(m *Manifest) { m.Radar.Blocks, m.Tiles = nil, nil },
		"too many blocks":    func(m *Manifest) { m.Radar.Blocks = make([]RadarBlock, MaxRadarBlocks+1) },
		"overlapping":        func(m *Manifest) { m.Radar.Blocks[1].FirstRow = 1599 },
		"beyond the end":     func(m *Manifest) { m.Radar.Blocks[1].Rows++ },
		"beyond all":         func(m *Manifest) { m.Radar.Blocks[1].Rows = math.MaxInt },
		"empty block":        func(m *Manifest) { m.Radar.Blocks[0].Rows = 0 },
		"odd index":          func(m *Manifest) { m.Radar.Blocks[0].Index = 1 },
		"a picture's grid":   func(m *Manifest) { m.Grid = SceneGrid{Size: 256, Cols: 1, Rows: 2} },
		"real pixels":        func(m *Manifest) { m.DataType = "float32" },
		"no PRF":             func(m *Manifest) { m.Radar.PRFHz = 0 },
		"NaN":                func(m *Manifest) { m.Radar.VelocityMS = math.NaN() },
		"infinite":           func(m *Manifest) { m.Radar.CarrierHz = math.Inf(1) },
		"orbit out of order": func(m *Manifest) { m.Radar.Orbit[1].Time = m.Radar.Orbit[0].Time },
		"orbit nowhere":      func(m *Manifest) { m.Radar.Orbit[1].Position[2] = math.Inf(-1) },
		"long orbit":         func(m *Manifest) { m.Radar.Orbit = make([]RadarVector, MaxRadarVectors+1) },
		"long name":          func(m *Manifest) { m.Radar.Platform = strings.Repeat("x", 1000) },
		"tile outside":       func(m *Manifest) { m.Tiles[1].Tile = "1_0" },
		"missing tile":       func(m *Manifest) { m.Tiles = m.Tiles[:1] },
	} {
		m := sampleRadarManifest()
		spoil(&m)
		if m.Check() == nil {
			t.Error(name, "passed")
		}
	}
}
