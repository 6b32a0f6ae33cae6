package mosaic

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
)

const (
	sarExtension  = "https://stac-extensions.github.io/sar/v1.0.0/schema.json"
	viewExtension = "https://stac-extensions.github.io/view/v1.1.0/schema.json"
	satExtension  = "https://stac-extensions.github.io/sat/v1.0.0/schema.json"
)

// radarItem is a radar's scene as a STAC Item. An image whose place is not known has a null geometry.
func (s *Scene) radarItem(p Product, im *radarImage, place radarPlace, at time.Time) stacItem {
	m, r := s.manifest, s.manifest.Radar
	captured := m.Captured
	if captured.IsZero() {
		captured = s.manifested.Time
	}
	title := "Radar image of " + s.ID
	if r.Simulated {
		title += " (simulated)"
	}
	item := stacItem{
		Type: "Feature", Version: stacVersion, ID: s.ID, Extensions: []string{processing}, Links: []stacLink{}, Assets: map[string]stacAsset{},
		Properties: map[string]any{
			"title":    title,
			"datetime": captured.UTC().Format(time.RFC3339Nano), "created": at.UTC().Format(time.RFC3339), "updated": at.UTC().Format(time.RFC3339),
			"processing:level": "L1", "processing:lineage": s.radarLineage(p), "processing:software": software(p.Models),
			"canvas:complete": p.Complete, "canvas:missing": p.Missing, "canvas:models": p.Models, "canvas:radar": p.Radar, "canvas:tiles": p.Scene,
			"canvas:centroid_from": r.CentroidFrom, "canvas:range_window": r.RangeWindow, "canvas:azimuth_window": r.AzimuthWindow,
		},
	}
	if r.Simulated {
		item.Properties["canvas:simulated"] = true
	}
	if r.Platform != "" {
		item.Properties["platform"] = strings.ToLower(r.Platform)
	}
	if r.Instrument != "" {
		item.Properties["instruments"] = []string{strings.ToLower(r.Instrument)}
	}
	if first, last := rowTime(r, 0), rowTime(r, float64(r.Lines-1)); !first.IsZero() {
		item.Properties["start_datetime"], item.Properties["end_datetime"] = first.Format(time.RFC3339Nano), last.Format(time.RFC3339Nano)
	}
	item.addFacts(m)
	item.addRadar(r)
	item.describeRadar(p, im)
	item.addPlace(r, place)
	return item
}

// addRadar says how the radar saw the ground. The extension is named only where all that it asks for is known.
func (i *stacItem) addRadar(r *event.Radar) {
	p := i.Properties
	mode := "SM"
	if r.Mode != "" && !strings.EqualFold(r.Mode, "stripmap") {
		mode = r.Mode
	}
	p["sar:instrument_mode"], p["sar:product_type"], p["sar:center_frequency"] = mode, "SLC", r.CarrierHz/1e9
	p["sar:looks_range"], p["sar:looks_azimuth"], p["sar:looks_equivalent_number"] = 1, 1, 1
	p["sar:pixel_spacing_range"] = round(r.SpeedOfLightMS / (2 * r.SamplingHz))
	p["sar:pixel_spacing_azimuth"] = round(r.VelocityMS / r.PRFHz)
	if band := math.Abs(r.ChirpRateHzS) * r.ChirpS; band > 0 {
		p["sar:resolution_range"] = round(sharpness * broadening(r.RangeWindow) * r.SpeedOfLightMS / (2 * band))
	}
	// The whole of the PRF is focused; an antenna's own pattern may be narrower.
	azimuth := sharpness * broadening(r.AzimuthWindow) * r.VelocityMS / r.PRFHz
	p["sar:resolution_azimuth"] = round(max(azimuth, r.AntennaLengthM/2))
	if r.LookSide != "" {
		p["sar:observation_direction"] = r.LookSide
	}
	if r.Polarisation != "" {
		p["sar:polarizations"] = []string{r.Polarisation}
	}
	band := frequencyBand(r.CarrierHz)
	if band != "" {
		p["sar:frequency_band"] = band
	}
	if band != "" && slices.Contains([]string{"HH", "VV", "HV", "VH"}, r.Polarisation) {
		i.Extensions = append(i.Extensions, sarExtension)
	}
}

// sharpness is the width at -3 dB of the response of a flat band, in units of 1/band: Cumming and Wong, section 2.
const sharpness = 0.886

// broadening is by how much a window widens that.
func broadening(window string) float64 {
	switch window {
	case "hamming":
		return 1.47
	case "kaiser": // β 2.5
		return 1.18
	}
	return 1
}

// frequencyBand is the letter of a carrier, as the extension has them (IEEE 521); empty: none of them.
func frequencyBand(hz float64) string {
	for _, b := range []struct {
		name     string
		from, to float64 // GHz
	}{{"P", 0.25, 0.5}, {"L", 1, 2}, {"S", 2, 4}, {"C", 4, 8}, {"X", 8, 12}, {"Ku", 12, 18}, {"K", 18, 26.5}, {"Ka", 26.5, 40}} {
		if hz >= b.from*1e9 && hz < b.to*1e9 {
			return b.name
		}
	}
	return ""
}

// addPlace says where the image lies and from where it was seen, where its orbit is known.
func (i *stacItem) addPlace(r *event.Radar, at radarPlace) {
	if at.problem != "" {
		i.Properties["canvas:not_placed"] = at.problem
	}
	if at.geometry == nil {
		return
	}
	i.Geometry = geometryOf(at.outline)
	box := raster.OutlineBounds(at.outline)
	i.BBox = box[:]
	i.Extensions = append(i.Extensions, satExtension, viewExtension)
	i.Properties["sat:orbit_state"] = "descending"
	if at.view.Ascending {
		i.Properties["sat:orbit_state"] = "ascending"
	}
	i.Properties["view:incidence_angle"], i.Properties["view:azimuth"] = round(at.view.Incidence), round(at.view.Azimuth)
	i.Properties["sar:pixel_spacing_azimuth"] = round(at.view.GroundTrack)
	azimuth := sharpness * broadening(r.AzimuthWindow) * at.view.GroundTrack
	i.Properties["sar:resolution_azimuth"] = round(max(azimuth, r.AntennaLengthM/2))
	i.Properties["canvas:height_m"] = ground // assumed
	if m := at.mapped; m != nil {
		t := m.Georef.Transform
		i.Extensions = append(i.Extensions, projection, rasters)
		i.Assets["geocoded"] = stacAsset{Href: "./geocoded.tif", Type: "image/tiff; application=geotiff; profile=cloud-optimized",
			Title: "Amplitude on a map, all of it taken to lie on the ellipsoid", Roles: []string{"data", "amplitude"}, DataType: "float32", Metres: at.metres,
			Bands: []stacBand{{"amplitude", "Square root of the intensity; NaN is no data"}},
			Code:  fmt.Sprintf("EPSG:%d", m.Georef.EPSG), Shape: []int{m.Height, m.Width}, Transform: []float64{t[1], t[2], t[0], t[4], t[5], t[3]}}
	}
}

func round(v float64) float64 { return math.Round(v*1e4) / 1e4 }

// software are the versions of what made the image: several of one algorithm where blocks were made on several engines.
func software(models []string) map[string]string {
	all := map[string]string{"cloudcanvas": "1"}
	for _, m := range models {
		if name, version, ok := strings.Cut(m, " "); ok {
			if other := all[name]; other != "" {
				version = other + ", " + version
			}
			all[name] = version
		}
	}
	return all
}

func (s *Scene) radarLineage(p Product) string {
	r := s.manifest.Radar
	text := fmt.Sprintf("%d lines of %d raw samples", r.Lines, r.Samples)
	if r.Simulated {
		text += ", simulated"
	}
	text += fmt.Sprintf("; focused by chirp scaling with a Doppler centroid of %.6g Hz (ambiguity %d, %s) and windows %s in range, %s in azimuth",
		r.CentroidHz, r.Ambiguity, orUnnamed(r.CentroidFrom), orUnnamed(r.RangeWindow), orUnnamed(r.AzimuthWindow))
	text += fmt.Sprintf("; %d of %d rows focused", p.Radar.FocusedRows, r.Lines)
	if n := p.Radar.AmplitudeRows; n > 0 {
		text += fmt.Sprintf(", of %d the device's own amplitude alone", n)
	}
	if n := p.Radar.EmptyRows; n > 0 {
		text += fmt.Sprintf(", %d without data", n)
	}
	return text + "."
}

func orUnnamed(s string) string {
	if s == "" {
		return "not said"
	}
	return s
}

// describeRadar names the files.
func (i *stacItem) describeRadar(p Product, im *radarImage) {
	i.Assets["quicklook"] = stacAsset{Href: "./quicklook.png", Type: "image/png", Title: "Quicklook: mean intensity in dB, ships framed", Roles: []string{"overview", "visual"}}
	i.Assets["blocks"] = stacAsset{Href: "./blocks.json", Type: "application/json", Title: "What became of every block of echoes", Roles: []string{"metadata"}}
	i.Assets["detections"] = stacAsset{Href: "./detections.geojson", Type: "application/geo+json", Title: "Bright targets", Roles: []string{"data"}}
	if im.slc != nil {
		i.Assets["slc"] = stacAsset{Href: "./slc.tif", Type: "image/tiff; application=geotiff", Title: "Complex image, in slant range", Roles: []string{"data"}, DataType: "cfloat32", NoData: new(int),
			Bands: []stacBand{{"complex", "As focused; 0 is no data"}}}
	}
	if im.amp != nil {
		i.Assets["amplitude"] = stacAsset{Href: "./amplitude.tif", Type: "image/tiff; application=geotiff; profile=cloud-optimized", Title: "Amplitude, in slant range", Roles: []string{"data", "amplitude"},
			DataType: "float32", Bands: []stacBand{{"amplitude", "Square root of the intensity; NaN is no data"}}}
	}
}
