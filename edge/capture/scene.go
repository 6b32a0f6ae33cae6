package capture

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// SceneOptions say how scenes are read and cut.
type SceneOptions struct {
	TileSize       int              `yaml:"tile_size" desc:"the most pixels a side of a tile, as it goes over the link: as many windows as fit are one tile; for want: detect, pixels a side of a tile, where window is not set. 0: 1024" range:"0..4096"`
	Window         int              `yaml:"window" desc:"pixels a side of a window, what a network sees at once. 0: 256; for want: detect, tile_size" range:"0..4096"`
	Overlap        int              `yaml:"overlap" desc:"pixels that neighbouring windows share, up to half of window; 52 with margin 51 cuts as ukis-csmask does"`
	Margin         int              `yaml:"margin" desc:"pixels outside the scene where the first window begins, below window - overlap; odd for ukis-csmask"`
	Precision      float64          `yaml:"precision" desc:"by how much a pixel may be off that is sent, in reflectance, such as 0.0005; fewer bytes go over the link. 0: not at all" range:"0..0.1"`
	Refine         bool             `yaml:"refine" desc:"what precision leaves away follows by itself where the link has room for it, on the ladder's last rung"`
	raster.Options `yaml:",inline"` // what is said of them
	Need           []string         `yaml:"need" desc:"bands that a scene must have" default:"blue, green, red"`
	Want           string           `yaml:"want" desc:"what the cloud does with the tiles: masks or objects" enum:"segment, detect" default:"segment"`
	Ahead          int              `yaml:"ahead" desc:"tiles read while the pipeline works, fewer where they are large; 0: 4" range:"0..64"`
}

// WithDefaults fills in what stands for a default.
func (o SceneOptions) WithDefaults() SceneOptions { return o.withDefaults() }

// modelBands are the bands that the models of the project read, in the order that a tile has them.
var modelBands = []string{"blue", "green", "red", "nir", "swir16", "swir22"}

func (o SceneOptions) withDefaults() SceneOptions {
	if o.Want == "" {
		o.Want = "segment"
	}
	if o.TileSize == 0 && o.Want != "detect" {
		o.TileSize = 1024
	}
	if o.Window == 0 {
		o.Window = 256
		if o.Want == "detect" && o.TileSize > 0 {
			o.Window = o.TileSize
		}
	}
	if len(o.Need) == 0 {
		o.Need = modelBands[:3]
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
	config.Limits(own, SceneOptions{TileSize: 1024, Window: 256}, add)
	if o = o.withDefaults(); o.Overlap < 0 || o.Overlap > o.Window/2 {
		add("overlap", fmt.Sprintf("%d pixels for windows of %d", o.Overlap, o.Window), "use at most half the window, such as 24")
	} else if o.Margin < 0 || o.Margin >= o.Window-o.Overlap {
		add("margin", fmt.Sprintf("%d pixels for windows of %d with overlap %d", o.Margin, o.Window, o.Overlap), "use overlap - 1, or 0 for a grid that begins at the corner")
	}
	o.Options.Problems(add)
}

// SceneInfo is what the tiles of one scene have in common.
type SceneInfo struct {
	raster.Info
	ID     string      // unique among the scenes of the run
	Grid   raster.Grid // how it is cut
	Planes []string    // the bands of its tiles, in their order

	Precision float64 // of what is sent, in reflectance; 0: all of it
	Refine    bool    // the rest follows

	coding raster.Coding
}

// Seen is what the device saw in a tile of which only some blocks travel.
type Seen struct {
	Kept           []bool // blocks that travel, of linktile.BlockSide pixels
	Class          []byte // of each pixel of the tile
	Model, Version string // that says so
}

// Encode is a tile as it travels, in the scene's own numbers, and its media type. im is the tile's picture.
// Of a grid as devices had it before there were groups it is a GeoTIFF, as they sent it.
// seen, which may be nil, is what the device saw in it: what seen leaves out does not travel.
func (s *SceneInfo) Encode(im vision.Image, t raster.Tile, seen *Seen) (data []byte, media string, err error) {
	place := s.Georef.Window(t.Held)
	if s.Grid.Group == 0 {
		media = "image/tiff; application=geotiff"
		coding := s.coding
		coding.Inside = s.Inside(t)
		data, err = raster.EncodeTile(im, place, coding)
	} else {
		media = linktile.MediaType
		var tile linktile.Tile
		if tile, err = raster.LinkTile(im, place, s.coding, windows.Part{Grid: s.Grid, Tile: t}, s.Precision); err == nil {
			tile.More = s.Refine
			if seen != nil {
				tile.Kept, tile.Mask, tile.Model, tile.Version = seen.Kept, seen.Class, seen.Model, seen.Version
			}
			data, err = tile.Encode()
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("scene %s, tile %s: %w", s.ID, t.Name(), err)
	}
	return data, media, nil
}

// Refinement is what leads from a tile as it went (data, of Encode) to one without loss; nil where none is to follow.
func (s *SceneInfo) Refinement(im vision.Image, t raster.Tile, data []byte) ([]byte, error) {
	if !linktile.Keeps(data) {
		return nil, nil
	}
	base, err := linktile.Decode(data, im.W*im.H)
	if err == nil {
		var whole linktile.Tile
		if whole, err = raster.LinkTile(im, s.Georef.Window(t.Held), s.coding, windows.Part{Grid: s.Grid, Tile: t}, 0); err == nil {
			whole.More, whole.Model, whole.Version = base.More, base.Model, base.Version
			data, err = whole.EncodeRefinement(base)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("scene %s, refinement of tile %s: %w", s.ID, t.Name(), err)
	}
	return data, nil
}

// TileBytes is how much memory the picture of a tile takes at most.
func (s *SceneInfo) TileBytes() int64 {
	side := func(scene int) int64 {
		return int64(min(scene, (max(s.Grid.Group, 1)-1)*(s.Grid.Size-s.Grid.Overlap)+s.Grid.Size))
	}
	if s.Grid.Group == 0 {
		return int64(s.Grid.Size) * int64(s.Grid.Size) * int64(4*len(s.Planes)+1)
	}
	return side(s.Width) * side(s.Height) * int64(4*len(s.Planes)+1)
}

// Inside is the part of what a tile holds that lies in the scene, from its corner: all but the mirrored borders of
// a grid without groups.
func (s *SceneInfo) Inside(t raster.Tile) raster.Window {
	w := t.Held
	x, y := max(0, -w.X), max(0, -w.Y)
	return raster.Window{X: x, Y: y, W: min(w.W, s.Width-w.X) - x, H: min(w.H, s.Height-w.Y) - y}
}

// SceneFile is a source that gives a scene's tiles, row by row, each as a Picture with Scene and
// Tile set and the reflectance of its pixels in Image. A tile that can't be read (a broken file) comes
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

// aheadBytes bounds the pictures of tiles that are read ahead, of which there is always one.
const aheadBytes = 32 << 20

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
	read := make(chan Picture, max(0, min(int64(f.options.Ahead), aheadBytes/info.TileBytes())-1)) // one more is in the reader's hand
	done := make(chan struct{})
	go func() { // the one that reads ahead, ended before the scene is closed
		defer close(done)
		defer close(read)
		f.readTiles(ctx, scene, info, read)
	}()
	defer func() { stop(); <-done }()

	last := Picture{Stream: f.id, At: info.Captured, Scene: info, Last: true}
	broken, lossy := 0, 0
	for p := range read {
		if why := cmp.Or(p.Partial, p.Lost); why != "" {
			if last.Partial == "" {
				last.Partial = why
			}
			if p.Partial != "" {
				broken++
			} else {
				lossy++
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
	switch {
	case lossy > 0:
		last.Partial = fmt.Sprintf("%d of %d tiles could not be read, and %d only in part: %s", broken, last.Frame, lossy, last.Partial)
	case broken > 0:
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
	o := f.options
	info.Grid = raster.Grid{Width: info.Width, Height: info.Height, Size: o.Window, Overlap: o.Overlap, Margin: o.Margin, Group: 1}
	if o.Want != "detect" { // a detector sees a tile as one picture
		info.Grid.Group = windows.GroupOf(o.TileSize, o.Window, o.Overlap)
	}
	var err error
	if info.coding, err = scene.Coding(info.Planes); err != nil {
		return info, err
	}
	info.tellPrecision(o.Precision)
	info.Refine = o.Refine && info.Precision > 0
	return info, info.Grid.Check()
}

// tellPrecision notes how exactly the scene's numbers are sent, where they are not sent as they are.
func (s *SceneInfo) tellPrecision(precision float64) {
	if precision <= 0 {
		return
	}
	value := fmt.Sprintf("pixels are sent exactly: %g is less than one step of the file's numbers", precision)
	if steps := s.coding.Steps(precision); steps != nil {
		s.Precision = precision
		value = fmt.Sprintf("pixels are sent to within %g in reflectance: of the file's numbers, %d steps in %s", precision, steps, strings.Join(s.Planes, ", "))
	}
	s.Facts = append(s.Facts, raster.Fact{What: "precision", Value: value, From: raster.FromOption})
}

// readTiles reads the tiles in order until all are read or ctx ends.
func (f *SceneFile) readTiles(ctx context.Context, scene *raster.Scene, info *SceneInfo, to chan<- Picture) {
	number := int64(0)
	for tile := range info.Grid.Tiles() {
		p := Picture{Stream: info.ID, At: info.Captured, Frame: number, Scene: info, Tile: &tile, Began: time.Now()}
		number++
		done, err := f.guard.begin(ctx, f.id, tile.Name(), nil)
		if err == nil {
			p.Image, p.Lost, err = readAround(scene, tile.Held, info.Planes)
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

// readAround reads what a tile holds. Of one with broken blocks of the file it gives the rest, and says what is lost.
func readAround(scene *raster.Scene, w raster.Window, bands []string) (im vision.Image, lost string, err error) {
	im, err = scene.ReadMirrored(w, bands)
	if err == nil {
		return im, "", nil
	}
	rest, broken, again := scene.ReadAround(w, w.W, w.H, bands, false)
	if again != nil || len(broken) == 0 {
		return vision.Image{}, "", err
	}
	return rest, fmt.Sprintf("%d blocks, the first of them %s, are without data: %v", len(broken), broken[0], err), nil
}

// ReadTile reads one tile of a scene file, cut as a SceneFile with the same options cuts it. Options of a device
// that knew no groups of windows have no Window: the tile is cut as that device did.
func ReadTile(path, id string, o SceneOptions, name string) (Picture, error) {
	scene, err := raster.Open(path, o.Options)
	if err != nil {
		return Picture{}, err
	}
	defer scene.Close()
	earlier := o.Window == 0
	if earlier {
		o.Window = cmp.Or(o.TileSize, 256)
	}
	info, err := NewSceneFile(path, id, o).study(scene)
	if err != nil {
		return Picture{}, err
	}
	if earlier {
		info.Grid.Group = 0
	}
	tile, ok := info.Grid.Find(name)
	if !ok {
		return Picture{}, fmt.Errorf("scene %s has no tile %.40q: its grid has %d x %d tiles", id, name, info.Grid.Cols(), info.Grid.Rows())
	}
	im, err := scene.ReadMirrored(tile.Held, info.Planes)
	if err != nil {
		return Picture{}, err
	}
	return Picture{Stream: id, At: info.Captured, Scene: info, Tile: &tile, Image: im}, nil
}
