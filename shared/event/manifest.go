package event

import (
	"encoding/json"
	"fmt"
	"time"
)

// Manifest is the data of an item of kind scene: the scene's grid and what became of every tile.
// With it the cloud knows when a scene is complete. It is committed after the scene's tiles.
type Manifest struct {
	ID        string         `json:"id"`
	Width     int            `json:"width"`  // pixels
	Height    int            `json:"height"` // pixels
	Bands     []string       `json:"bands"`  // names, in the order of the tiles' planes
	DataType  string         `json:"data_type"`
	Georef    Georef         `json:"georef"`
	Grid      SceneGrid      `json:"grid"`
	FileBytes int64          `json:"file_bytes"`
	Screening string         `json:"screening"` // the rule or model that judged the tiles
	Tiles     []TileDecision `json:"tiles"`
	Captured  time.Time      `json:"captured,omitzero"`
	Model     string         `json:"model"` // asked for in the cloud; empty: the cloud's choice
	// Facts are what reading the scene rested on, and where each was found; none of earlier devices.
	Facts []SceneFact `json:"facts,omitempty"`
}

// SceneFact is one thing that reading a scene rests on: bands, reflectance, nodata, sensor, level, time.
type SceneFact struct {
	What  string `json:"what"`
	Value string `json:"value"`
	From  string `json:"from"` // option, file, product, metadata, product name, pixels …, or assumed
}

// Assumed is where a fact comes from that nothing says; Implausible is what a fact is that looks wrong.
const (
	Assumed     = "assumed"
	Implausible = "implausible"
)

// maxFacts bounds the facts of a scene.
const maxFacts = 32

// Georef says where a scene lies.
type Georef struct {
	WKT       string     `json:"wkt"`
	EPSG      int        `json:"epsg"`      // 0: unknown
	Transform [6]float64 `json:"transform"` // GDAL's order: x0, dx, rx, y0, ry, dy
}

// SceneGrid is how a scene is cut: squares of Size pixels, neighbours sharing Overlap pixels, the
// first beginning Margin pixels outside the scene's top left corner.
type SceneGrid struct {
	Size    int `json:"size"`
	Overlap int `json:"overlap"`
	Margin  int `json:"margin"`
	Cols    int `json:"cols"`
	Rows    int `json:"rows"`
}

// What became of a tile, and why it was dropped.
const (
	TileSent    = "sent"
	TileDropped = "dropped"

	DroppedNoData    = "nodata"
	DroppedCloud     = "cloud"
	DroppedUnchanged = "unchanged"

	SentMask = "mask" // the device's own mask was sent in place of the tile
)

// TileDecision is the edge's judgement of one tile.
type TileDecision struct {
	Tile     string  `json:"tile"`     // "<column>_<row>"
	Decision string  `json:"decision"` // sent or dropped
	Reason   string  `json:"reason"`   // why it was dropped; mask when its mask was sent; else empty
	Cloud    float64 `json:"cloud"`    // share of the tile's valid pixels, 0 … 1
	NoData   float64 `json:"nodata"`   // share of the tile's pixels, 0 … 1
	Value    float64 `json:"value"`    // what it was worth to the edge, 0 … 1
	Bytes    int     `json:"bytes"`    // of the item's data; 0 when dropped
	// Change is the share of the tile's clear ground that differs from its last clear view, 0 … 1, and
	// Reference when that was taken; without one, nothing was compared.
	Change    float64   `json:"change,omitempty"`
	Reference time.Time `json:"reference,omitzero"`
}

// maxTiles bounds a grid: 500 tiles of 256 pixels a side is a scene of 128,000 x 128,000.
const maxTiles = 250_000

// ParseManifest reads and checks the data of an item of kind scene.
func ParseManifest(i Item) (Manifest, error) {
	var m Manifest
	if i.Kind != Scene {
		return m, fmt.Errorf("%w: a %s is not a scene's manifest", ErrMalformed, i.Kind)
	}
	if err := json.Unmarshal(i.Data, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: scene manifest: %w", ErrMalformed, err)
	}
	return m, m.Check()
}

// Check says what is wrong with a manifest: every tile of the grid must be judged exactly once.
func (m Manifest) Check() error {
	g := m.Grid
	switch {
	case len(m.Facts) > maxFacts:
		return fmt.Errorf("%w: scene manifest with %d facts, %d is the limit", ErrTooLarge, len(m.Facts), maxFacts)
	case m.ID == "":
		return fmt.Errorf("%w: scene manifest: id", ErrIncomplete)
	case m.Width < 1 || m.Height < 1:
		return fmt.Errorf("%w: scene %s is %d x %d pixels", ErrMalformed, m.ID, m.Width, m.Height)
	case g.Size < 1 || g.Overlap < 0 || g.Overlap >= g.Size:
		return fmt.Errorf("%w: scene %s: tiles of %d pixels with overlap %d", ErrMalformed, m.ID, g.Size, g.Overlap)
	case g.Cols < 1 || g.Rows < 1 || g.Cols > maxTiles || g.Rows > maxTiles || g.Cols*g.Rows > maxTiles:
		return fmt.Errorf("%w: scene %s: a grid of %d x %d tiles, %d in all is the limit", ErrMalformed, m.ID, g.Cols, g.Rows, maxTiles)
	case len(m.Tiles) != g.Cols*g.Rows:
		return fmt.Errorf("%w: scene %s: %d tiles judged, the grid has %d x %d", ErrMalformed, m.ID, len(m.Tiles), g.Cols, g.Rows)
	}
	seen := make(map[string]bool, len(m.Tiles))
	for _, t := range m.Tiles {
		if _, _, ok := ParseTile(t.Tile, g); !ok || seen[t.Tile] {
			return fmt.Errorf("%w: scene %s: tile %.40q is not in the grid or judged twice", ErrMalformed, m.ID, t.Tile)
		}
		if t.Decision != TileSent && t.Decision != TileDropped {
			return fmt.Errorf("%w: scene %s: tile %s is %.40q, neither sent nor dropped", ErrMalformed, m.ID, t.Tile, t.Decision)
		}
		seen[t.Tile] = true
	}
	return nil
}

// ParseTile takes "<column>_<row>" apart and says whether it is a tile of the grid.
func ParseTile(name string, g SceneGrid) (col, row int, ok bool) {
	if n, err := fmt.Sscanf(name, "%d_%d", &col, &row); n != 2 || err != nil {
		return 0, 0, false
	}
	return col, row, col >= 0 && row >= 0 && col < g.Cols && row < g.Rows && name == fmt.Sprintf("%d_%d", col, row)
}
