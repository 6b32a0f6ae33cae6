package mosaic

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// radar is the part of a scene's fold that is about raw echoes: what is known of each block of lines, and of the
// device's own tiles of amplitude. A scene whose manifest says that it is a radar's is made of this alone. Rows of
// the image are large: they stay in the object store until the product is written.
type radar struct {
	blocks    map[int]*radarBlock
	amplitude map[[2]int]*radarPart // by column and row of amplitudeSide pixels a side
}

// radarBlock is what is known of one block.
type radarBlock struct {
	rows    *radarPart // of the image, complex
	targets *radarPart // in these rows
	count   int        // of targets …
	ships   int        // … that are taken for ships …
	leftOut int        // … and of those that were left out
	sea     *float64   // level of the sea in dB; nil: none was recognised, and nothing is called a ship
	broken  string     // why the targets can't be read

	deadID ulid.ULID
	dead   string // why it is in the dead letters, or was skipped; empty: it is not
}

// radarPart is data that lies in the working file, or in the object store.
type radarPart struct {
	id     ulid.ULID
	ref    string // in the object store; empty: where says
	where  extent
	size   int // bytes, where they are known
	sum    event.Hash
	model  string
	byEdge bool
}

// amplitudeSide is how many pixels a side a device's tiles of amplitude have; the last ones are smaller.
const amplitudeSide = sar.AmplitudeSide

// newer says whether an item takes the place of what is there: what the cloud made before what a device did, then
// the greater id, which is the newer input's.
func (p *radarPart) newer(e *event.Item) bool {
	if p == nil {
		return true
	}
	if byEdge := e.Seq != 0; byEdge != p.byEdge {
		return p.byEdge
	}
	return p.id.Compare(e.ID) < 0
}

// ofRadar says whether an item is about raw echoes, by what its data is.
func ofRadar(e *event.Item) bool {
	switch e.Type {
	case sar.EchoesType, sar.RowsType, sar.AmplitudeType, sar.TargetsType:
		return true
	}
	return false
}

// staysAway says of an item whether its data is left in the object store until the product is written.
func staysAway(e *event.Item) bool { return e.Kind == event.Result && e.Type == sar.RowsType }

// addRadar takes in a result about raw echoes.
func (s *Scene) addRadar(e event.Item) (changed bool, err error) {
	if e.Type == sar.AmplitudeType {
		return s.addAmplitude(e)
	}
	b, err := s.radarBlock(e.Attrs.Tile)
	if err != nil {
		return false, err
	}
	switch e.Type {
	case sar.RowsType:
		if !b.rows.newer(&e) {
			return false, nil
		}
		b.rows, err = s.keepPart(e)
		return err == nil, err
	case sar.TargetsType:
		return s.addTargets(b, e)
	}
	return false, fmt.Errorf("%w: a result of type %.60q", errMisfit, e.Type)
}

func (s *Scene) addTargets(b *radarBlock, e event.Item) (changed bool, err error) {
	t, err := sar.DecodeTargets(e.Data)
	if err == nil && t.Skipped != "" {
		return b.die(e.ID, "it was left out: "+t.Skipped), nil
	}
	if !b.targets.newer(&e) {
		return false, nil
	}
	kept, failed := s.keepPart(e)
	if failed != nil {
		return false, failed
	}
	b.targets, b.count, b.ships, b.leftOut, b.sea = kept, len(t.Targets), 0, t.LeftOut, t.SeaDB
	for _, one := range t.Targets {
		if one.Class == sar.Ship {
			b.ships++
		}
	}
	if b.broken = t.Failed; err != nil {
		b.broken = err.Error()
	}
	return true, nil
}

// die notes why nothing comes of a block. What a worker made of it outweighs that: it was replayed.
func (b *radarBlock) die(id ulid.ULID, reason string) (changed bool) {
	if b.rows != nil || b.dead != "" && b.deadID.Compare(id) >= 0 {
		return false
	}
	b.dead, b.deadID = reason, id
	return true
}

func (s *Scene) addAmplitude(e event.Item) (changed bool, err error) {
	at, err := s.amplitudeTile(e.Attrs.Tile)
	if err != nil || !s.radar.amplitude[at].newer(&e) {
		return false, err
	}
	kept, err := s.keepPart(e)
	if err == nil {
		s.radar.amplitude[at] = kept
	}
	return err == nil, err
}

func (s *Scene) keepPart(e event.Item) (*radarPart, error) {
	p := &radarPart{id: e.ID, ref: e.Attrs.DataRef, size: len(e.Data), sum: e.SHA256, model: strings.TrimSpace(e.Attrs.Model + " " + e.Attrs.ModelVersion), byEdge: e.Seq != 0}
	if p.ref != "" {
		return p, nil
	}
	var err error
	p.where, err = s.results.put(e.Data)
	return p, err
}

// radarBlock is the record of a block, made when the first of it comes.
func (s *Scene) radarBlock(tile string) (*radarBlock, error) {
	most := event.MaxRadarBlocks
	if s.isRadar() {
		most = len(s.manifest.Radar.Blocks)
	}
	_, index, ok := event.ParseTile(tile, event.RadarGrid(most))
	if !ok || s.manifest != nil && !s.isRadar() {
		return nil, fmt.Errorf("%w: scene %s has no block %.40q of echoes", errMisfit, s.ID, tile)
	}
	b := s.radar.blocks[index]
	if b == nil {
		b = &radarBlock{}
		s.radar.blocks[index] = b
	}
	return b, nil
}

// amplitudeTile is the place of a tile of amplitude.
func (s *Scene) amplitudeTile(name string) (at [2]int, err error) {
	g := event.SceneGrid{Cols: 1 << 14, Rows: 1 << 14}
	if s.isRadar() {
		g = amplitudeGrid(s.manifest.Radar)
	}
	col, row, ok := event.ParseTile(name, g)
	at = [2]int{col, row}
	switch {
	case !ok || s.manifest != nil && !s.isRadar():
		return at, fmt.Errorf("%w: scene %s has no tile %.40q of amplitude", errMisfit, s.ID, name)
	case s.radar.amplitude[at] == nil && len(s.radar.amplitude) >= maxEarly:
		return at, fmt.Errorf("%w: scene %s has %d tiles of amplitude, one more is %.40q", errMisfit, s.ID, len(s.radar.amplitude), name)
	}
	return at, nil
}

// amplitudeGrid is how a device cuts an image into tiles of amplitude.
func amplitudeGrid(r *event.Radar) event.SceneGrid {
	return event.SceneGrid{Cols: (r.Samples + amplitudeSide - 1) / amplitudeSide, Rows: (r.Lines + amplitudeSide - 1) / amplitudeSide}
}

// isRadar says whether the scene is known to be one of raw echoes.
func (s *Scene) isRadar() bool { return s.manifest != nil && s.manifest.Radar != nil }

// settleRadar looks at what came before a manifest, or belongs to the one before. Where an acquisition is read
// anew, with other parameters or blocks, what was made of the first reading is not part of it.
func (s *Scene) settleRadar(before *event.Manifest, beforeID ulid.ULID) {
	r := s.manifest.Radar
	another := before != nil && !reflect.DeepEqual(before.Radar, r)
	stale := func(p *radarPart) bool { return p != nil && another && p.id.Time() <= beforeID.Time() }
	for index, b := range s.radar.blocks {
		if stale(b.rows) {
			b.rows = nil
		}
		if stale(b.targets) {
			b.targets, b.count, b.ships, b.leftOut, b.sea, b.broken = nil, 0, 0, 0, nil, ""
		}
		if b.dead != "" && another && b.deadID.Time() <= beforeID.Time() {
			b.dead = ""
		}
		if index >= len(r.Blocks) || *b == (radarBlock{}) {
			delete(s.radar.blocks, index)
		}
	}
	g := amplitudeGrid(r)
	for at, p := range s.radar.amplitude {
		if at[0] >= g.Cols || at[1] >= g.Rows || stale(p) {
			delete(s.radar.amplitude, at)
		}
	}
}

// awaits says whether more is to come of a block that was sent: its rows with the targets in them; of one in place
// of which amplitude was sent, that.
func (s *Scene) awaits(d *event.TileDecision) bool {
	_, index, _ := event.ParseTile(d.Tile, s.manifest.Grid)
	b := s.radar.blocks[index]
	switch {
	case b == nil:
	case b.rows != nil:
		return b.targets == nil && !b.rows.byEdge
	case b.dead != "":
		return false
	}
	return d.Reason != event.SentAmplitude || !s.hasAmplitude(s.manifest.Radar.Blocks[index])
}

// hasAmplitude says whether all tiles of amplitude have come that show rows of a block.
func (s *Scene) hasAmplitude(b event.RadarBlock) bool {
	cols := amplitudeGrid(s.manifest.Radar).Cols
	for row := b.FirstRow / amplitudeSide; row*amplitudeSide < b.FirstRow+b.Rows; row++ {
		for col := range cols {
			if s.radar.amplitude[[2]int{col, row}] == nil {
				return false
			}
		}
	}
	return true
}
