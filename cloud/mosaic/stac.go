package mosaic

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// STAC 1.1 and the extensions that items use, by the addresses of their schemas.
const (
	stacVersion    = "1.1.0"
	projection     = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
	electroOptical = "https://stac-extensions.github.io/eo/v2.0.0/schema.json"
	processing     = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
	rasters        = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
	classification = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
)

// stacItem is a STAC Item: stac-spec v1.1.0, item-spec.
type stacItem struct {
	Type       string               `json:"type"`
	Version    string               `json:"stac_version"`
	Extensions []string             `json:"stac_extensions"`
	ID         string               `json:"id"`
	Geometry   *geometry            `json:"geometry"`
	BBox       []float64            `json:"bbox,omitempty"`
	Properties map[string]any       `json:"properties"`
	Links      []stacLink           `json:"links"`
	Collection string               `json:"collection,omitempty"`
	Assets     map[string]stacAsset `json:"assets"`
}

type geometry struct {
	Type        string `json:"type"`
	Coordinates any    `json:"coordinates"`
}

type stacLink struct {
	Rel   string `json:"rel"`
	Href  string `json:"href"`
	Type  string `json:"type,omitempty"`
	Title string `json:"title,omitempty"`
}

type stacAsset struct {
	Href     string      `json:"href"`
	Type     string      `json:"type"`
	Title    string      `json:"title"`
	Roles    []string    `json:"roles"`
	DataType string      `json:"data_type,omitempty"`
	NoData   *int        `json:"nodata,omitempty"`
	Sampling string      `json:"raster:sampling,omitempty"`
	Metres   float64     `json:"raster:spatial_resolution,omitempty"`
	Bands    []stacBand  `json:"bands,omitempty"`
	Classes  []stacClass `json:"classification:classes,omitempty"`

	// Where it lies, of an asset that lies otherwise than its item.
	Code      string    `json:"proj:code,omitempty"`
	Shape     []int     `json:"proj:shape,omitempty"`
	Transform []float64 `json:"proj:transform,omitempty"`
}

type stacBand struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

type stacClass struct {
	Value       int    `json:"value"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Colour      string `json:"color_hint,omitempty"`
	NoData      bool   `json:"nodata,omitempty"`
}

// stac is the scene as a STAC Item. A scene without a place on the Earth has a null geometry.
func (s *Scene) stac(p Product, masked bool, at time.Time) (stacItem, error) {
	m := s.manifest
	captured := m.Captured
	if captured.IsZero() {
		captured = s.manifested.Time
	}
	item := stacItem{
		Type: "Feature", Version: stacVersion, ID: s.ID,
		Extensions: []string{projection, processing},
		Links:      []stacLink{},
		Assets:     map[string]stacAsset{},
		Properties: map[string]any{
			"title":               "Objects in " + s.ID,
			"datetime":            captured.UTC().Format(time.RFC3339Nano),
			"created":             at.UTC().Format(time.RFC3339),
			"updated":             at.UTC().Format(time.RFC3339),
			"proj:shape":          []int{m.Height, m.Width},
			"processing:lineage":  lineage(p, m.Screening, masked),
			"processing:software": map[string]string{"cloudcanvas": "1"},
			"canvas:complete":     p.Complete,
			"canvas:missing":      p.Missing,
			"canvas:models":       p.Models,
			"canvas:tiles":        p.Scene,
		},
	}
	item.addFacts(m)
	item.addJudgement(p.Scene)
	if p.Scene.Precision > 0 {
		item.Properties["canvas:precision"] = p.Scene.Precision
	}
	item.describe(p, masked, s.ID, m.Georef.WKT != "")
	if mask, ok := item.Assets["mask"]; ok {
		mask.Metres = metres(m)
		item.Assets["mask"] = mask
	}
	if f := p.Scene.CloudFraction; f != nil {
		item.Extensions = append(item.Extensions, electroOptical)
		item.Properties["eo:cloud_cover"] = math.Round(*f*1e4) / 1e2
	}
	if m.Georef.EPSG != 0 {
		item.Properties["proj:code"] = fmt.Sprintf("EPSG:%d", m.Georef.EPSG)
	} else {
		item.Properties["proj:code"] = nil
	}
	if wkt := raster.Georef(m.Georef).WKT2(); wkt != "" && m.Georef.EPSG == 0 {
		item.Properties["proj:wkt2"] = wkt
	}
	if t := m.Georef.Transform; t != [6]float64{} {
		item.Properties["proj:transform"] = []float64{t[1], t[2], t[0], t[4], t[5], t[3]} // row by row, as affine does
	}
	outline, err := raster.Outline(raster.Georef(m.Georef), raster.Window{W: m.Width, H: m.Height})
	switch {
	case errors.Is(err, raster.ErrNoGeoref):
	case err != nil:
		return item, err
	case len(outline) > 0:
		b := raster.OutlineBounds(outline)
		item.BBox = b[:]
		item.Geometry = geometryOf(outline)
	}
	return item, nil
}

// linkToCatalog links an item to the catalog that lies beside its folder.
func (i *stacItem) linkToCatalog() {
	i.Collection = CollectionID
	i.Links = append(i.Links, stacLink{Rel: "root", Href: "../catalog.json", Type: "application/json"},
		stacLink{Rel: "parent", Href: "../collection.json", Type: "application/json"},
		stacLink{Rel: "collection", Href: "../collection.json", Type: "application/json"})
}

// metres is the size of a scene's pixels, where its system counts in metres and they are square; else 0.
func metres(m *event.Manifest) float64 {
	t := m.Georef.Transform
	if g := raster.Georef(m.Georef); !g.InMetres() || math.Abs(math.Abs(t[5])-t[1]) > 1e-6*t[1] || t[2] != 0 || t[4] != 0 {
		return 0
	}
	return t[1]
}

// geometryOf is an outline as GeoJSON.
func geometryOf(outline [][][][2]float64) *geometry {
	if len(outline) == 1 {
		return &geometry{"Polygon", outline[0]}
	}
	return &geometry{"MultiPolygon", outline}
}

// addFacts says what reading the scene rested on, in STAC's own words where it has some.
func (i *stacItem) addFacts(m *event.Manifest) {
	for _, f := range m.Facts {
		switch {
		case f.What == "time":
			i.Properties["canvas:datetime_from"] = f.From // assumed: it is when the file was written
		case f.What == "sensor" && f.From != event.Assumed:
			i.Properties[craft(f.Value)] = f.Value
		case f.What == "level" && f.From != event.Assumed:
			level := f.Value
			if level != "" && level[0] >= '0' && level[0] <= '9' { // 2A is STAC's L2A
				level = "L" + level
			}
			i.Properties["processing:level"] = level
		}
	}
	if len(m.Facts) > 0 {
		i.Properties["canvas:facts"] = m.Facts
	}
}

// addJudgement says who screened the tiles, and whose word the mask is, in shares of its pixels.
func (i *stacItem) addJudgement(f *SceneStats) {
	if f.Screening != "" {
		i.Properties["canvas:screening"] = f.Screening
	}
	for name, share := range map[string]*float64{"not_judged": f.NotJudged, "judged_by_edge": f.JudgedByEdge, "judged_by_cloud": f.JudgedByCloud} {
		if share != nil {
			i.Properties["canvas:"+name] = math.Round(*share*1e4) / 1e4
		}
	}
}

// craft is STAC's word for a sensor's name: one satellite is a platform, several alike are a constellation.
func craft(sensor string) string {
	if oneSatellite.MatchString(sensor) {
		return "platform"
	}
	return "constellation"
}

var oneSatellite = regexp.MustCompile(`(?i)^(landsat|worldview|geoeye|quickbird)-\d+$|^sentinel-\d+[a-d]$`)

func lineage(p Product, screening string, masked bool) string {
	does := "; segmented by "
	if !masked {
		does = "; objects found by "
	}
	text := fmt.Sprintf("Screened on the edge by %s, %d of %d tiles sent", orUnknown(screening), p.Scene.Sent, p.Scene.Tiles)
	if n := p.Scene.EdgeMasks; n > 0 {
		text += fmt.Sprintf(", %d of them as the edge's mask", n)
	}
	for i, m := range p.Models {
		if i == 0 {
			text += does
		} else {
			text += " and "
		}
		text += m
	}
	if p.Scene.JudgedByEdge != nil && masked {
		text += fmt.Sprintf("; %s of the pixels judged by the edge, %s by nobody", percent(*p.Scene.JudgedByEdge), percent(*p.Scene.NotJudged))
	}
	return text + "."
}

// percent is a share in words; what is there is never none.
func percent(share float64) string {
	if share > 0 && share < 0.001 {
		return "less than 0.1 %"
	}
	return fmt.Sprintf("%.3g %%", 100*share)
}

func orUnknown(s string) string {
	if s == "" {
		return "an unnamed rule"
	}
	return s
}

// describe names the files.
func (i *stacItem) describe(p Product, masked bool, scene string, placed bool) {
	const geojson = "application/geo+json"
	i.Assets["quicklook"] = stacAsset{Href: "./quicklook.png", Type: "image/png", Title: "Quicklook", Roles: []string{"overview", "visual"}}
	i.Assets["tiles"] = stacAsset{Href: "./tiles.json", Type: "application/json", Title: "What became of every tile", Roles: []string{"metadata"}}
	if p.Scene.Objects != nil {
		i.Assets["detections"] = stacAsset{Href: "./detections.json", Type: "application/json", Title: "Objects in pixels, as COCO results", Roles: []string{"data"}}
		if placed {
			i.Assets["objects"] = stacAsset{Href: "./detections.geojson", Type: geojson, Title: "Objects on the map", Roles: []string{"data"}}
		}
	}
	if !masked {
		return
	}
	none := vision.NoData
	i.Extensions = append(i.Extensions, classification, rasters)
	i.Properties["title"] = "Clouds and cloud shadows of " + scene
	i.Links = append(i.Links, stacLink{Rel: "alternate", Href: "./mask.geojson", Type: geojson, Title: "Outlines of clouds and cloud shadows"})
	i.Assets["mask"] = stacAsset{
		Href: "./mask.tif", Type: "image/tiff; application=geotiff; profile=cloud-optimized", Title: "Mask of clouds and cloud shadows",
		Roles: []string{"data", "cloud", "cloud-shadow"}, DataType: "uint8", NoData: &none, Sampling: "area",
		Bands: []stacBand{{"class", "0 clear, 1 cloud shadow, 2 cloud, 254 not judged, 255 no data"}},
		Classes: []stacClass{
			{Value: vision.Clear, Name: "clear", Description: "Neither cloud nor shadow"},
			{Value: vision.Shadow, Name: "shadow", Description: "Cloud shadow", Colour: "963CDC"},
			{Value: vision.Cloud, Name: "cloud", Description: "Cloud", Colour: "FFFFFF"},
			{Value: vision.NotJudged, Name: "not_judged", Description: "Nobody said what it shows: left out, lost, or not there yet", Colour: "606060"},
			{Value: vision.NoData, Name: "no_data", Description: "No data", NoData: true},
		},
	}
	i.Assets["outlines"] = stacAsset{Href: "./mask.geojson", Type: geojson, Title: "Outlines of clouds and cloud shadows", Roles: []string{"data"}}
	i.Assets["quicklook"] = stacAsset{Href: "./quicklook.png", Type: "image/png", Title: "Quicklook with the mask laid over", Roles: []string{"overview", "visual"}}
}
