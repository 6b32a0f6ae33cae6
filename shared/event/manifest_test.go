package event

import (
	"encoding/json"
	"strings"
	"testing"
)

func sampleManifest() Manifest {
	m := Manifest{
		ID: "S2B_32TQM", Width: 300, Height: 200, Bands: []string{"blue", "green"}, DataType: "uint16",
		Georef: Georef{WKT: "PROJCS[…]", EPSG: 32632, Transform: [6]float64{600000, 10, 0, 5000000, 0, -10}},
		Grid:   SceneGrid{Size: 256, Cols: 2, Rows: 1}, FileBytes: 720000, Screening: "spectral", Captured: sampleTime, Model: "ukis-csmask-6b",
	}
	m.Tiles = []TileDecision{
		{Tile: "0_0", Decision: TileSent, Cloud: 0.25, Value: 0.5, Bytes: 9000},
		{Tile: "1_0", Decision: TileDropped, Reason: DroppedNoData, NoData: 1},
	}
	return m
}

func TestManifestsAreWrittenAsPromised(t *testing.T) {
	b, err := json.MarshalIndent(sampleManifest(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "manifest.json", append(b, '\n'))
	got, err := ParseManifest(Item{Kind: Scene, Data: b})
	if err != nil {
		t.Fatal(err)
	}
	if got.Tiles[1].Reason != DroppedNoData || !got.Captured.Equal(sampleTime) {
		t.Errorf("%+v", got)
	}
}

func TestManifestsMustDecideOnEveryTileOnce(t *testing.T) {
	for name, spoil := range map[string]func(*Manifest){
		"id":            func(m *Manifest) { m.ID = "" },
		"width":         func(m *Manifest) { m.Width = 0 },
		"overlap":       func(m *Manifest) { m.Grid.Overlap = 256 },
		"missing tile":  func(m *Manifest) { m.Tiles = m.Tiles[:1] },
		"tile twice":    func(m *Manifest) { m.Tiles[1].Tile = "0_0" },
		"tile outside":  func(m *Manifest) { m.Tiles[1].Tile = "2_0" },
		"odd name":      func(m *Manifest) { m.Tiles[1].Tile = "01_0" },
		"odd decision":  func(m *Manifest) { m.Tiles[1].Decision = "lost" },
		"enormous grid": func(m *Manifest) { m.Grid.Cols, m.Grid.Rows = 1<<40, 1<<40 },
	} {
		m := sampleManifest()
		spoil(&m)
		if m.Check() == nil {
			t.Error(name, "passed")
		}
	}
}

func TestDetectionsTracksAndStatusAreWrittenAsPromised(t *testing.T) {
	end := 12.5
	for name, v := range map[string]any{
		"detections.json": Detections{
			Camera: "gate", Model: "yolox_nano", ModelVersion: "1", Width: 768, Height: 576, First: 0, Last: 1, End: true, Total: 2,
			Frames: []FrameDetection{{Frame: 1, Time: sampleTime, Boxes: []Box{{Label: "person", CategoryID: 1, BBox: [4]float32{1, 2, 3, 4}, Score: 0.93}}}},
		},
		"track.json":  TrackEvent{Type: TrackEnd, After: &TrackState{ID: "7", Camera: "gate", Label: "person", Score: 0.5, TopScore: 0.9, Box: [4]float32{1, 2, 3, 4}, StartTime: 10, EndTime: &end, Frame: 4, Frames: 3}},
		"status.json": Status{Status: Online, Edge: "mast-7", Epoch: "00c0ffee00c0ffee", Version: "1.0"},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, append(b, '\n'))
		switch name {
		case "detections.json":
			_, err = ParseDetections(Item{Kind: Result, Data: b})
		case "track.json":
			_, err = ParseTrack(Item{Kind: Track, Data: b})
		case "status.json":
			_, err = ParseStatus(b)
		}
		if err != nil {
			t.Error(name, err)
		}
	}
}

func TestOtherJSONIsNotTakenForOurs(t *testing.T) {
	for _, data := range []string{``, `null`, `[]`, `{}`, `{"camera":3}`, `{"status":"maybe"}`, `{"type":"gone","after":{}}`} {
		if _, err := ParseDetections(Item{Kind: Result, Data: []byte(data)}); err == nil {
			t.Error("detections:", data)
		}
		if _, err := ParseTrack(Item{Kind: Track, Data: []byte(data)}); err == nil {
			t.Error("track:", data)
		}
		if _, err := ParseStatus([]byte(data)); err == nil {
			t.Error("status:", data)
		}
		if _, err := ParseManifest(Item{Kind: Scene, Data: []byte(data)}); err == nil {
			t.Error("manifest:", data)
		}
	}
	cameras := func(n int) []byte {
		return []byte(`{"status":"online","cameras":[` + strings.TrimSuffix(strings.Repeat(`{"name":"gate","phase":"up"},`, n), ",") + `]}`)
	}
	if s, err := ParseStatus(cameras(MaxCameras)); err != nil || len(s.Cameras) != MaxCameras {
		t.Error(err)
	}
	if _, err := ParseStatus(cameras(MaxCameras + 1)); err == nil {
		t.Error("a status with too many cameras")
	}
	if _, err := ParseStatus([]byte(`{"status":"` + strings.Repeat("x", 70000) + `"}`)); err == nil {
		t.Error("a status of 70 kB passed")
	}
}

func FuzzParseManifest(f *testing.F) {
	for _, m := range []Manifest{sampleManifest(), sampleRadarManifest()} {
		b, _ := json.Marshal(m)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := ParseManifest(Item{Kind: Scene, Data: data}); err == nil && m.Check() != nil {
			t.Fatal("a bad manifest passed")
		}
	})
}
