package raster

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// stacItem is what is read of a STAC item: 1.0 with eo:bands and raster:bands, 1.1 with bands.
type stacItem struct {
	Type       string               `json:"type"`
	ID         string               `json:"id"`
	Collection string               `json:"collection"`
	Assets     map[string]stacAsset `json:"assets"`
	Properties struct {
		Datetime      string   `json:"datetime"`
		Start         string   `json:"start_datetime"`
		Platform      string   `json:"platform"`
		Constellation string   `json:"constellation"`
		Level         string   `json:"processing:level"`
		Baseline      string   `json:"s2:processing_baseline"`
		Kind          string   `json:"s2:product_type"`                // S2MSI2A
		Taken         bool     `json:"earthsearch:boa_offset_applied"` // the offset of baseline 04.00 is taken off
		GSD           *float64 `json:"gsd"`
	} `json:"properties"`
}

type stacAsset struct {
	Href   string     `json:"href"`
	Roles  []string   `json:"roles"`
	GSD    *float64   `json:"gsd"`
	EO     []stacBand `json:"eo:bands"`
	Raster []stacBand `json:"raster:bands"`
	Bands  []stacBand `json:"bands"`
	stacNumbers
}

type stacBand struct {
	Name   string `json:"name"`
	Common string `json:"common_name"`
	Now    string `json:"eo:common_name"`
	stacNumbers
	RasterScale  *float64 `json:"raster:scale"`
	RasterOffset *float64 `json:"raster:offset"`
}

type stacNumbers struct {
	Scale  *float64 `json:"scale"`
	Offset *float64 `json:"offset"`
	NoData any      `json:"nodata"` // a number, or "nan"
}

var sentinel2Levels = regexp.MustCompile(`(?i)(?:S2MSI|MSIL|[-_]L)(1C|2A)(?:$|[-_])`)

// sentinel2Level is the level that the first of an item's words tells of: catalogues leave out processing:level.
func sentinel2Level(words ...string) string {
	for _, w := range words {
		if m := sentinel2Levels.FindStringSubmatch(w); m != nil {
			return strings.ToUpper(m[1])
		}
	}
	return ""
}

// findSTAC finds the bands of a STAC item whose files lie in its folder; nil where the file is no item.
func findSTAC(at string) (*product, error) {
	data, err := readBounded(at)
	if err != nil {
		return nil, err
	}
	var item stacItem
	if err := json.Unmarshal(data, &item); err != nil {
		return nil, fmt.Errorf("it is no STAC item: %w", err)
	}
	if item.Type != "Feature" || len(item.Assets) == 0 {
		return nil, errors.New("it is JSON, but no STAC item with assets; give the item of one scene")
	}
	root, err := os.OpenRoot(filepath.Dir(at))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p := &product{name: item.ID, level: item.Properties.Level, captured: item.taken()}
	p.sensor = satelliteByHint(item.ID + " " + item.Properties.Platform + " " + item.Properties.Constellation)
	if p.sensor == "sentinel-2" {
		p.level = cmp.Or(strings.TrimPrefix(p.level, "L"), sentinel2Level(item.Properties.Kind, item.Collection, item.ID))
	}
	var away []string
	finest := map[string]float64{}
	for _, key := range sortedKeys(item.Assets) {
		asset := item.Assets[key]
		bands := asset.bands(item, p)
		if len(bands) == 0 || asset.isPicture() {
			continue
		}
		file, err := localAsset(root, filepath.Dir(at), asset.Href)
		if err != nil {
			away = append(away, err.Error())
			continue
		}
		for i, b := range bands {
			b.file, b.band = file, i+1
			p.takeFinest(finest, b, asset.metres())
		}
	}
	if len(p.bands) == 0 {
		if len(away) > 0 {
			return nil, fmt.Errorf("none of its bands can be read: %s", strings.Join(away[:min(len(away), 3)], "; "))
		}
		return nil, errors.New("none of its assets says which bands it has (eo:bands with common_name)")
	}
	if len(away) > 0 {
		p.unsure = append(p.unsure, Fact{"missing", strings.Join(away[:min(len(away), 3)], "; "), FromAssumed})
	}
	p.order()
	return p, nil
}

func readBounded(at string) ([]byte, error) {
	f, err := os.Open(at)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMetadata+1))
	if err == nil && len(data) > maxMetadata {
		err = fmt.Errorf("it has more than %d MiB", maxMetadata>>20)
	}
	return data, err
}

func sortedKeys[T any](of map[string]T) (keys []string) {
	for k := range of {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// takeFinest keeps the finest file of each band.
func (p *product) takeFinest(finest map[string]float64, b productBand, metres float64) {
	i := slices.IndexFunc(p.bands, func(has productBand) bool { return has.name == b.name })
	switch {
	case i < 0:
		p.bands = append(p.bands, b)
	case metres < finest[b.name]:
		p.bands[i] = b
	default:
		return
	}
	finest[b.name] = metres
}

func (i stacItem) taken() time.Time {
	for _, text := range []string{i.Properties.Datetime, i.Properties.Start} {
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// isPicture says whether an asset is made to be looked at: its bands are stretched.
func (a stacAsset) isPicture() bool {
	return slices.ContainsFunc(a.Roles, func(r string) bool {
		return slices.Contains([]string{"visual", "overview", "thumbnail", "metadata"}, r)
	})
}

// metres is the size of its pixels, as far as it is told; else it counts as coarse.
func (a stacAsset) metres() float64 {
	if a.GSD != nil {
		return *a.GSD
	}
	return 1e9
}

// bands are the asset's, in its file's order, where one of them has a common name.
func (a stacAsset) bands(item stacItem, p *product) (all []productBand) {
	described, numbers := a.Bands, a.Bands
	if len(a.EO) > 0 {
		described = a.EO
	}
	if len(a.Raster) > 0 {
		numbers = a.Raster
	}
	known := false
	for i, b := range described {
		name := CanonicalBand(b.Common + b.Now)
		if name == "" {
			name = CanonicalBand(b.Name)
		}
		known = known || knownBand(name)
		band := productBand{name: name, scaling: item.usual(), nodata: a.none()}
		for _, n := range append([]stacBand{{stacNumbers: a.stacNumbers}}, numbers[min(i, len(numbers)):min(i+1, len(numbers))]...) {
			n.fill(&band)
		}
		all = append(all, band)
	}
	if !known {
		return nil
	}
	return all
}

// usual is what the numbers of such a product mean where the item does not say.
func (i stacItem) usual() Scaling {
	s, _ := (origin{name: i.ID, baseline: i.Properties.Baseline}).scaling()
	if i.Properties.Taken {
		s = Scaling{Scale: 0.0001}
	}
	if s.Scale == 0 {
		return one
	}
	return s
}

func (b stacBand) fill(into *productBand) {
	scale, offset := b.Scale, b.Offset
	if b.RasterScale != nil || b.RasterOffset != nil {
		scale, offset = b.RasterScale, b.RasterOffset
	}
	if scale != nil && *scale > 0 {
		into.scaling = Scaling{Scale: *scale}
		if offset != nil {
			into.scaling.Offset = *offset
		}
	}
	if none := b.none(); none != nil {
		into.nodata = none
	}
}

// none is the number without data; "nan" needs none.
func (n stacNumbers) none() *float64 {
	if v, ok := n.NoData.(float64); ok {
		return &v
	}
	return nil
}

// localAsset is the file that an asset names, which must lie in the item's folder.
func localAsset(root *os.Root, folder, href string) (string, error) {
	name := strings.TrimPrefix(href, "file://")
	if filepath.IsAbs(name) {
		if full, err := filepath.Abs(folder); err == nil {
			if within, err := filepath.Rel(full, name); err == nil {
				name = filepath.ToSlash(within)
			}
		}
	}
	if strings.Contains(name, "://") {
		return "", fmt.Errorf("%.80q is not on this machine; copy it beside the item and let its href name it", href)
	}
	if plain, err := url.PathUnescape(name); err == nil {
		if _, err := root.Stat(filepath.FromSlash(path.Clean(plain))); err == nil {
			name = plain
		}
	}
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return "", fmt.Errorf("%.80q lies outside the item's folder; put it beside the item", href)
	}
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil {
		return "", fmt.Errorf("%.80q is not there", href)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%.80q is no plain file", href)
	}
	return filepath.Join(folder, filepath.FromSlash(name)), nil
}
