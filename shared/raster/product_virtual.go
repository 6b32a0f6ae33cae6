package raster

import (
	"encoding/xml"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/airbusgeo/godal"
)

// virtual makes the product readable under a name in memory. release must be called once the dataset
// is closed.
func (p *product) virtual() (name string, bytes int64, release func(), err error) {
	grid, err := p.study()
	if err != nil {
		return "", 0, nil, err
	}
	p.grid = grid
	if grid.fit != nil {
		p.unsure = append(p.unsure, *grid.fit)
	}
	doc, err := xml.Marshal(grid.document(p))
	if err != nil {
		return "", 0, nil, err
	}
	name = strings.TrimSuffix(memoryFile(), ".tif") + ".vrt"
	release, err = putMemory(name, doc)
	return name, grid.bytes, release, err
}

// productGrid is the grid of the finest band, and the size of each band's file.
type productGrid struct {
	width, height int
	georef        Georef
	fit           *Fact
	kind          string
	sizes         [][2]int // of the bands' files, or of the tiles
	parts         []productPart
	bytes         int64
}

// productPart is what one file of a product says.
type productPart struct {
	width, height, bands int
	blockW, blockH       int
	georef               Georef
	fit                  *Fact
	kind, driver         string
}

// lookAt opens one file of a product.
func lookAt(file string) (part productPart, err error) {
	drivers := withoutVRT()
	if gated := gatedName(file); gated != nil {
		drivers = godal.Drivers(gated...)
	}
	ds, err := godal.Open(file, godal.RasterOnly(), godal.SiblingFiles(), drivers, reportErrors)
	if err != nil {
		return part, fmt.Errorf("%w; if the product was cut off, copy it again", brief(err))
	}
	defer ds.Close(reportErrors)
	st := ds.Structure()
	part = productPart{width: st.SizeX, height: st.SizeY, bands: len(ds.Bands()), blockW: st.BlockSizeX, blockH: st.BlockSizeY, kind: st.DataType.String(), driver: ds.Driver().ShortName()}
	part.georef, part.fit = georefOf(ds)
	block := int64(st.BlockSizeX) * int64(st.BlockSizeY) * int64(st.DataType.Size())
	if ds.Metadata("INTERLEAVE", godal.Domain("IMAGE_STRUCTURE")) == "PIXEL" {
		block *= int64(part.bands) // they are decoded together
	}
	if block > maxBlockBytes {
		return part, fmt.Errorf("it is stored in blocks of %d x %d pixels, %d MiB each; convert it: gdal_translate -co TILED=YES IN OUT.tif", st.BlockSizeX, st.BlockSizeY, block>>20)
	}
	return part, nil
}

// study opens each file once.
func (p *product) study() (g productGrid, err error) {
	if p.tiles != nil {
		return p.studyTiles()
	}
	for _, b := range p.bands {
		part, err := lookAt(b.file)
		if err != nil {
			return g, fmt.Errorf("band %s: %w", b.name, err)
		}
		if b.band > part.bands {
			return g, fmt.Errorf("band %s: its file has %d bands, not %d", b.name, part.bands, b.band)
		}
		g.sizes, g.parts = append(g.sizes, [2]int{part.width, part.height}), append(g.parts, part)
		if part.width > g.width {
			g.width, g.height, g.georef, g.fit, g.kind = part.width, part.height, part.georef, part.fit, part.kind
		}
		g.bytes += fileSize(b.file)
	}
	// All bands must show the same ground: their sizes fit the finest by a whole factor, nearly.
	for i, size := range g.sizes {
		fx, fy := float64(g.width)/float64(size[0]), float64(g.height)/float64(size[1])
		if math.Abs(fx-math.Round(fx)) > 0.01 || math.Abs(fx-fy) > 0.01 {
			return g, fmt.Errorf("band %s has %d x %d pixels, which does not fit the finest band's %d x %d", p.bands[i].name, size[0], size[1], g.width, g.height)
		}
	}
	return g, nil
}

// studyTiles opens each tile once. The place of the whole is told by any of them.
func (p *product) studyTiles() (g productGrid, err error) {
	pixels := 0
	for _, t := range p.tiles {
		part, err := lookAt(t.file)
		switch {
		case err != nil:
			return g, fmt.Errorf("tile %s: %w", filepath.Base(t.file), err)
		case part.bands != len(p.bands):
			return g, fmt.Errorf("tile %s has %d bands, where its metadata name %d", filepath.Base(t.file), part.bands, len(p.bands))
		case g.kind != "" && part.kind != g.kind:
			return g, fmt.Errorf("tile %s has numbers of %s, others of %s", filepath.Base(t.file), part.kind, g.kind)
		}
		if g.kind == "" {
			g.georef, g.fit, g.kind = part.georef.Window(Window{X: -t.x, Y: -t.y}), part.fit, part.kind
		} else if part.fit == nil && part.georef.Known() && !g.georef.Window(Window{X: t.x, Y: t.y}).near(part.georef) {
			return g, fmt.Errorf("tile %s lies elsewhere than at column %d, row %d, where its metadata put it; give the tiles one by one", filepath.Base(t.file), t.x, t.y)
		}
		g.width, g.height = max(g.width, t.x+part.width), max(g.height, t.y+part.height)
		g.sizes = append(g.sizes, [2]int{part.width, part.height})
		g.bytes += fileSize(t.file)
		pixels += part.width * part.height
	}
	if g.width*g.height > 4*pixels {
		return g, fmt.Errorf("its tiles fill less than a quarter of the %d x %d pixels that they are said to make; give them one by one", g.width, g.height)
	}
	return g, nil
}

// The document of a virtual raster: gdal.org/drivers/raster/vrt.html.
type vrtDocument struct {
	XMLName   xml.Name  `xml:"VRTDataset"`
	X         int       `xml:"rasterXSize,attr"`
	Y         int       `xml:"rasterYSize,attr"`
	SRS       string    `xml:"SRS,omitempty"`
	Transform string    `xml:"GeoTransform,omitempty"`
	Bands     []vrtBand `xml:"VRTRasterBand"`
}

type vrtBand struct {
	Type        string      `xml:"dataType,attr"`
	Number      int         `xml:"band,attr"`
	Description string      `xml:"Description"`
	NoData      *float64    `xml:"NoDataValue,omitempty"`
	Offset      float64     `xml:"Offset"`
	Scale       float64     `xml:"Scale"`
	Sources     []vrtSource `xml:"SimpleSource"`
}

type vrtSource struct {
	File vrtFile `xml:"SourceFilename"`
	Band int     `xml:"SourceBand"`
	From vrtRect `xml:"SrcRect"`
	To   vrtRect `xml:"DstRect"`
}

type vrtFile struct {
	Relative int    `xml:"relativeToVRT,attr"`
	Name     string `xml:",chardata"`
}

type vrtRect struct {
	X int `xml:"xOff,attr"`
	Y int `xml:"yOff,attr"`
	W int `xml:"xSize,attr"`
	H int `xml:"ySize,attr"`
}

func (g productGrid) document(p *product) vrtDocument {
	doc := vrtDocument{X: g.width, Y: g.height, SRS: g.georef.WKT}
	if t := g.georef.Transform; t != ([6]float64{}) {
		doc.Transform = strings.Trim(strings.ReplaceAll(fmt.Sprint(t), " ", ", "), "[]")
	}
	for i, b := range p.bands {
		doc.Bands = append(doc.Bands, vrtBand{Type: g.kind, Number: i + 1, Description: b.name, NoData: b.nodata, Offset: b.scaling.Offset, Scale: b.scaling.Scale, Sources: g.sources(p, i)})
	}
	return doc
}

// sources are the files of a band: one that fills the whole, or the tiles.
func (g productGrid) sources(p *product, i int) (all []vrtSource) {
	band := p.bands[i].band
	for n, t := range p.tiles {
		w, h := g.sizes[n][0], g.sizes[n][1]
		all = append(all, vrtSource{File: vrtFile{Name: t.file}, Band: band, From: vrtRect{W: w, H: h}, To: vrtRect{X: t.x, Y: t.y, W: w, H: h}})
	}
	if p.tiles == nil {
		all = []vrtSource{{File: vrtFile{Name: p.bands[i].file}, Band: band, From: vrtRect{W: g.sizes[i][0], H: g.sizes[i][1]}, To: vrtRect{W: g.width, H: g.height}}}
	}
	return all
}

// near says whether the first pixels of two rasters lie within two pixels.
func (g Georef) near(other Georef) bool {
	return math.Hypot(g.Transform[0]-other.Transform[0], g.Transform[3]-other.Transform[3]) <= 2*g.pixel()
}
