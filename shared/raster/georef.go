package raster

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/airbusgeo/godal"
)

// ErrNoGeoref: the scene does not say where it lies on the Earth.
var ErrNoGeoref = errors.New("the scene is not georeferenced")

// Georef places a raster on the Earth. The zero Georef is a picture without a place.
type Georef struct {
	WKT       string     `json:"wkt,omitempty"`  // coordinate reference system
	EPSG      int        `json:"epsg,omitempty"` // its code, 0 where it has none
	Transform [6]float64 `json:"transform"`      // GDAL's: x = T0 + col*T1 + row*T2, y = T3 + col*T4 + row*T5
}

// Known says whether the raster has both a system and a place in it.
func (g Georef) Known() bool {
	t := g.Transform
	return g.WKT != "" && t[1]*t[5]-t[2]*t[4] != 0
}

// At is the point of the reference system at a column and row; pixel centres lie at .5.
func (g Georef) At(col, row float64) (x, y float64) {
	t := g.Transform
	return t[0] + col*t[1] + row*t[2], t[3] + col*t[4] + row*t[5]
}

// Window is the georeference of a part of the raster.
func (g Georef) Window(w Window) Georef {
	if g.Transform != ([6]float64{}) {
		g.Transform[0], g.Transform[3] = g.At(float64(w.X), float64(w.Y))
	}
	return g
}

// georefOf reads where a dataset lies: by its own grid, else by its ground control points or RPCs, and then how
// well those fit (groundfit.go).
func georefOf(ds *godal.Dataset) (g Georef, fit *Fact) {
	if transform, err := ds.GeoTransform(reportErrors); err == nil && transform != [6]float64{0, 1, 0, 0, 0, 1} {
		g.Transform = transform
	}
	g.WKT = strings.ToValidUTF8(ds.Projection(), "?")
	if !g.Known() {
		if fitted, said := fitGround(ds); said != nil {
			g, fit = fitted, said
		}
	}
	g.identify()
	return g, fit
}

// identify finds the system's EPSG code.
func (g *Georef) identify() {
	if g.WKT == "" {
		return
	}
	if system, err := systemOf(g.WKT); err == nil {
		defer system.Close()
		if system.AuthorityName("") == "EPSG" {
			g.EPSG, _ = strconv.Atoi(system.AuthorityCode(""))
		} else if system.AutoIdentifyEPSG() == nil && system.AuthorityName("") == "EPSG" {
			g.EPSG, _ = strconv.Atoi(system.AuthorityCode(""))
		}
	}
}

// place writes a georeference into a dataset; the zero one writes nothing.
func (g Georef) place(ds *godal.Dataset) error {
	if g.Transform != ([6]float64{}) {
		if err := ds.SetGeoTransform(g.Transform, reportErrors); err != nil {
			return fmt.Errorf("set the geotransform: %w", brief(err))
		}
	}
	if g.WKT != "" {
		// Not SetProjection: GDAL would take an address or a file's name there, and go and read it.
		system, err := systemOf(g.WKT)
		if err != nil {
			return err
		}
		defer system.Close()
		if err := ds.SetSpatialRef(system, reportErrors); err != nil {
			return fmt.Errorf("set the reference system: %w", brief(err))
		}
	}
	return nil
}

// UTM is the WGS 84 / UTM system of that zone (1 to 60), with a raster's upper left corner at
// (x, y) and square pixels of that many metres.
func UTM(zone int, north bool, x, y, metres float64) (Georef, error) {
	started()
	code := 32700 + zone
	if north {
		code = 32600 + zone
	}
	system, err := godal.NewSpatialRefFromEPSG(code, reportErrors)
	if err != nil {
		return Georef{}, fmt.Errorf("UTM zone %d: %w", zone, brief(err))
	}
	defer system.Close()
	wkt, err := system.WKT()
	if err != nil {
		return Georef{}, fmt.Errorf("UTM zone %d: %w", zone, brief(err))
	}
	return Georef{WKT: wkt, EPSG: code, Transform: [6]float64{x, metres, 0, y, 0, -metres}}, nil
}

// lonlat turns points of a reference system into longitude and latitude on WGS 84, in degrees.
type lonlat struct {
	from, to  *godal.SpatialRef
	via, back *godal.Transform
	degrees   bool // the system is longitude and latitude itself
}

// lonlat gives ErrNoGeoref for the zero Georef, and ErrNoPlace for a system that is not of the Earth or is tied
// to nothing: another planet's, a site's own grid.
func (g Georef) lonlat() (*lonlat, error) {
	if !g.Known() {
		return nil, ErrNoGeoref
	}
	started()
	l := &lonlat{}
	var err error
	if l.from, err = systemOf(g.WKT); err != nil {
		return nil, err
	}
	if l.to, err = godal.NewSpatialRefFromEPSG(4326, reportErrors); err != nil {
		l.close()
		return nil, fmt.Errorf("WGS 84: %w", brief(err))
	}
	if l.via, err = godal.NewTransform(l.from, l.to); err != nil {
		l.close()
		return nil, fmt.Errorf("%w: from its reference system to lon/lat: %w", ErrNoPlace, brief(err))
	}
	if l.back, err = godal.NewTransform(l.to, l.from); err != nil {
		l.close()
		return nil, fmt.Errorf("%w: from lon/lat to its reference system: %w", ErrNoPlace, brief(err))
	}
	l.degrees = l.from.Geographic()
	return l, nil
}

func (l *lonlat) close() {
	for _, t := range []*godal.Transform{l.via, l.back} {
		if t != nil {
			t.Close()
		}
	}
	for _, system := range []*godal.SpatialRef{l.from, l.to} {
		if system != nil {
			system.Close()
		}
	}
}

// InMetres says whether the reference system counts in metres on a map.
func (g Georef) InMetres() bool {
	if !g.Known() {
		return false
	}
	system, err := systemOf(g.WKT)
	if err != nil {
		return false
	}
	defer system.Close()
	unit, ok := system.AttrValue("PROJCS|UNIT", 1)
	return ok && unit == "1"
}

// Sidecar is the text of a file x.png.aux.xml that tells GDAL, and what builds on it, where the picture x.png
// of the raster lies; nil where the raster does not say. A pixel of the picture is as many of the raster's.
func (g Georef) Sidecar(right, down float64) ([]byte, error) {
	if !g.Known() {
		return nil, nil
	}
	if err := CheckWKT(g.WKT); err != nil {
		return nil, err
	}
	t := g.Transform
	return xml.MarshalIndent(struct {
		XMLName   xml.Name `xml:"PAMDataset"`
		SRS       string   `xml:"SRS"`
		Transform string   `xml:"GeoTransform"`
	}{SRS: g.WKT, Transform: fmt.Sprintf("%.17g, %.17g, %.17g, %.17g, %.17g, %.17g", t[0], t[1]*right, t[2]*down, t[3], t[4]*right, t[5]*down)}, "", "  ")
}
