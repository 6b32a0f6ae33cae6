// Package native is what a worker needs of the packages with native libraries: decoders and networks.
// It stands apart so that the worker itself builds and tests without them.
package native

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// MaxPixels is the default bound of a decoded picture: 8,192 x 8,192. A tile has 65,536.
const MaxPixels = 1 << 26

// Decoder decodes tiles, those of earlier devices, which are GeoTIFF, through GDAL, and JPEG and PNG through OpenCV.
type Decoder struct {
	MaxPixels int // 0: MaxPixels
}

// Size reads the header only.
func (d Decoder) Size(media string, data []byte) (int64, error) {
	switch kindOf(media) {
	case "image/tiff":
		return raster.TileBytes(data)
	case "image/jpeg", "image/png":
		return infer.ImageBytes(data)
	case linktile.MediaType:
		if media == linktile.RefinementType {
			h, err := linktile.PairHead(data)
			return 2 * raster.LinkTileBytes(h), err
		}
		h, err := linktile.Head(data)
		return raster.LinkTileBytes(h), err
	}
	return 0, errMedia(media)
}

// Decode looks at the size before it decodes anything.
func (d Decoder) Decode(media string, data []byte) (p worker.Picture, err error) {
	limit := d.MaxPixels
	if limit == 0 {
		limit = MaxPixels
	}
	switch kindOf(media) {
	case "image/tiff":
		p.Image, err = raster.DecodeTile(data, limit)
		return p, err
	case "image/jpeg", "image/png":
		p.Image, err = infer.DecodeImage(data, limit)
		return p, err
	case linktile.MediaType:
		if media == linktile.RefinementType {
			return decodeLinkTile(data, limit, linktile.DecodePair)
		}
		return decodeLinkTile(data, limit, linktile.Decode)
	}
	return p, errMedia(media)
}

// decodeLinkTile decodes a tile and says which windows it is made of.
func decodeLinkTile(data []byte, limit int, decode func([]byte, int) (linktile.Tile, error)) (p worker.Picture, err error) {
	tile, err := decode(data, limit)
	if err != nil {
		return p, err
	}
	part, err := raster.LinkPart(tile.Header)
	if err != nil {
		return p, err
	}
	p.Part, p.Image = &part, raster.FromLinkTile(tile)
	if tile.Kept != nil {
		p.Given = tile.Mask
		cols := linktile.Blocks(tile.W)
		inner := linktile.Inner(tile.Kept, cols)
		p.Wanted = make([]bool, tile.W*tile.H)
		for i := range p.Wanted {
			p.Wanted[i] = inner[i/tile.W/linktile.BlockSide*cols+i%tile.W/linktile.BlockSide]
		}
	}
	return p, nil
}

// Place is where a tile of a scene lies; im is its picture.
func (d Decoder) Place(media string, data []byte, im vision.Image) (ground.Place, bool) {
	switch kindOf(media) {
	case "image/tiff":
		g, inside, ok, err := raster.TilePlace(data)
		if err != nil || !ok {
			return ground.Place{}, false
		}
		system, at, ok := ground.Locate(g.EPSG, "", g.Transform, im.Bands)
		return ground.Place{System: system, At: at, Inside: ground.Rect(inside)}, ok
	case linktile.MediaType: // nothing of it is mirrored
		h, err := linktile.Head(data)
		if media == linktile.RefinementType {
			h, err = linktile.PairHead(data)
		}
		if err != nil || h.EPSG == 0 {
			return ground.Place{}, false
		}
		system, at, ok := ground.Locate(h.EPSG, "", h.Affine, im.Bands)
		return ground.Place{System: system, At: at, Inside: ground.Rect{W: h.W, H: h.H}}, ok
	}
	return ground.Place{}, false
}

func kindOf(media string) string {
	kind, _, _ := strings.Cut(media, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

func errMedia(media string) error {
	return fmt.Errorf("media type %.60q is none of %s, image/tiff, image/jpeg and image/png: a later device may have sent it", media, linktile.MediaType)
}

// Catalogue is a model repository from which networks are opened.
type Catalogue struct {
	Repository *model.Repository
	Engine     string // auto, or an engine's name
	Layout     infer.Layout
	Log        *slog.Logger
	Opened     func(infer.Report) // is called with the report of each network that was opened; may be nil
}

var _ worker.Catalogue = Catalogue{}

// Describe reads a model's manifest.
func (c Catalogue) Describe(name string) (worker.Needs, error) {
	m, err := c.Repository.Find(name)
	if err != nil {
		return worker.Needs{}, err
	}
	return NeedsOf(m), nil
}

// NeedsOf is what a manifest says that matters for choosing its model.
func NeedsOf(m model.Model) worker.Needs {
	needs := worker.Needs{Version: m.Version, Bands: m.Input.Bands, Gives: gives(m.Manifest)}
	if info, err := os.Stat(m.Path); err == nil { // what is built in has no file
		needs.Bytes = info.Size()
	}
	return needs
}

// gives is what comes out of a model's decoder.
func gives(m model.Manifest) string {
	switch m.Task {
	case model.Segment:
		return worker.GivesMask
	case model.Classify:
		return worker.GivesClasses
	case model.Text:
		if m.Output.Decoder == "ctc" {
			return worker.GivesWords
		}
	}
	return worker.GivesBoxes
}

// Open loads a model with the engine that suits this machine. The network is an io.Closer.
func (c Catalogue) Open(ctx context.Context, name string) (worker.Network, error) {
	m, err := c.Repository.Find(name)
	if err != nil {
		return nil, err
	}
	return c.Load(ctx, m)
}

// Load is Open of a model that was found elsewhere.
func (c Catalogue) Load(ctx context.Context, m model.Model) (worker.Network, error) {
	engine := c.Engine
	if engine == "" {
		engine = infer.Auto
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	net, report, err := infer.Open(ctx, m, engine, c.Layout, log)
	if err != nil {
		return nil, err
	}
	if c.Opened != nil {
		c.Opened(report)
	}
	return net, nil
}
