package raster

import (
	"fmt"
	"strings"
	"time"
)

// Where what is known of a scene was found, the surest first.
const (
	FromOption   = "option"       // a person said so
	FromFile     = "file"         // the file's own numbers
	FromProduct  = "product"      // the metadata of the product that the file belongs to
	FromMetadata = "metadata"     // the file's tags
	FromName     = "product name" // what such names mean
	FromBands    = "band names"   // what such names of bands mean
	FromPixels   = "pixels"       // what the numbers look like
	FromAssumed  = "assumed"      // nothing says so
)

// Fact is one thing that reading a scene rests on, and where it was found.
type Fact struct {
	What  string `json:"what"` // bands, reflectance, nodata, sensor, level, time, place …
	Value string `json:"value"`
	From  string `json:"from"`
}

// facts gathers what reading the scene rests on.
func (s *Scene) facts() []Fact {
	i := &s.info
	all := []Fact{{"bands", strings.Join(i.Bands, ", "), i.bandsFrom}}
	if s.named > 0 && i.bandsFrom != FromOption {
		all = append(all, Fact{"implausible", fmt.Sprintf("%d bands were named (--bands, or bands in the settings), but there are %d and the file says which: its own names count", s.named, len(i.Bands)), FromFile})
	}
	if len(s.scalings) > 0 {
		all = append(all, s.scalingFact())
		all = append(all, s.implausible()...)
	}
	if s.of != nil {
		all = append(all, s.of.unsure...)
	}
	if s.fit != nil {
		all = append(all, *s.fit)
	}
	switch {
	case i.NoData != nil:
		all = append(all, Fact{"nodata", fmt.Sprint(*i.NoData), i.nodataFrom})
	case s.mask.alpha > 0 || s.mask.band:
		all = append(all, Fact{"nodata", "by the file's mask", FromFile})
	}
	if i.Sensor != "" {
		all = append(all, Fact{"sensor", i.Sensor, i.sensorFrom})
	}
	if i.Level != "" {
		all = append(all, Fact{"level", i.Level, i.levelFrom})
	}
	if !i.Captured.IsZero() {
		all = append(all, Fact{"time", i.Captured.UTC().Format(time.RFC3339Nano), i.CapturedFrom})
	}
	return all
}

// scalingFact is the scaling of the first band, and whether others have another.
func (s *Scene) scalingFact() Fact {
	text := s.scalings[0].String()
	for _, other := range s.scalings[1:] {
		if other != s.scalings[0] {
			text += ", others by band"
			break
		}
	}
	return Fact{"reflectance", text, s.info.ScaleFrom}
}

func (c Scaling) String() string {
	if c.Offset == 0 {
		return fmt.Sprintf("stored x %v", c.Scale)
	}
	return fmt.Sprintf("stored x %v %+v", c.Scale, c.Offset)
}

// Reflectance lies between these, as the median of places in a scene: snow and cloud reach 1.1, and
// correction for the air takes dark water a little below 0.
const leastMedian, mostMedian = -0.03, 1.3

// implausible says that the scene's numbers don't look like reflectance.
func (s *Scene) implausible() []Fact {
	if s.info.Require("green") != nil && s.info.Require("red") != nil {
		return nil // classes, heights and the like
	}
	place, median, any := s.sampled()
	if !any {
		return nil
	}
	v := s.scalings[place].apply(median)
	if v >= leastMedian && v <= mostMedian {
		return nil
	}
	return []Fact{{"implausible", fmt.Sprintf("half of %s lies beyond a reflectance of %.3g, by %s: that is no reflectance; give the right scale and offset", s.info.Bands[place], v, s.scalings[place]), FromPixels}}
}

// Assumed are the facts that nothing says or that look wrong: a person should look at them.
func (i Info) Assumed() (guessed []Fact) {
	for _, f := range i.Facts {
		if f.From == FromAssumed || f.What == "implausible" {
			guessed = append(guessed, f)
		}
	}
	return guessed
}
