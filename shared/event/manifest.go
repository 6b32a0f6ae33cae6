package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cloudcanvas/shared/windows"
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
	Precision float64        `json:"precision,omitempty"` // by how much a pixel that was sent may be off, in reflectance; 0: not at all
	Screening string         `json:"screening"`           // the rule or model that decided on the tiles
	Tiles     []TileDecision `json:"tiles"`
	Captured  time.Time      `json:"captured,omitzero"`
	Model     string         `json:"model"` // asked for in the cloud; empty: the cloud's choice
	// Facts are what reading the scene rested on, and where each was found; none of earlier devices.
	Facts []SceneFact `json:"facts,omitempty"`
	// Radar is set of a scene whose tiles are blocks of raw radar echoes.
	Radar *Radar `json:"radar,omitempty"`
}

// SceneFact is one thing that reading a scene rests on: bands, reflectance, nodata, sensor, level, time.
type SceneFact struct {
	What  string `json:"what"`
	Value string `json:"value"`
	From  string `json:"from"` // option, file, product, metadata, product name, pixels …, or assumed
}

// Assumed is where a fact comes from that nothing says; Implausible is what a fact is that looks wrong. Screening
// is who screened the tiles, and comes as Fallback where that is not who should.
const (
	Assumed     = "assumed"
	Implausible = "implausible"
	Screening   = "screening"
	Fallback    = "fallback"
)

// Bounds of the facts of a scene, and of each of their texts.
const (
	maxFacts = 32
	maxFact  = 16 << 10
)

// Georef says where a scene lies.
type Georef struct {
	WKT       string     `json:"wkt"`
	EPSG      int        `json:"epsg"`      // 0: unknown
	Transform [6]float64 `json:"transform"` // GDAL's order: x0, dx, rx, y0, ry, dy
}

// SceneGrid is how a scene is cut into windows, squares of which neighbours share Overlap pixels and the first
// begins Margin pixels outside the scene's top left corner, and into Cols x Rows tiles. A tile is a group of at
// most Group x Group windows of Window pixels a side, and holds the pixels of the scene that they show. Of
// devices that knew no groups Window is 0: a tile is one window of Size pixels, with what is mirrored outside
// the scene. Size is 0 else, so that a cloud that knows no groups refuses the manifest.
type SceneGrid struct {
	Size    int `json:"size"`
	Overlap int `json:"overlap"`
	Margin  int `json:"margin"`
	Cols    int `json:"cols"`
	Rows    int `json:"rows"`
	Window  int `json:"window,omitempty"`
	Group   int `json:"group,omitempty"`
}

// SceneGridOf is the grid as a manifest has it.
func SceneGridOf(g windows.Grid) SceneGrid {
	s := SceneGrid{Size: g.Size, Overlap: g.Overlap, Margin: g.Margin, Cols: g.Cols(), Rows: g.Rows()}
	if g.Group > 0 {
		s.Size, s.Window, s.Group = 0, g.Size, g.Group
	}
	return s
}

// Of is the grid over a scene of that size. Cols and Rows are not looked at.
func (s SceneGrid) Of(width, height int) windows.Grid {
	g := windows.Grid{Width: width, Height: height, Size: s.Size, Overlap: s.Overlap, Margin: s.Margin}
	if s.Window > 0 {
		g.Size, g.Group = s.Window, s.Group
	}
	return g
}

// What became of a tile, and why it was dropped.
const (
	TileSent    = "sent"
	TileDropped = "dropped"

	DroppedNoData    = "nodata"
	DroppedCloud     = "cloud"
	DroppedUnchanged = "unchanged"

	SentMask = "mask" // the device's own mask was sent in place of the tile; of a radar's blocks see SentAmplitude
)

// TileDecision is what the edge decided on one tile.
type TileDecision struct {
	Tile     string  `json:"tile"`     // "<column>_<row>"
	Decision string  `json:"decision"` // sent or dropped
	Reason   string  `json:"reason"`   // why it was dropped; mask or amplitude when that was sent in its place; else empty
	Cloud    float64 `json:"cloud"`    // share of the tile's valid pixels, 0 … 1
	NoData   float64 `json:"nodata"`   // share of the tile's pixels, 0 … 1
	Value    float64 `json:"value"`    // what it was worth to the edge, 0 … 1
	Bytes    int     `json:"bytes"`    // of the item's data; 0 when dropped
	// Refinement is how many bytes lead from the tile, sent with a bound on the error, to one without loss; they
	// may come later, or never.
	Refinement int `json:"refinement,omitempty"`
	// Left is the share of the tile's pixels with data that were not sent with the others, 0 … 1: the device's own
	// mask stands for them. None of earlier devices.
	Left float64 `json:"left,omitempty"`
	// Change is the share of the tile's clear ground that differs from its last clear view, 0 … 1, and
	// Reference when that was taken; without one, nothing was compared.
	Change    float64   `json:"change,omitempty"`
	Reference time.Time `json:"reference,omitzero"`
	// ReferenceScene is <edge>/<scene> of another device that had shown the ground of a tile that was dropped.
	ReferenceScene string `json:"reference_scene,omitempty"`
}

// MaxReferenceScene bounds a ReferenceScene, in bytes.
const MaxReferenceScene = 256

// Bounds of a scene. 500 tiles of 256 pixels a side are 128,000 x 128,000; a strip may be longer.
const (
	maxTiles       = 250_000 // of a grid
	maxTileSize    = 4_096   // pixels a side, as edges are configured
	maxSceneSide   = 1 << 21 // pixels
	maxScenePixels = 1 << 34 // 131,072 x 131,072
)

// ParseManifest reads and checks the data of an item of kind scene.
func ParseManifest(i Item) (Manifest, error) {
	var m Manifest
	if i.Kind != Scene {
		return m, fmt.Errorf("%w: a %s is not a scene's manifest", ErrMalformed, i.Kind)
	}
	if err := checkJSON(i.Data, MaxManifestBytes); err != nil {
		return m, fmt.Errorf("scene manifest: %w", err)
	}
	if err := json.Unmarshal(i.Data, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: scene manifest: %w", ErrMalformed, err)
	}
	return m, m.Check()
}

// Check says what is wrong with a manifest: every tile of the grid must have exactly one decision. Every
// number that sizes memory is bounded, so what passes can be opened.
func (m Manifest) Check() error {
	if err := m.CheckPlan(); err != nil {
		return err
	}
	g := m.Grid
	if len(m.Facts) > maxFacts {
		return fmt.Errorf("%w: scene manifest with %d facts, %d is the limit", ErrTooLarge, len(m.Facts), maxFacts)
	}
	for _, f := range m.Facts {
		if len(f.What) > maxFact || len(f.Value) > maxFact || len(f.From) > maxFact {
			return fmt.Errorf("%w: scene manifest with a fact %.40q of more than %d bytes", ErrTooLarge, f.What, maxFact)
		}
	}
	if len(m.Tiles) != g.Cols*g.Rows {
		return fmt.Errorf("%w: scene %s: decisions on %d tiles, the grid has %d x %d", ErrMalformed, m.ID, len(m.Tiles), g.Cols, g.Rows)
	}
	seen := make(map[string]bool, len(m.Tiles))
	for _, t := range m.Tiles {
		if _, _, ok := ParseTile(t.Tile, g); !ok || seen[t.Tile] {
			return fmt.Errorf("%w: scene %s: tile %.40q is not in the grid or stands twice", ErrMalformed, m.ID, t.Tile)
		}
		if !share(t.Cloud) || !share(t.NoData) || !share(t.Change) || !share(t.Left) || !(math.Abs(t.Value) <= math.MaxFloat32) || t.Bytes < 0 || t.Refinement < 0 || len(t.Reason) > maxName {
			return fmt.Errorf("%w: scene %s: tile %s has numbers that are no shares of it, or a reason of %d bytes", ErrMalformed, m.ID, t.Tile, len(t.Reason))
		}
		if t.Decision != TileSent && t.Decision != TileDropped {
			return fmt.Errorf("%w: scene %s: tile %s is %.40q, neither sent nor dropped", ErrMalformed, m.ID, t.Tile, t.Decision)
		}
		seen[t.Tile] = true
		if err := checkNames(t.ReferenceScene); err != nil {
			return fmt.Errorf("scene %s: tile %s: reference scene: %w", m.ID, t.Tile, err)
		}
	}
	return nil
}

// share says whether a number is a share, give or take how it was rounded.
func share(v float64) bool { return v >= -0.001 && v <= 1.001 }

// CheckPlan says what is wrong with a manifest before its tiles are decided on: whoever cuts a scene may ask
// before the work.
func (m Manifest) CheckPlan() error {
	if m.ID == "" {
		return fmt.Errorf("%w: scene manifest: id", ErrIncomplete)
	}
	if err := checkNames(m.ID, m.Model, m.Screening); err != nil {
		return fmt.Errorf("scene manifest: %w", err)
	}
	if m.Radar != nil {
		if err := m.checkRadar(); err != nil {
			return err
		}
	} else if err := m.checkGrid(); err != nil {
		return err
	}
	if len(m.Bands) > maxBands {
		return fmt.Errorf("%w: scene %s has %d bands, %d is the limit", ErrTooLarge, m.ID, len(m.Bands), maxBands)
	}
	if err := checkNames(m.Bands...); err != nil {
		return fmt.Errorf("scene %s: bands: %w", m.ID, err)
	}
	if m.Radar == nil && !dataTypes.MatchString(m.DataType) {
		return fmt.Errorf("%w: scene %s: pixels of type %.40q, which GDAL has not", ErrMalformed, m.ID, m.DataType)
	}
	if !(m.Precision >= 0 && m.Precision <= 1) {
		return fmt.Errorf("%w: scene %s: pixels to within %v in reflectance", ErrMalformed, m.ID, m.Precision)
	}
	if m.FileBytes < 0 {
		return fmt.Errorf("%w: scene %s: a file of %d bytes", ErrMalformed, m.ID, m.FileBytes)
	}
	if err := m.Georef.check(); err != nil {
		return fmt.Errorf("scene %s: %w", m.ID, err)
	}
	return nil
}

// checkGrid bounds each number before any of them are multiplied.
func (m Manifest) checkGrid() error {
	g := m.Grid
	switch {
	case m.Width < 1 || m.Height < 1:
		return fmt.Errorf("%w: scene %s is %d x %d pixels", ErrMalformed, m.ID, m.Width, m.Height)
	case m.Width > maxSceneSide || m.Height > maxSceneSide:
		return fmt.Errorf("%w: scene %s is %d x %d pixels, %d a side is the limit", ErrTooLarge, m.ID, m.Width, m.Height, maxSceneSide)
	case int64(m.Width)*int64(m.Height) > maxScenePixels:
		return fmt.Errorf("%w: scene %s is %d x %d pixels, %d in all is the limit", ErrTooLarge, m.ID, m.Width, m.Height, int64(maxScenePixels))
	case g.Window != 0 || g.Group != 0:
		return m.checkGroups()
	case g.Size < 1 || g.Size > maxTileSize || g.Overlap < 0 || g.Overlap >= g.Size:
		return fmt.Errorf("%w: scene %s: tiles of %d pixels with overlap %d, up to %d pixels are possible", ErrMalformed, m.ID, g.Size, g.Overlap, maxTileSize)
	case g.Margin < 0 || g.Margin >= g.Size:
		return fmt.Errorf("%w: scene %s: the first tile of %d pixels begins %d pixels outside", ErrMalformed, m.ID, g.Size, g.Margin)
	case g.Cols < 1 || g.Rows < 1:
		return fmt.Errorf("%w: scene %s: a grid of %d x %d tiles", ErrMalformed, m.ID, g.Cols, g.Rows)
	case g.Cols > maxTiles || g.Rows > maxTiles || g.Cols*g.Rows > maxTiles:
		return fmt.Errorf("%w: scene %s: a grid of %d x %d tiles, %d in all is the limit", ErrTooLarge, m.ID, g.Cols, g.Rows, maxTiles)
	case !g.covers(m.Width, g.Cols) || !g.covers(m.Height, g.Rows):
		return fmt.Errorf("%w: scene %s of %d x %d pixels: %d x %d tiles of %d with overlap %d don't cover it, or reach far beyond it",
			ErrMalformed, m.ID, m.Width, m.Height, g.Cols, g.Rows, g.Size, g.Overlap)
	}
	return nil
}

// checkGroups bounds a grid of tiles of several windows, which is exactly as windows.Grid lays it.
func (m Manifest) checkGroups() error {
	g := m.Grid
	switch {
	case g.Size != 0 || g.Window < 1 || g.Window > maxTileSize || g.Group < 1 || g.Group > windows.MaxGroup:
		return fmt.Errorf("%w: scene %s: tiles of %d x %d windows of %d pixels (size %d), up to %d a side of up to %d pixels are possible",
			ErrMalformed, m.ID, g.Group, g.Group, g.Window, g.Size, windows.MaxGroup, maxTileSize)
	case g.Cols < 1 || g.Rows < 1 || g.Cols > maxTiles || g.Rows > maxTiles || g.Cols*g.Rows > maxTiles:
		return fmt.Errorf("%w: scene %s: a grid of %d x %d tiles, %d in all is the limit", ErrMalformed, m.ID, g.Cols, g.Rows, maxTiles)
	}
	laid := g.Of(m.Width, m.Height)
	if err := laid.Check(); err != nil {
		return fmt.Errorf("%w: scene %s: %w", ErrMalformed, m.ID, err)
	}
	if laid.Cols() != g.Cols || laid.Rows() != g.Rows {
		return fmt.Errorf("%w: scene %s of %d x %d pixels: %d x %d windows of %d with overlap %d and margin %d a tile make %d x %d tiles, not %d x %d",
			ErrMalformed, m.ID, m.Width, m.Height, g.Group, g.Group, g.Window, g.Overlap, g.Margin, laid.Cols(), laid.Rows(), g.Cols, g.Rows)
	}
	return nil
}

// covers says whether so many tiles reach as far as a side is long, give or take a tile: grids of other
// makers end otherwise than ours.
func (g SceneGrid) covers(length, tiles int) bool {
	reach := (tiles-1)*(g.Size-g.Overlap) - g.Margin // where the last tile begins
	return reach < length+g.Size && reach+2*g.Size >= length
}

// check bounds a georeference. Whether it means anything is for who draws it on a map.
func (g Georef) check() error {
	if len(g.WKT) > maxWKT || !utf8.ValidString(g.WKT) {
		return fmt.Errorf("%w: a coordinate system in %d bytes of WKT, %d of UTF-8 are possible", ErrTooLarge, len(g.WKT), maxWKT)
	}
	if g.EPSG < 0 || g.EPSG > maxEPSG {
		return fmt.Errorf("%w: EPSG code %d", ErrMalformed, g.EPSG)
	}
	for _, v := range g.Transform {
		if !(math.Abs(v) <= maxTransform) { // false also of what is no number
			return fmt.Errorf("%w: a transform of %v", ErrMalformed, g.Transform)
		}
	}
	return nil
}

// maxTransform is far beyond any place on earth, in metres or degrees.
const maxTransform = 1e12

// ParseTile takes "<column>_<row>" apart and says whether it is a tile of the grid.
func ParseTile(name string, g SceneGrid) (col, row int, ok bool) {
	a, b, found := strings.Cut(name, "_")
	col, errCol := strconv.Atoi(a)
	row, errRow := strconv.Atoi(b)
	if !found || errCol != nil || errRow != nil {
		return 0, 0, false
	}
	return col, row, col >= 0 && row >= 0 && col < g.Cols && row < g.Rows && name == strconv.Itoa(col)+"_"+strconv.Itoa(row)
}
