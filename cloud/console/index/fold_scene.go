package index

import (
	"encoding/json"
	"fmt"
	"time"

	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sar"
)

// Product is what the mosaic announces of a scene or a camera's record: docs/contracts.md.
type Product struct {
	Kind     string   `json:"kind"` // scene or camera
	Name     string   `json:"name"`
	Edge     string   `json:"edge"`
	Folder   string   `json:"folder"` // below the products' root
	Files    []string `json:"files"`
	Complete bool     `json:"complete"`
	Missing  []string `json:"missing"`
	Lacking  int      `json:"lacking"`
	Models   []string `json:"models"`
	Seconds  float64  `json:"seconds"`
	Failed   string   `json:"failed,omitempty"` // why nothing could be made of what came
	Scene    *Figures `json:"scene,omitempty"`
	Radar    *Radar   `json:"radar,omitempty"` // beside Scene, of raw radar echoes
	Camera   *struct {
		Frames     int  `json:"frames"`
		Detections int  `json:"detections"`
		Events     int  `json:"events"`
		Annotated  int  `json:"annotated"`
		Ended      bool `json:"ended"`
	} `json:"camera,omitempty"`
}

// Figures say what became of a scene's tiles and bytes.
type Figures struct {
	Width         int            `json:"width"`
	Height        int            `json:"height"`
	Tiles         int            `json:"tiles"`
	Sent          int            `json:"sent"`
	Results       int            `json:"results"`
	Dead          int            `json:"dead"`
	Dropped       map[string]int `json:"dropped"`
	SceneBytes    int64          `json:"scene_bytes"`
	UplinkedBytes int64          `json:"uplinked_bytes"`
	CloudFraction *float64       `json:"cloud_fraction"`
	NotJudged     *float64       `json:"not_judged,omitempty"` // these three of products with a mask, since there is a class for it
	JudgedByEdge  *float64       `json:"judged_by_edge,omitempty"`
	JudgedByCloud *float64       `json:"judged_by_cloud,omitempty"`
	EdgeMasks     int            `json:"edge_masks,omitempty"`
	Screening     string         `json:"screening,omitempty"`
	Objects       *int           `json:"objects,omitempty"` // found, of a scene that was looked at for objects
}

// Radar says what an image of raw radar echoes was made of.
type Radar struct {
	Lines         int     `json:"lines"`
	Samples       int     `json:"samples"`
	Blocks        int     `json:"blocks"`
	Focused       int     `json:"focused"` // blocks of which the rows are there
	CentroidHz    float64 `json:"centroid_hz"`
	Ambiguity     int     `json:"ambiguity"`
	Targets       int     `json:"targets"`
	Ships         int     `json:"ships"`
	FocusedRows   int     `json:"focused_rows"`
	AmplitudeRows int     `json:"amplitude_rows"` // of which there is the device's own amplitude alone
	EmptyRows     int     `json:"empty_rows"`
	Simulated     bool    `json:"simulated,omitempty"` // nobody took it
	Placed        bool    `json:"placed"`
	NotPlaced     string  `json:"not_placed,omitempty"` // why an orbit does not place it
}

// manifest notes a scene's grid, place and time.
func (b *batch) manifest(i event.Item, heard time.Time) error {
	m, err := event.ParseManifest(i)
	if err != nil {
		return unreadable(err)
	}
	if len(m.ID) > text.MaxName {
		return unreadable(fmt.Errorf("the scene's id has %d bytes", len(m.ID)))
	}
	captured := m.Captured
	if captured.IsZero() {
		captured = i.Time
	}
	sent := 0
	for _, t := range m.Tiles {
		if t.Decision == event.TileSent {
			sent++
		}
	}
	outline, box := footprint(m)
	grid := m.Grid.Of(m.Width, m.Height) // the size of its groups comes of the number of tiles
	_, err = b.tx.Exec(`INSERT INTO scenes (edge, id, captured, manifested, width, height, tiles, sent, cols, rows, size, overlap, margin, ring, west, south, east, north)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET captured = excluded.captured, manifested = excluded.manifested, width = excluded.width, height = excluded.height,
		tiles = excluded.tiles, sent = excluded.sent, cols = excluded.cols, rows = excluded.rows, size = excluded.size, overlap = excluded.overlap,
		margin = excluded.margin, ring = excluded.ring, west = excluded.west, south = excluded.south, east = excluded.east, north = excluded.north`,
		i.Edge, m.ID, captured.UnixMilli(), heard.UnixMilli(), m.Width, m.Height, len(m.Tiles), sent, m.Grid.Cols, m.Grid.Rows,
		grid.Size, grid.Overlap, grid.Margin, outline, box[0], box[1], box[2], box[3])
	if err != nil {
		return err
	}
	b.about(AboutScene, i.Edge, m.ID)
	return b.forgetOldScenes()
}

// footprint is a scene's outline as JSON and its bounds, or nothing for one without a place.
func footprint(m event.Manifest) (outline string, box [4]any) {
	var ring [][2]float64
	var err error
	if m.Radar != nil {
		ring, err = radarFootprint(m.Radar)
	} else {
		ring, err = raster.Footprint(raster.Georef(m.Georef), raster.Window{W: m.Width, H: m.Height})
	}
	if err != nil {
		return "", box
	}
	bounds := raster.Bounds(ring)
	for n, v := range bounds {
		if v-v != 0 { // a georeference that leads nowhere
			return "", [4]any{}
		}
		box[n] = v
	}
	return asJSON(ring), box
}

// radarFootprint is where an image of raw radar echoes lies by its orbit, on the ellipsoid; one over the 180th
// meridian is not drawn.
func radarFootprint(r *event.Radar) ([][2]float64, error) {
	g, err := sar.PlanOf(r).Geometry()
	if err != nil {
		return nil, err
	}
	ring, err := g.Footprint(0)
	if err != nil {
		return nil, err
	}
	outline, err := raster.Globe(ring)
	if err == nil && len(outline) != 1 {
		err = raster.ErrNoPlace
	}
	if err != nil {
		return nil, err
	}
	return outline[0][0], nil
}

func (b *batch) forgetOldScenes() error {
	_, err := b.tx.Exec(`DELETE FROM scenes WHERE (edge, id) IN (SELECT edge, id FROM scenes ORDER BY captured DESC LIMIT -1 OFFSET ?)`, b.o.Keep.Scenes)
	return err
}

// tileResult counts what models have found of a scene, and when.
func (b *batch) tileResult(i event.Item, heard time.Time) error {
	switch i.Type {
	case sar.TargetsType, sar.AmplitudeType: // beside the rows of a radar's block, which are its result
		return nil
	}
	at := heard.UnixMilli()
	_, err := b.tx.Exec(`INSERT INTO scenes (edge, id, captured, first_result, last_result, results) VALUES (?, ?, ?, ?, ?, 1)
		ON CONFLICT DO UPDATE SET results = results + 1, last_result = max(last_result, excluded.last_result),
		first_result = CASE WHEN first_result = 0 THEN excluded.first_result ELSE first_result END`,
		i.Edge, text.Cut(i.Attrs.Scene, text.MaxName), i.Time.UnixMilli(), at, at)
	b.about(AboutScene, i.Edge, i.Attrs.Scene)
	return err
}

// product notes that something is finished, or as much of it as has come.
func (b *batch) product(i event.Item, heard time.Time) error {
	var p Product
	if err := json.Unmarshal(i.Data, &p); err != nil {
		return unreadable(fmt.Errorf("product: %w", err))
	}
	if p.Edge == "" {
		p.Edge = i.Edge
	}
	if len(p.Name) > text.MaxName {
		return unreadable(fmt.Errorf("the product's name has %d bytes", len(p.Name)))
	}
	switch {
	case p.Scene != nil:
		_, err := b.tx.Exec(`INSERT INTO scenes (edge, id, captured, published, complete, cloud, product, width, height) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET published = excluded.published, complete = excluded.complete, cloud = excluded.cloud, product = excluded.product`,
			p.Edge, p.Name, i.Time.UnixMilli(), heard.UnixMilli(), p.Complete, p.Scene.CloudFraction, asJSON(p), p.Scene.Width, p.Scene.Height)
		b.about(AboutScene, p.Edge, p.Name)
		return err
	case p.Camera != nil:
		_, err := b.tx.Exec(`INSERT INTO cameras (edge, name, heard, ended, product) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET product = excluded.product, ended = max(ended, excluded.ended)`,
			p.Edge, p.Name, heard.UnixMilli(), p.Camera.Ended, asJSON(p))
		b.about(AboutCamera, p.Edge, p.Name)
		return err
	}
	return unreadable(fmt.Errorf("product of kind %.40q", p.Kind))
}
