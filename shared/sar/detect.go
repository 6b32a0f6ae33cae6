package sar

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Class says what a target is taken for.
type Class string

const (
	Ship   Class = "ship"   // something of a ship's size in open sea
	Bright Class = "bright" // on land, at a coast, too large, or where nobody can tell: Reason says which
)

// Target is something bright, in pixels of the whole image.
type Target struct {
	Row       float64 `json:"row"` // centre, weighted by intensity
	Col       float64 `json:"col"`
	PeakRow   int     `json:"peak_row"` // of its brightest pixel: it belongs to the block that has this row
	PeakCol   int     `json:"peak_col"`
	Rows      int     `json:"rows"` // how many its body extends over
	Cols      int     `json:"cols"`
	Pixels    int     `json:"pixels"`     // of its body
	LengthM   float64 `json:"length_m"`   // of its body: in range by slant range, which is shorter than ground
	ClutterDB float64 `json:"clutter_db"` // its peak over the mean of its surroundings
	RangeM    float64 `json:"slant_range_m"`
	Class     Class   `json:"class"`
	Reason    string  `json:"reason"`
}

// CFAR are the rules by which something stands out. In what is left at zero the default holds.
//
// A pixel stands out from the mean of the cells around it (cell averaging over a ring, the brightest quarter of its
// cells left out, so that a neighbour or a coast does not hide it). In single-look speckle, whose intensity is
// distributed exponentially, t dB above the mean are exceeded by e^-(10^(t/10)) of all pixels: 10 dB by 1 in 22,000,
// 13 dB by 1 in 460 million. Sea has spikes beyond speckle (breaking waves, small craft, ambiguities of land), so that
// the default asks for more.
type CFAR struct {
	ThresholdDB float64 `yaml:"threshold_db" json:"threshold_db,omitempty" default:"18" range:"10 to 60" desc:"how far a target's brightest pixel is above the mean of its surroundings, dB"`
	MinPixels   int     `yaml:"min_pixels" json:"min_pixels,omitempty" default:"2" range:"1 to 10000" desc:"pixels 9 dB over their surroundings that a target has at least"`
	MaxLengthM  float64 `yaml:"max_length_m" json:"max_length_m,omitempty" default:"400" range:"10 to 10000" desc:"what is longer is no ship"`
	Land        *Land   `yaml:"-" json:"-"` // what lies within is no ship, where it is known where the image lies; nil: statistics alone decide
	MaxTargets  int     `yaml:"max_targets" json:"max_targets,omitempty" default:"500" range:"1 to 100000" desc:"ships first, then by how far they stand out; the others are counted only"`
}

// Problems says what the rules can't be.
func (r CFAR) Problems() (all []error) {
	outside := func(name string, v, least, most float64) {
		if v != 0 && !(v >= least && v <= most) {
			all = append(all, fmt.Errorf("%s is %g: give %g to %g", name, v, least, most))
		}
	}
	outside("threshold_db", r.ThresholdDB, 10, 60)
	outside("min_pixels", float64(r.MinPixels), 1, 10000)
	outside("max_length_m", r.MaxLengthM, 10, 10000)
	outside("max_targets", float64(r.MaxTargets), 1, 100000)
	return all
}

func (r CFAR) withDefaults() CFAR {
	return CFAR{ThresholdDB: cmp.Or(r.ThresholdDB, 18), MinPixels: cmp.Or(r.MinPixels, 2), MaxLengthM: cmp.Or(r.MaxLengthM, 400), MaxTargets: cmp.Or(r.MaxTargets, 500), Land: r.Land}
}

// Found is what stands out of an image.
type Found struct {
	Targets   []Target `json:"targets"`    // ships first, then by how far they stand out
	LeftOut   int      `json:"left_out"`   // beyond MaxTargets
	SeaDB     *float64 `json:"sea_db"`     // level of the sea in dB of intensity; nil: no sea was recognised, and nothing is called a ship
	LandShare float64  `json:"land_share"` // of the image, where sea was recognised
	Unmasked  string   `json:"unmasked"`   // why the land mask of the rules was not used; empty: it was, or there is none
}

// Detect finds bright targets in rows of an image. Find also tells what was left out.
func (p *Plan) Detect(im *Image, rules CFAR) ([]Target, error) {
	f, err := p.Find(im, rules)
	return f.Targets, err
}

// mostClusters bounds what is looked at closer: beyond it only the brightest are, the others are left out.
const mostClusters = 20_000

// Find finds bright targets in rows of an image. What it finds depends on these rows alone.
func (p *Plan) Find(im *Image, rules CFAR) (Found, error) {
	f := Found{Targets: []Target{}}
	if err := errors.Join(rules.Problems()...); err != nil {
		return f, fmt.Errorf("sar: rules of detection: %w", err)
	}
	if im.Rows < 0 || im.Cols < 0 || len(im.Pix) != im.Rows*im.Cols {
		return f, fmt.Errorf("sar: an image of %d x %d pixels holds %d", im.Rows, im.Cols, len(im.Pix))
	}
	if len(im.Pix) == 0 {
		return f, nil
	}
	rules = rules.withDefaults()
	cells, err := newCells(im)
	if err != nil {
		return f, err
	}
	found := cells.clusters(im, rules, p.lobeSlope())
	slices.SortFunc(found, func(a, b cluster) int {
		return cmp.Or(cmp.Compare(b.over(), a.over()), cmp.Compare(a.row, b.row), cmp.Compare(a.col, b.col))
	})
	if len(found) > mostClusters {
		f.LeftOut, found = len(found)-mostClusters, found[:mostClusters]
	}
	s := cells.surface()
	if s.known {
		level := 10 * math.Log10(s.sea)
		f.SeaDB, f.LandShare = &level, s.landShare
	}
	var place *Geometry
	if rules.Land != nil {
		if place, err = p.Geometry(); err != nil {
			f.Unmasked = err.Error()
		}
	}
	for _, c := range found {
		t := p.target(im, c)
		if t.Class, t.Reason = s.class(c, t.LengthM, rules); place != nil && t.Class == Ship {
			if lat, lon, err := place.Place(t.Row, t.Col, 0); err == nil && rules.Land.Within(lat, lon) {
				t.Class, t.Reason = Bright, "on land, by the land mask"
			}
		}
		f.Targets = append(f.Targets, t)
	}
	slices.SortStableFunc(f.Targets, func(a, b Target) int { return cmp.Compare(b.Class, a.Class) }) // ship before bright
	if n := len(f.Targets) - rules.MaxTargets; n > 0 {
		f.LeftOut, f.Targets = f.LeftOut+n, f.Targets[:rules.MaxTargets]
	}
	return f, nil
}

// cellM is a sample's slant range in metres.
func (p *Plan) cellM() float64 {
	if p.Params.SamplingHz <= 0 {
		return 0
	}
	return cmp.Or(p.Params.SpeedOfLightMS, 299792458) / (2 * p.Params.SamplingHz)
}
