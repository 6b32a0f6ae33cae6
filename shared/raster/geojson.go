package raster

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/airbusgeo/godal"
)

// WriteGeoJSON outlines the classes of a mask file: one Feature for each connected area (sides, not
// corners, connect) of a class in classes, which gives the classes' names; other classes are left
// out. Polygons are exact along the pixels' edges, in longitude and latitude as RFC 7946 wants
// (exterior rings counter-clockwise, cut at the 180th meridian), with the properties class, value
// (the mask's number) and area_m2 (on the ellipsoid).
//
// A mask without georeference, or of another planet or a site's own grid, is outlined in pixels (column, row from the top left corner): the
// collection then says "coordinates":"pixel", area_m2 is null, and area_px counts the pixels.
//
// Memory holds single polygons, never the whole.
func WriteGeoJSON(maskPath, out string, classes map[uint8]string) error {
	if err := writeGeoJSON(maskPath, out, classes); err != nil {
		return fmt.Errorf("outline %s: %w", maskPath, err)
	}
	return nil
}

func writeGeoJSON(maskPath, out string, classes map[uint8]string) (err error) {
	started()
	mask, err := godal.Open(maskPath, godal.RasterOnly(), reportErrors)
	if err != nil {
		return brief(err)
	}
	defer mask.Close(reportErrors)
	g, _ := georefOf(mask)
	var to *lonlat
	if g.Known() {
		switch to, err = g.lonlat(); {
		case errors.Is(err, ErrNoPlace): // lon/lat means nothing there
		case err != nil:
			return err
		default:
			defer to.close()
		}
	}

	part := out + ".part"
	file, err := os.Create(part)
	if err != nil {
		return fmt.Errorf("%w; choose a folder that exists and can be written", err)
	}
	defer func() {
		if e := file.Close(); err == nil && e != nil {
			err = e
		}
		if err == nil {
			err = os.Rename(part, out)
		}
		if err != nil {
			os.Remove(part)
		}
	}()
	work, err := os.MkdirTemp(filepath.Dir(out), ".outline-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	w := bufio.NewWriterSize(file, 1<<20)
	features := featureWriter{w: w, georef: g, to: to, classes: classes}
	if st := mask.Structure(); to != nil && !to.whole(g, Window{W: st.SizeX, H: st.SizeY}) {
		if features.within, err = to.placeable(g, Window{W: st.SizeX, H: st.SizeY}); err != nil {
			return err
		}
		features.nowhere = len(features.within) == 0
	}
	features.open()
	found, err := keepClasses(mask, filepath.Join(work, "classes.tif"), classes)
	if err != nil {
		return err
	}
	if found {
		if err := outline(work, features.write); err != nil {
			return err
		}
	}
	features.close()
	return w.Flush()
}

// rest is the number that marks what is not outlined.
const rest = 255

// keepClasses copies the wanted classes into a working file without georeference, so that outlines
// come in pixels; all else becomes its no-data number. found says whether there is any of them.
func keepClasses(mask *godal.Dataset, path string, classes map[uint8]string) (found bool, err error) {
	st := mask.Structure()
	if st.NBands != 1 || st.DataType != godal.Byte {
		return false, fmt.Errorf("not a mask: %d bands of %s, not one of Byte", st.NBands, st.DataType)
	}
	none := float64(rest)
	w, err := Create(path, Layout{Width: st.SizeX, Height: st.SizeY, Bands: []string{"class"}, DataType: "Byte", NoData: &none,
		Creation: []string{"TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "SPARSE_OK=TRUE", "COMPRESS=ZSTD", "ZSTD_LEVEL=1", "BIGTIFF=IF_SAFER"}})
	if err != nil {
		return false, err
	}
	defer w.Close()
	var to [256]byte
	for i := range to {
		if to[i] = byte(i); classes[uint8(i)] == "" {
			to[i] = rest
		}
	}
	for tile := range (Grid{Width: st.SizeX, Height: st.SizeY, Size: 512}).Tiles() {
		// Cores, not windows: they meet without overlap, so no block is compressed twice but the last.
		c := tile.Core
		pixels := make([]byte, c.W*c.H)
		if err := mask.Read(c.X, c.Y, pixels, c.W, c.H, reportErrors); err != nil {
			return false, brief(err)
		}
		any := false
		for i, v := range pixels {
			pixels[i] = to[v]
			any = any || to[v] != rest
		}
		if any {
			found = true
			if err := w.Write(c, pixels); err != nil {
				return false, err
			}
		}
	}
	return found, w.Finish()
}

// outline polygonizes work's classes and hands over each area, in pixels: its rings, the exterior
// first, and its class.
func outline(work string, take func(rings [][][2]float64, class uint8) error) error {
	kept, err := godal.Open(filepath.Join(work, "classes.tif"), godal.RasterOnly(), reportErrors)
	if err != nil {
		return brief(err)
	}
	defer kept.Close(reportErrors)
	path := filepath.Join(work, "areas.fgb") // FlatGeobuf streams to disk both ways
	areas, err := godal.CreateVector("FlatGeobuf", path, reportErrors)
	if err != nil {
		return brief(err)
	}
	layer, err := areas.CreateLayer("areas", nil, godal.GTPolygon, godal.NewFieldDefinition("class", godal.FTInt), reportErrors)
	if err == nil {
		band := kept.Bands()[0]
		err = band.Polygonize(layer, godal.PixelValueFieldIndex(0), reportErrors)
	}
	if e := areas.Close(reportErrors); err == nil {
		err = e
	}
	if err != nil {
		return brief(err)
	}
	if areas, err = godal.Open(path, godal.VectorOnly(), reportErrors); err != nil {
		return brief(err)
	}
	defer areas.Close(reportErrors)
	layers := areas.Layers()
	if len(layers) != 1 {
		return errors.New("the outlines were not kept")
	}
	for f := layers[0].NextFeature(); f != nil; f = layers[0].NextFeature() {
		class := f.Fields()["class"]
		wkb, err := f.Geometry().WKB(reportErrors)
		f.Close()
		if err != nil {
			return brief(err)
		}
		polygons, err := parseWKB(wkb)
		if err != nil {
			return err
		}
		for _, rings := range polygons {
			if err := take(rings, uint8(class.Int())); err != nil {
				return err
			}
		}
	}
	return nil
}
