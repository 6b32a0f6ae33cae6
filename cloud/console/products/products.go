// Package products reads the folder of finished products for people: its files, pictures drawn of a scene's
// mask, and sums of what was found.
package products

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// Folder is the folder of finished products. All paths are taken below its root, whatever a name
// says: nothing outside it can be reached.
type Folder struct {
	folder string
	root   *os.Root
	drawn  *cache // drawn pictures and sums, by what they are of
	turn   chan struct{}
}

// drawings is how many pictures are drawn at once: each holds some megabytes.
const drawings = 2

// Open opens the folder; bytes of what was drawn are kept in memory.
func Open(folder string, bytes int64) (*Folder, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open the folder of products: %w", err)
	}
	return &Folder{folder: folder, root: root, drawn: newCache(bytes), turn: make(chan struct{}, drawings)}, nil
}

func (f *Folder) Close() error { return f.root.Close() }

// Path checks a file of a product: it must be one that the product announced.
func (f *Folder) Path(of *index.Product, file string) (string, error) {
	if of == nil || !slices.Contains(of.Files, file) {
		return "", fmt.Errorf("the file %.80q is %w", file, index.ErrUnknown)
	}
	name := path.Join(of.Folder, file)
	if !fs.ValidPath(name) || !fs.ValidPath(of.Folder) {
		return "", fmt.Errorf("the file %.80q is %w", file, index.ErrUnknown)
	}
	return name, nil
}

// File opens a file of a product.
func (f *Folder) File(of *index.Product, file string) (*os.File, fs.FileInfo, error) {
	name, err := f.Path(of, file)
	if err != nil {
		return nil, nil, err
	}
	opened, err := f.root.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("the file %.80q is %w: the folder of products has it no longer", file, index.ErrUnknown)
	}
	info, err := opened.Stat()
	if err != nil || !info.Mode().IsRegular() {
		opened.Close()
		return nil, nil, fmt.Errorf("the file %.80q is %w", file, index.ErrUnknown)
	}
	return opened, info, nil
}

// Read reads a file of at most limit bytes.
func (f *Folder) Read(of *index.Product, file string, limit int64) ([]byte, error) {
	opened, info, err := f.File(of, file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %s, more than can be shown here: download it", file, text.Size(info.Size()))
	}
	data := make([]byte, info.Size())
	if _, err := opened.ReadAt(data, 0); err != nil && info.Size() > 0 {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return data, nil
}

// stamp differs from one state of a file to another.
func (f *Folder) stamp(of *index.Product, file string) (string, error) {
	opened, info, err := f.File(of, file)
	if err != nil {
		return "", err
	}
	opened.Close()
	return fmt.Sprintf("%s/%s@%d-%d", of.Folder, file, info.ModTime().UnixNano(), info.Size()), nil
}

// draw gives a picture that is made of mask.tif: from the cache, or drawn now and kept.
func (f *Folder) draw(ctx context.Context, of *index.Product, what string, draw func(*raster.Scene) ([]byte, error)) ([]byte, error) {
	stamp, err := f.stamp(of, MaskFile)
	if err != nil {
		return nil, err
	}
	key := stamp + "#" + what
	if data, ok := f.drawn.get(key); ok {
		return data, nil
	}
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	mask, err := raster.Open(filepath.Join(f.folder, filepath.FromSlash(path.Join(of.Folder, MaskFile))), raster.Options{Bands: []string{"class"}})
	if err != nil {
		return nil, fmt.Errorf("the mask of %s can't be read: %w", of.Name, err)
	}
	defer mask.Close()
	data, err := draw(mask)
	if err != nil {
		return nil, err
	}
	f.drawn.put(key, data)
	return data, nil
}

// Files of a product that are read here.
const (
	MaskFile    = "mask.tif"
	outlineFile = "mask.geojson"
	tilesFile   = "tiles.json"
	blocksFile  = "blocks.json" // of a radar's scene, in place of the list of tiles
	ItemFile    = "item.json"
)

// maskColours are what the classes look like over a picture.
var maskColours = color.Palette{
	vision.Clear:  color.NRGBA{},
	vision.Shadow: color.NRGBA{R: 150, G: 60, B: 220, A: 255},
	vision.Cloud:  color.NRGBA{R: 255, G: 140, B: 0, A: 255},
	inNoData:      color.NRGBA{R: 20, G: 20, B: 20, A: 150},
	inNotJudged:   color.NRGBA{R: 120, G: 120, B: 120, A: 190},
}

// Places in maskColours of what has no class.
const (
	inNoData    = 3
	inNotJudged = 4
)

// encodeMask makes a PNG of classes.
func encodeMask(class []byte, w, h int) ([]byte, error) {
	picture := image.NewPaletted(image.Rect(0, 0, w, h), maskColours)
	for i, c := range class {
		if picture.Pix[i] = min(c, inNoData); c == vision.NotJudged {
			picture.Pix[i] = inNotJudged
		}
	}
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, picture)
	return out.Bytes(), err
}

// maskSide is the longest side of a mask that is laid over a quicklook.
const maskSide = 1024

// Mask is a scene's mask as a PNG, at most maskSide pixels a side.
func (f *Folder) Mask(ctx context.Context, of *index.Product) ([]byte, error) {
	return f.draw(ctx, of, "mask", func(s *raster.Scene) ([]byte, error) {
		w, h := s.Info().Width, s.Info().Height
		side := max(w, h)
		dw, dh := max(1, w*min(side, maskSide)/side), max(1, h*min(side, maskSide)/side)
		class, err := s.ReadClassesScaled(raster.Window{W: w, H: h}, dw, dh)
		if err != nil {
			return nil, err
		}
		return encodeMask(class, dw, dh)
	})
}

// tilePixels is the side of a map tile.
const tilePixels = 256

// outsideScene is a class that no mask has: a map tile is transparent there.
const outsideScene = vision.Clear

// MapTile is a part of a scene's mask as a web map's tile.
func (f *Folder) MapTile(ctx context.Context, of *index.Product, t raster.MapTile) ([]byte, error) {
	return f.draw(ctx, of, fmt.Sprintf("%d/%d/%d", t.Z, t.X, t.Y), func(s *raster.Scene) ([]byte, error) {
		class, found, err := s.ReadClassesMap(t, tilePixels, outsideScene)
		if err != nil {
			return nil, err
		}
		if !found {
			class = make([]byte, tilePixels*tilePixels)
		}
		return encodeMask(class, tilePixels, tilePixels)
	})
}
