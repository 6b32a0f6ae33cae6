package mosaic

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// worldError is a publication's failure that is neither the record's nor a disk's fault: it is tried for ever.
type worldError struct{ error }

func (o worldError) Unwrap() error { return o.error }

// radarSource is what rows of an image are read with.
type radarSource struct {
	objects queue.Objects
	memory  *budget.Bytes // of all decoders of the process; nil: without bound
}

// What became of a block.
const (
	stateResult    = "result"
	stateAmplitude = "amplitude"
	statePartial   = "partial" // its targets have not come
	stateDead      = "dead"
	stateMissing   = "missing"
	stateDropped   = "dropped"
)

// blockOutcome is a line of blocks.json: the device's decision and what became of the block in the cloud. Rows that
// are neither result nor amplitude are without data: 0 in slc.tif, NaN in amplitude.tif.
type blockOutcome struct {
	Block    int    `json:"block"`
	Tile     string `json:"tile"`
	FirstRow int    `json:"first_row"` // of the image …
	Rows     int    `json:"rows"`      // … that the block makes
	Decision string `json:"decision"`  // sent or dropped, by the edge
	Reason   string `json:"reason"`    // amplitude: the image's amplitude was sent in place of the echoes
	Bytes    int    `json:"bytes"`     // sent
	State    string `json:"state"`     // result, amplitude, partial, dead, missing or dropped
	Model    string `json:"model,omitempty"`
	By       string `json:"by,omitempty"`    // edge or cloud: where the rows were made
	Shown    int    `json:"shown,omitempty"` // rows of which the device's own amplitude is there in place of a result
	Targets  int    `json:"targets"`
	Ships    int    `json:"ships"` // of these
	// SeaDB is the level of the sea in the rows, in dB of intensity; null: none was recognised, and nothing is called a ship.
	SeaDB   *float64 `json:"sea_db"`
	LeftOut int      `json:"targets_left_out,omitempty"`
	Why     string   `json:"why,omitempty"`
}

// writeRadar makes the files of a radar's scene in dir from what is known now, block by block, so that memory holds
// one block whatever the length of the acquisition. Their bytes depend on the blocks alone, not on the order in
// which they came.
//
//	slc.tif             GeoTIFF, CFloat32: the image as focused; rows are lines, columns samples. 0: no data
//	amplitude.tif       Cloud Optimized GeoTIFF, Float32, in the same geometry; the device's own where no rows are. NaN: no data
//	geocoded.tif        Cloud Optimized GeoTIFF, Float32: the amplitude on a map (UTM), on the ellipsoid, where there is an orbit
//	quicklook.png       the intensity, averaged to pixels that are about square, in dB
//	detections.geojson  bright targets
//	blocks.json         what became of every block
//	item.json           STAC 1.1 Item
//
// Where nothing is to be written into one of the first three, it is left out.
func (s *Scene) writeRadar(ctx context.Context, dir string, at time.Time, from radarSource) (Product, error) {
	image := s.beginRadarImage(dir)
	defer image.close()
	outcomes := make([]blockOutcome, 0, len(s.manifest.Tiles))
	for _, d := range s.manifest.Tiles {
		if ctx.Err() != nil {
			return Product{}, ctx.Err()
		}
		o, err := s.writeBlock(ctx, image, d, from)
		if err != nil {
			return Product{}, fmt.Errorf("radar scene %s: block %s: %w", s.ID, d.Tile, err)
		}
		outcomes = append(outcomes, o)
	}
	if err := image.finish(dir); err != nil {
		return Product{}, fmt.Errorf("radar scene %s: %w", s.ID, err)
	}
	place := findPlace(s.manifest.Radar)
	if image.amp != nil {
		if err := place.geocode(ctx, dir, image.metadata); err != nil {
			return Product{}, fmt.Errorf("radar scene %s: %w", s.ID, err)
		}
	}
	p := Product{Kind: sceneProduct, Name: s.ID, Edge: s.Edge, Missing: []string{}, Of: s.manifestID.String(), Models: s.radarModels(), Scene: s.stats(), Radar: s.radarStats()}
	targets, err := s.radarTargets()
	if err != nil {
		return p, fmt.Errorf("radar scene %s: targets: %w", s.ID, err)
	}
	for _, o := range outcomes {
		if o.State == stateMissing || o.State == statePartial {
			p.Missing = append(p.Missing, o.Tile)
		}
	}
	p.Complete = len(p.Missing) == 0
	found := len(targets)
	p.Scene.Objects, p.Radar.Targets = &found, found
	p.Radar.count(outcomes, image)
	p.Radar.Placed, p.Radar.NotPlaced = place.geometry != nil, place.problem
	var files shielded
	files.Go(func() error { return writeJSON(filepath.Join(dir, "blocks.json"), outcomes) })
	files.Go(func() error {
		features, err := s.targetFeatures(targets, place.geometry)
		if err != nil {
			return err
		}
		return writeJSON(filepath.Join(dir, "detections.geojson"), features)
	})
	files.Go(func() error { return s.writeRadarQuicklook(filepath.Join(dir, "quicklook.png"), image, targets) })
	files.Go(func() error {
		item := s.radarItem(p, image, place, at)
		if s.catalog {
			item.linkToCatalog()
		}
		return writeJSON(filepath.Join(dir, "item.json"), item)
	})
	if err := files.Wait(); err != nil {
		return p, fmt.Errorf("radar scene %s: %w", s.ID, err)
	}
	return p, nil
}

// writeBlock writes the rows of one block, and says what became of it. What is wrong with its data is part of that;
// the error is of the world.
func (s *Scene) writeBlock(ctx context.Context, image *radarImage, d event.TileDecision, from radarSource) (blockOutcome, error) {
	_, index, _ := event.ParseTile(d.Tile, s.manifest.Grid)
	at := s.manifest.Radar.Blocks[index]
	o := blockOutcome{Block: index, Tile: d.Tile, FirstRow: at.FirstRow, Rows: at.Rows, Decision: d.Decision, Reason: d.Reason, Bytes: d.Bytes}
	b := s.radar.blocks[index]
	if b != nil {
		o.Targets, o.Ships, o.SeaDB, o.LeftOut, o.Why = b.count, b.ships, b.sea, b.leftOut, b.broken
	}
	switch {
	case b != nil && b.rows != nil:
		o.State, o.Model, o.By = stateResult, b.rows.model, maker(b.rows)
		broken, err := s.writeRows(ctx, image, at, b.rows, from)
		if err != nil {
			return o, err
		}
		if broken == nil {
			if b.targets == nil && !b.rows.byEdge {
				o.State, o.Why = statePartial, "its targets have not come"
			}
			return o, nil
		}
		o.State, o.Why, o.Model, o.By = stateDead, broken.Error(), "", ""
		if errors.Is(broken, fs.ErrNotExist) {
			o.State = stateMissing
		}
	case b != nil && b.dead != "":
		o.State, o.Why = stateDead, b.dead
	case d.Decision == event.TileDropped:
		o.State = stateDropped
	default:
		o.State = stateMissing
	}
	known, err := image.fill(at, s.amplitudeRows)
	if known > 0 {
		o.By, o.Shown = "edge", known
	}
	if known == at.Rows && d.Reason == event.SentAmplitude {
		o.State = stateAmplitude // as the device meant it
	}
	return o, err
}

func maker(p *radarPart) string {
	if p.byEdge {
		return "edge"
	}
	return "cloud"
}

// writeRows writes the rows of a block. broken says what is wrong with its data, of which then nothing is written.
func (s *Scene) writeRows(ctx context.Context, image *radarImage, at event.RadarBlock, p *radarPart, from radarSource) (broken, err error) {
	// As it came, unpacked, and as numbers.
	size := 3 * int64(at.Rows) * int64(s.manifest.Radar.Samples) * 8
	if all := from.memory.Size(); all > 0 {
		size = min(size, all)
	}
	give, err := from.memory.Take(ctx, size)
	if err != nil {
		return nil, err
	}
	defer give()
	data, broken, err := s.fetchPart(ctx, p, from)
	if broken != nil || err != nil {
		return broken, err
	}
	im, broken := sar.DecodeRows(data)
	if broken != nil {
		return fmt.Errorf("its rows can't be read: %w", broken), nil
	}
	if im.FirstRow != at.FirstRow || im.Rows != at.Rows || im.Cols != s.manifest.Radar.Samples || len(im.Pix) != im.Rows*im.Cols {
		return fmt.Errorf("its result is %d rows of %d samples from row %d on (%d numbers), the manifest says %d of %d from %d on",
			im.Rows, im.Cols, im.FirstRow, len(im.Pix), at.Rows, s.manifest.Radar.Samples, at.FirstRow), nil
	}
	return nil, image.rows(at, im.Pix)
}

// fetchPart is data of the working file or the object store, as it was promised.
func (s *Scene) fetchPart(ctx context.Context, p *radarPart, from radarSource) (data []byte, broken, err error) {
	if p.ref == "" {
		data, err = s.results.get(p.where)
		return data, nil, err
	}
	data, err = from.objects.Get(ctx, p.ref)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the object store has no %q: %w", p.ref, fs.ErrNotExist), nil
	case errors.Is(err, event.ErrTooLarge):
		return nil, err, nil
	case err != nil:
		return nil, nil, worldError{fmt.Errorf("fetching %q from the object store: %w", p.ref, err)}
	case event.Sum(data) != p.sum:
		return nil, fmt.Errorf("%w: %q has %d bytes, promised %s", event.ErrDigest, p.ref, len(data), p.sum), nil
	}
	return data, nil, nil
}
