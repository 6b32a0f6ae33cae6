package evaluate

import (
	"fmt"
	"strconv"
	"strings"

	"cloudcanvas/shared/vision"
)

// Ground is what a label raster says of a pixel. It tells more than a mask does, so that what is
// hard can be measured apart: thin cloud is cloud, and snow is clear.
type Ground byte

const (
	Unlabelled Ground = iota
	ClearGround
	ShadowGround
	CloudGround
	ThinCloud
	Snow
	grounds
)

var groundNames = [grounds]string{"none", "clear", "shadow", "cloud", "thin", "snow"}

func (g Ground) String() string { return groundNames[g] }

// class is the class that a mask should have there.
func (g Ground) class() byte {
	switch g {
	case CloudGround, ThinCloud:
		return vision.Cloud
	case ShadowGround:
		return vision.Shadow
	case Unlabelled:
		return vision.NoData
	}
	return vision.Clear
}

// Legend is what each number of a label raster means.
type Legend [256]Ground

// legends are the ones with a name.
var legends = map[string]string{
	"canvas":  "0=clear,1=shadow,2=cloud",                         // masks of this project
	"l8biome": "64=shadow,128=clear,192=thin,255=cloud",           // 0 is fill
	"ukis":    "0=shadow,1=clear,2=clear,3=clear,4=cloud,5=clear", // kinds of clear ground
}

// ParseLegend reads a legend's name, or a list such as "0=clear,1=cloud"; numbers that it does not
// name are not labelled.
func ParseLegend(text string) (Legend, error) {
	var l Legend
	if known, ok := legends[text]; ok {
		text = known
	}
	for _, part := range strings.Split(text, ",") {
		number, name, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.ParseUint(number, 10, 8)
		g := Unlabelled
		for i, known := range groundNames {
			if name == known {
				g, name = Ground(i), ""
			}
		}
		if err != nil || name != "" || !strings.Contains(part, "=") {
			return l, fmt.Errorf("%w: %.60q in the labels' legend; give canvas, l8biome, ukis, or a list as 0=clear,1=shadow,2=cloud,3=thin,4=snow,255=none", ErrInput, part)
		}
		l[n] = g
	}
	return l, nil
}

// Confusion counts pixels: what is labelled against what the mask says. Counts of several scenes add up.
type Confusion struct {
	Count   [grounds][3]int64 // the ground; clear, shadow, cloud in the mask
	Unknown [grounds]int64    // labelled, but the mask has no class there

	// NotJudged is how many of Unknown the mask says that nobody judged; the others have no data in it.
	NotJudged [grounds]int64
}

// Add counts the pixels of a window. Truth has the label raster's numbers.
func (c *Confusion) Add(l *Legend, truth, mask []byte) {
	for i, t := range truth {
		g := l[t]
		if m := mask[i]; m <= vision.Cloud {
			c.Count[g][m]++
		} else {
			c.Unknown[g]++
			if m == vision.NotJudged {
				c.NotJudged[g]++
			}
		}
	}
}

// Join adds another's counts.
func (c *Confusion) Join(o Confusion) {
	for g := range c.Count {
		for m := range c.Count[g] {
			c.Count[g][m] += o.Count[g][m]
		}
		c.Unknown[g] += o.Unknown[g]
		c.NotJudged[g] += o.NotJudged[g]
	}
}

// Errors is the number of labelled pixels where cloud and no cloud are confused.
func (c Confusion) Errors() (wrong int64) {
	for g := ClearGround; g < grounds; g++ {
		if g.class() == vision.Cloud {
			wrong += c.Count[g][vision.Clear] + c.Count[g][vision.Shadow]
		} else {
			wrong += c.Count[g][vision.Cloud]
		}
	}
	return wrong
}

// ClassScore measures one class against all others; -1 where there is nothing to measure.
type ClassScore struct {
	Class     string  `json:"class"`
	Pixels    int64   `json:"pixels"` // labelled so
	IoU       float64 `json:"iou"`
	F1        float64 `json:"f1"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
}

// MaskScores are the figures of a mask.
type MaskScores struct {
	Pixels        int64        `json:"pixels"`         // labelled, and decided by the mask
	Undecided     int64        `json:"undecided"`      // labelled, without a class in the mask: in no figure
	NotJudged     int64        `json:"not_judged"`     // of these, not judged by anybody, as the mask says
	Accuracy      float64      `json:"accuracy"`       // of all classes
	CloudAccuracy float64      `json:"cloud_accuracy"` // of cloud or not
	Classes       []ClassScore `json:"classes"`        // clear, shadow, cloud
	ThinFound     float64      `json:"thin_found"`     // share of thin cloud that is cloud in the mask
	ThickFound    float64      `json:"thick_found"`    // of the rest of the cloud
	SnowAsCloud   float64      `json:"snow_as_cloud"`  // share of snow that is cloud in the mask
	ClearAsCloud  float64      `json:"clear_as_cloud"` // of the rest that is not cloud
}

// Scores makes the figures. Where no shadow is labelled, shadows in the mask count as clear: most
// labels of clouds leave them out.
func (c Confusion) Scores() MaskScores {
	var m [3][3]int64 // labelled class, class in the mask
	var s MaskScores
	shadows := c.Count[ShadowGround] != [3]int64{}
	for g := ClearGround; g < grounds; g++ {
		s.Undecided += c.Unknown[g]
		s.NotJudged += c.NotJudged[g]
		for k, n := range c.Count[g] {
			if k == vision.Shadow && !shadows {
				k = vision.Clear
			}
			m[g.class()][k] += n
			s.Pixels += n
		}
	}
	right := m[0][0] + m[1][1] + m[2][2]
	s.Accuracy = share(right, s.Pixels)
	s.CloudAccuracy = share(s.Pixels-c.Errors(), s.Pixels)
	for k, name := range [...]string{"clear", "shadow", "cloud"} {
		labelled := m[k][0] + m[k][1] + m[k][2]
		said := m[0][k] + m[1][k] + m[2][k]
		score := ClassScore{Class: name, Pixels: labelled, IoU: share(m[k][k], labelled+said-m[k][k]),
			F1: share(2*m[k][k], labelled+said), Precision: share(m[k][k], said), Recall: share(m[k][k], labelled)}
		if k == vision.Shadow && !shadows {
			score = ClassScore{Class: name, IoU: -1, F1: -1, Precision: -1, Recall: -1}
		}
		s.Classes = append(s.Classes, score)
	}
	asCloud := func(of ...Ground) float64 {
		var cloud, all int64
		for _, g := range of {
			cloud += c.Count[g][vision.Cloud]
			all += c.Count[g][0] + c.Count[g][1] + c.Count[g][2]
		}
		return share(cloud, all)
	}
	s.ThinFound, s.ThickFound = asCloud(ThinCloud), asCloud(CloudGround)
	s.SnowAsCloud, s.ClearAsCloud = asCloud(Snow), asCloud(ClearGround, ShadowGround)
	return s
}

func share(part, of int64) float64 {
	if of == 0 {
		return -1
	}
	return float64(part) / float64(of)
}

// TileDecisions say what a screen that drops tiles above a share of cloud would have done, against
// what the labels ask for.
type TileDecisions struct {
	Tiles       int     `json:"tiles"`        // with labelled pixels that the mask decides
	MaxCloud    float64 `json:"max_cloud"`    // a tile with a larger share is dropped
	Dropped     int     `json:"dropped"`      // rightly
	Sent        int     `json:"sent"`         // rightly
	WronglyLost int     `json:"wrongly_lost"` // dropped, but the labels show enough ground
	WronglySent int     `json:"wrongly_sent"`
}

// Add counts one tile.
func (d *TileDecisions) Add(c Confusion) {
	var labelled, said, all int64
	for g := ClearGround; g < grounds; g++ {
		n := c.Count[g][0] + c.Count[g][1] + c.Count[g][2]
		all += n
		said += c.Count[g][vision.Cloud]
		if g.class() == vision.Cloud {
			labelled += n
		}
	}
	if all == 0 {
		return
	}
	d.Tiles++
	drop, should := share(said, all) > d.MaxCloud, share(labelled, all) > d.MaxCloud
	switch {
	case drop && should:
		d.Dropped++
	case drop:
		d.WronglyLost++
	case should:
		d.WronglySent++
	default:
		d.Sent++
	}
}
