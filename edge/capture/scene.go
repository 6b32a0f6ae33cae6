package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// SceneOptions say how scenes are read and cut.
type SceneOptions struct {
	TileSize       int              `yaml:"tile_size" desc:"pixels a side of a tile; 0: 256" range:"0..4096"`
	Overlap        int              `yaml:"overlap" desc:"pixels that neighbouring tiles share, up to half of tile_size; 52 with margin 51 cuts as ukis-csmask does"`
	Margin         int              `yaml:"margin" desc:"pixels outside the scene where the first tile begins, below tile_size - overlap; odd for ukis-csmask"`
	raster.Options `yaml:",inline"` // what is said of them
	Need           []string         `yaml:"need" desc:"bands that a scene must have" default:"blue, green, red"`
	Want           string           `yaml:"want" desc:"what the cloud does with the tiles: masks or objects" enum:"segment, detect" default:"segment"`
	Ahead          int              `yaml:"ahead" desc:"tiles read while the pipeline works; 0: 4" range:"0..64"`
}

// modelBands are the bands that the models of the project read, in the order that a tile has them.
var modelBands = []string{"blue", "green", "red", "nir", "swir16", "swir22"}

func (o SceneOptions) withDefaults() SceneOptions {
	if o.TileSize == 0 {
		o.TileSize = 256
	}
	if len(o.Need) == 0 {
		o.Need = modelBands[:3]
	}
	if o.Want == "" {
		o.Want = "segment"
	}
	if o.Ahead == 0 {
		o.Ahead = 4
	}
	return o
}

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (o SceneOptions) Problems(add func(field, message, hint string)) {
	own := o
	own.Options = raster.Options{} // which speak for themselves
	config.Limits(own, SceneOptions{TileSize: 256}, add)
	if o = o.withDefaults(); o.Overlap < 0 || o.Overlap > o.TileSize/2 {
		add("overlap", fmt.Sprintf("%d pixels for tiles of %d", o.Overlap, o.TileSize), "use at most half the tile size, such as 24")
	} else if o.Margin < 0 || o.Margin >= o.TileSize-o.Overlap {
		add("margin", fmt.Sprintf("%d pixels for tiles of %d with overlap %d", o.Margin, o.TileSize, o.Overlap), "use overlap - 1, or 0 for a grid that begins at the corner")
	}
	o.Options.Problems(add)
}

// SceneInfo is what the tiles of one scene have in common.
type SceneInfo struct {
	raster.Info
	ID     string      // unique among the scenes of the run
	Grid   raster.Grid // how it is cut
	Planes []string    // the bands of its tiles, in their order

	coding raster.Coding
}

// Encode is a tile as it travels: a GeoTIFF in the scene's own numbers. im is the tile's picture.
func (s *SceneInfo) Encode(im vision.Image, t raster.Tile) ([]byte, error) {
	coding := s.coding
	coding.Inside = s.Inside(t)
	data, err := raster.EncodeTile(im, s.Georef.Window(t.Window), coding)
	if err != nil {
		return nil, fmt.Errorf("scene %s, tile %s: %w", s.ID, t.Name(), err)
	}
	return data, nil
}

// Inside is the part of a tile's window that lies in the scene, from the window's corner.
func (s *SceneInfo) Inside(t raster.Tile) raster.Window {
	w := t.Window
	x, y := max(0, -w.X), max(0, -w.Y)
	return raster.Window{X: x, Y: y, W: min(w.W, s.Width-w.X) - x, H: min(w.H, s.Height-w.Y) - y}
}

// SceneFile is a source that gives a scene's tiles, row by row, each as a Picture with Scene and
// Tile set and the window's reflectance in Image. A tile that can't be read (a broken file) comes
// without pixels and with the reason in Partial, so that it can be accounted for; Last repeats the
// first reason. Run fails for files that are no scenes and for scenes that lack needed bands.
type SceneFile struct {
	path, id string
	options  SceneOptions
	guard    Guard
}

// NewSceneFile is the source of the scene in the file at path; id names it in all that is made of it.
func NewSceneFile(path, id string, o SceneOptions) *SceneFile {
	return &SceneFile{path: path, id: id, options: o.withDefaults()}
}

// Guarded calls g before the scene is opened, and before each tile is read.
func (f *SceneFile) Guarded(g Guard) *SceneFile {
	f.guard = g
	return f
}

// Name is the scene's id.
func (f *SceneFile) Name() string { return f.id }

// Run emits the tiles and then Last.
func (f *SceneFile) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	opened, err := f.guard.begin(ctx, f.id, "", nil)
	if err != nil {
		return fmt.Errorf("scene %s: %w", f.path, err)
	}
	scene, info, err := f.open()
	opened()
	if err != nil {
		return err
	}
	defer scene.Close()
	ctx, stop := context.WithCancel(ctx)
	read := make(chan Picture, f.options.Ahead)
	done := make(chan struct{})
	go func() { // the one that reads ahead, ended before the scene is closed
		defer close(done)
		defer close(read)
		f.readTiles(ctx, scene, info, read)
	}()
	defer func() { stop(); <-done }()

	last := Picture{Stream: f.id, At: info.Captured, Scene: info, Last: true}
	broken := 0
	for p := range read {
		if p.Partial != "" {
			if broken++; broken == 1 {
				last.Partial = p.Partial
			}
		}
		last.Frame++
		if err := emit(ctx, p); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if broken > 0 {
		last.Partial = fmt.Sprintf("%d of %d tiles could not be read: %s", broken, last.Frame, last.Partial)
	}
	return emit(ctx, last)
}

// open opens the scene and decides what of it is read.
func (f *SceneFile) open() (*raster.Scene, *SceneInfo, error) {
	scene, err := raster.Open(f.path, f.options.Options)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.study(scene)
	if err != nil {
		scene.Close()
		return nil, nil, err
	}
	return scene, info, nil
}

// study decides what of the scene is read, and checks that it can be.
func (f *SceneFile) study(scene *raster.Scene) (*SceneInfo, error) {
	info := &SceneInfo{Info: scene.Info(), ID: f.id}
	if err := info.Require(f.options.Need...); err != nil {
		return nil, err
	}
	for _, band := range append(slices.Clone(modelBands), f.options.Need...) {
		if info.Require(band) == nil && !slices.Contains(info.Planes, raster.CanonicalBand(band)) {
			info.Planes = append(info.Planes, raster.CanonicalBand(band))
		}
	}
	info.Grid = raster.Grid{Width: info.Width, Height: info.Height, Size: f.options.TileSize, Overlap: f.options.Overlap, Margin: f.options.Margin}
	var err error
	info.coding, err = scene.Coding(info.Planes)
	return info, errors.Join(err, info.Grid.Check())
}

// readTiles reads the tiles in order until all are read or ctx ends.
func (f *SceneFile) readTiles(ctx context.Context, scene *raster.Scene, info *SceneInfo, to chan<- Picture) {
	number := int64(0)
	for tile := range info.Grid.Tiles() {
		p := Picture{Stream: info.ID, At: info.Captured, Frame: number, Scene: info, Tile: &tile, Began: time.Now()}
		number++
		done, err := f.guard.begin(ctx, f.id, tile.Name(), nil)
		if err == nil {
			p.Image, err = scene.ReadMirrored(tile.Window, info.Planes)
			done()
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.Image, p.Partial = vision.Image{}, err.Error()
		}
		select {
		case to <- p:
		case <-ctx.Done():
			return
		}
	}
}

// ReadTile reads one tile of a scene file, cut as a SceneFile with the same options cuts it.
func ReadTile(path, id string, o SceneOptions, name string) (Picture, error) {
	scene, err := raster.Open(path, o.Options)
	if err != nil {
		return Picture{}, err
	}
	defer scene.Close()
	info, err := NewSceneFile(path, id, o).study(scene)
	if err != nil {
		return Picture{}, err
	}
	tile, ok := info.Grid.Find(name)
	if !ok {
		return Picture{}, fmt.Errorf("scene %s has no tile %.40q: its grid has %d x %d tiles", id, name, info.Grid.Cols(), info.Grid.Rows())
	}
	im, err := scene.ReadMirrored(tile.Window, info.Planes)
	if err != nil {
		return Picture{}, err
	}
	return Picture{Stream: id, At: info.Captured, Scene: info, Tile: &tile, Image: im}, nil
}
