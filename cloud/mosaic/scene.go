package mosaic

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// Scene is a fold over what is known about a scene's tiles. The order in which items come
// does not matter, nor how often: of two results for one tile, or two manifests, the one with the
// greater id counts, which is the newer input's. Results go to a working file as they come, and are
// blended when the scene is written; memory holds a few words for each tile.
type Scene struct {
	Edge, ID string
	dir      string // working folder, its own
	catalog  bool   // a catalog lies beside the product's folder

	manifest   *event.Manifest
	manifestID ulid.ULID
	manifested event.Item // without its data
	sizes      [2]int     // bytes of manifest and quicklook, as they were sent
	grid       raster.Grid
	known      int // so many of the manifest's tiles, from the first on, wait for nothing

	tiles   map[string]*tile
	empty   map[string]bool // tiles in which the edge found no data, as of the last mask
	results scratchFile     // what came, as it came
	models  map[string]int
	radar   radar // of raw echoes

	quicklook   string // path of the JPEG, or empty
	quicklookID ulid.ULID
}

// tile is what is known of one tile.
type tile struct {
	id      ulid.ULID // of the result or dead letter that counts
	state   state
	where   extent // of a result, in the scratch file
	refined bool   // a refinement of the tile came, too
	boxes   bool   // the result is a list of objects, and no mask
	model   string
	byEdge  bool      // the result is the device's own mask
	counts  [5]uint32 // pixels of the core: clear, shadow, cloud, not judged, no data
	reason  string    // why it is dead
}

type state uint8

const (
	dead   state = iota + 1 // in the dead letters
	result                  // a model saw it
)

// maxEarly bounds the results kept for a scene whose manifest has not come.
const maxEarly = 250_000

// errMisfit says that an item does not fit its scene. It is not the scene's end.
var errMisfit = errors.New("the item does not fit the scene")

// NewScene is a scene of which nothing is known. dir is made, and belongs to it.
func NewScene(edge, id, dir string) (*Scene, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("beginning scene %s: %w; see mosaic.work_dir", id, err)
	}
	s := &Scene{Edge: edge, ID: id, dir: dir, tiles: map[string]*tile{}, models: map[string]int{}}
	s.radar = radar{blocks: map[int]*radarBlock{}, amplitude: map[[2]int]*radarPart{}}
	s.results.path = filepath.Join(dir, "results")
	return s, nil
}

// Close frees the working files.
func (s *Scene) Close() {
	s.results.close()
	os.RemoveAll(s.dir)
}

// Add takes in an item about this scene: a manifest, a quicklook, or a tile's result. changed says
// whether anything is new. errStrange marks items that are passed over; any other error is one of
// this machine's disk.
func (s *Scene) Add(e event.Item) (changed bool, err error) {
	switch e.Kind {
	case event.Scene:
		return s.addManifest(e)
	case event.Frame:
		return s.addQuicklook(e)
	case event.Result:
		if ofRadar(&e) {
			return s.addRadar(e)
		}
		return s.addResult(e)
	}
	return false, fmt.Errorf("%w: a %s", errMisfit, e.Kind)
}

// AddDead takes in a tile that can't be worked on.
func (s *Scene) AddDead(e event.Item, reason string) (changed bool, err error) {
	if ofRadar(&e) {
		b, err := s.radarBlock(e.Attrs.Tile)
		return err == nil && b.die(e.ID, reason), err
	}
	t, err := s.tile(e.Attrs.Tile)
	// A result outweighs a dead letter: it was replayed.
	if err != nil || t.state == result || t.state == dead && t.id.Compare(e.ID) >= 0 {
		return false, err
	}
	t.id, t.state, t.reason = e.ID, dead, reason
	return true, nil
}

func (s *Scene) addManifest(e event.Item) (changed bool, err error) {
	if s.manifest != nil && s.manifestID.Compare(e.ID) >= 0 {
		return false, nil
	}
	m, err := event.ParseManifest(e)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errMisfit, err)
	}
	if m.Radar != nil {
		before, beforeID := s.manifest, s.manifestID
		s.manifest, s.manifestID, s.grid, s.manifested, s.known = &m, e.ID, raster.Grid{}, e, 0
		s.sizes[0], s.manifested.Data = len(e.Data), nil
		s.settleRadar(before, beforeID)
		return true, nil
	}
	grid := m.Grid.Of(m.Width, m.Height)
	if err := grid.Check(); err != nil || grid.Cols() != m.Grid.Cols || grid.Rows() != m.Grid.Rows {
		return false, fmt.Errorf("%w: scene %s of %d x %d pixels cut by %d with overlap %d has %d x %d tiles, the manifest says %d x %d",
			errMisfit, m.ID, m.Width, m.Height, grid.Size, grid.Overlap, grid.Cols(), grid.Rows(), m.Grid.Cols, m.Grid.Rows)
	}
	if err := placed(m); err != nil {
		return false, fmt.Errorf("%w: scene %s: %w", errMisfit, m.ID, err)
	}
	if s.manifest != nil && (grid != s.grid || m.Georef != s.manifest.Georef) {
		// Another file under the same name: what was found in the first does not belong to it.
		s.tiles, s.models = map[string]*tile{}, map[string]int{}
		s.results.close()
	}
	s.manifest, s.manifestID, s.grid, s.manifested, s.known = &m, e.ID, grid, e, 0
	s.sizes[0], s.manifested.Data = len(e.Data), nil
	return true, s.checkEarly()
}

// placed refuses a georeference that can't be used. One that leads to no place on the Earth, as another planet's
// and a site's own grid do, is no mistake: the product says so.
func placed(m event.Manifest) error {
	g := raster.Georef(m.Georef)
	if err := g.Check(); err != nil {
		return err
	}
	_, err := raster.Footprint(g, raster.Window{W: m.Width, H: m.Height})
	if errors.Is(err, raster.ErrNoGeoref) || errors.Is(err, raster.ErrNoPlace) {
		return nil
	}
	return err
}

// checkEarly looks at the results that came before the manifest.
func (s *Scene) checkEarly() error {
	for name, t := range s.tiles {
		if t.state != result {
			continue
		}
		data, err := s.results.get(t.where)
		if err != nil {
			return err
		}
		s.checkResult(name, data)
	}
	return nil
}

func (s *Scene) addQuicklook(e event.Item) (changed bool, err error) {
	if s.quicklook != "" && s.quicklookID.Compare(e.ID) >= 0 {
		return false, nil
	}
	path := filepath.Join(s.dir, "quicklook.jpg")
	if err := os.WriteFile(path, e.Data, 0o644); err != nil {
		return false, fmt.Errorf("keeping the quicklook of scene %s: %w", s.ID, err)
	}
	s.quicklook, s.quicklookID = path, e.ID
	s.sizes[1] = len(e.Data)
	return true, nil
}

func (s *Scene) addResult(e event.Item) (changed bool, err error) {
	t, err := s.tile(e.Attrs.Tile)
	if err != nil || t.state == result && t.id.Compare(e.ID) >= 0 {
		return false, err
	}
	where, err := s.results.put(e.Data)
	if err != nil {
		return false, err
	}
	before := *t
	*t = tile{id: e.ID, state: result, refined: e.Attrs.Input == event.InputRefinement, model: strings.TrimSpace(e.Attrs.Model + " " + e.Attrs.ModelVersion), byEdge: e.Seq != 0, where: where}
	if s.manifest != nil && !s.checkResult(e.Attrs.Tile, e.Data) && before.state == result {
		*t = before // the other result was better
	}
	return true, nil
}

// tile is the record of that tile, made when the first of it comes.
func (s *Scene) tile(name string) (*tile, error) {
	if t := s.tiles[name]; t != nil {
		return t, nil
	}
	if s.manifest != nil {
		if _, ok := s.grid.Find(name); !ok {
			return nil, fmt.Errorf("%w: scene %s has no tile %.40q", errMisfit, s.ID, name)
		}
	} else if len(s.tiles) >= maxEarly || len(name) > 40 {
		return nil, fmt.Errorf("%w: scene %s has %d tiles and no manifest, one more is %.40q", errMisfit, s.ID, len(s.tiles), name)
	}
	t := &tile{}
	s.tiles[name] = t
	return t, nil
}

// checkResult says whether a tile's result can be read. One that can't leaves the tile dead, so that the
// scene does not wait for it; one for a tile that the grid does not have is forgotten.
func (s *Scene) checkResult(name string, data []byte) bool {
	at, ok := s.grid.Find(name)
	if !ok {
		delete(s.tiles, name)
		return false
	}
	_, boxes, err := boxesOf(data)
	if s.tiles[name].boxes = boxes; boxes && err == nil {
		return true
	}
	if err == nil {
		err = vision.CheckProbabilities(data, at.Held.W, at.Held.H)
	}
	if err != nil {
		reason := skipped(data)
		if reason == "" {
			reason = "its result can't be read: " + err.Error()
		}
		*s.tiles[name] = tile{id: s.tiles[name].id, state: dead, reason: reason}
		return false
	}
	return true
}

// Missing are the tiles that were sent and of which nothing is known, in the manifest's order.
func (s *Scene) Missing() []string {
	missing := []string{}
	if s.manifest == nil {
		return missing
	}
	for n := range s.manifest.Tiles {
		if d := &s.manifest.Tiles[n]; s.waits(d) {
			missing = append(missing, d.Tile)
		}
	}
	return missing
}

// waits says whether a tile was sent of which nothing is known.
func (s *Scene) waits(d *event.TileDecision) bool {
	if d.Decision != event.TileSent {
		return false
	}
	if s.isRadar() {
		return s.awaits(d)
	}
	t := s.tiles[d.Tile]
	return t == nil || t.state == 0
}

// Done says whether every tile of the manifest is a result, a drop of the edge, or a dead letter. What is
// known of a tile is never unknown again, so it looks at each tile once, however often it is asked.
func (s *Scene) Done() bool {
	if s.manifest == nil {
		return false
	}
	for ; s.known < len(s.manifest.Tiles); s.known++ {
		if s.waits(&s.manifest.Tiles[s.known]) {
			return false
		}
	}
	return true
}

// stats counts the tiles.
func (s *Scene) stats() *SceneStats {
	if s.isRadar() {
		return s.radarTileStats()
	}
	f := &SceneStats{
		Width: s.manifest.Width, Height: s.manifest.Height, Tiles: len(s.manifest.Tiles),
		Dropped:    map[string]int{event.DroppedNoData: 0, event.DroppedCloud: 0, event.DroppedUnchanged: 0},
		SceneBytes: s.manifest.FileBytes, UplinkedBytes: int64(s.sizes[0] + s.sizes[1]),
		Screening: s.manifest.Screening, Facts: s.manifest.Facts, Precision: s.manifest.Precision,
	}
	var cloud, valid float64
	var judged judgement
	for _, d := range s.manifest.Tiles {
		judged.add(s.grid, d, s.tiles[d.Tile])
		if d.Decision == event.TileDropped {
			f.Dropped[d.Reason]++
			if d.Reason == event.DroppedCloud {
				where, _ := s.grid.Find(d.Tile)
				seen := float64(where.Core.W*where.Core.H) * (1 - d.NoData)
				valid += seen
				cloud += seen * d.Cloud
			}
			continue
		}
		f.Sent++
		f.UplinkedBytes += int64(d.Bytes)
		t := s.tiles[d.Tile]
		switch {
		case t == nil:
		case t.state == dead:
			f.Dead++
		case t.state == result:
			f.Results++
			if t.refined {
				f.Refined++
				f.UplinkedBytes += int64(d.Refinement)
			}
			if t.byEdge {
				f.EdgeMasks++
			}
			valid += float64(t.counts[0]) + float64(t.counts[1]) + float64(t.counts[2])
			cloud += float64(t.counts[2])
		}
	}
	if valid > 0 {
		share := cloud / valid
		f.CloudFraction = &share
	}
	judged.tell(f)
	if f.Refined > 0 && f.Refined == f.Sent-f.EdgeMasks {
		f.Precision = 0
	}
	return f
}

// modelNames are the models that took part, most tiles first.
func (s *Scene) modelNames() []string {
	tiles := map[string]int{}
	for _, t := range s.tiles {
		if t.state == result {
			tiles[t.model]++
		}
	}
	names := []string{}
	for name := range tiles {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if tiles[a] != tiles[b] {
			return tiles[b] - tiles[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	return names
}
