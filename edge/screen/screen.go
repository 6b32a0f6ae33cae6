// Package screen decides whether a picture is worth the link. It is pure: no I/O, no clock, and each
// decision carries the reason and the figures that it was made from. docs/screening.md explains the
// tests and where they come from.
package screen

import (
	"bytes"
	"fmt"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/vision"
)

// Reasons for leaving a picture out.
const (
	Kept      = ""
	NoData    = "nodata"    // hardly a pixel with data
	Cloud     = "cloud"     // hardly a pixel of ground
	Unchanged = "unchanged" // a fixed camera that sees what it saw before
	Blurred   = "blur"
	Dark      = "dark"
	Bright    = "bright"
)

// Decision is what was decided about one picture, why, and from what.
type Decision struct {
	Keep   bool
	Masked bool    // the mask goes in place of the pixels: nothing but cloud, or the network is sure enough of it
	Reason string  // empty where it is kept
	Kept   []bool  // squares of linktile.BlockSide pixels that are sent, row by row; nil: all
	Left   float64 // share of the pixels with data that are in the others: the network's mask stands for them
	Blocks bool    // the network's mask may stand for squares of it
	By     string  // the test or model that told cloud from ground; empty where none did
	Value  float64 // what a byte of it is worth, 0 … 1: the share of pixels that show clear ground
	Score  Score
}

// Score is the figures behind a decision; those that do not apply are 0.
type Score struct {
	NoData    float64 `json:"nodata"`    // share of pixels without data, 0 … 1
	Cloud     float64 `json:"cloud"`     // share of cloud among the pixels with data, 0 … 1
	Unsure    float64 `json:"unsure"`    // share of the pixels with data whose class the network is not sure of, 0 … 1
	Sharpness float64 `json:"sharpness"` // variance of the Laplacian, grey levels squared; below about 30 is blurred
	Dark      float64 `json:"dark"`      // share of pixels below 16 of 255
	Bright    float64 `json:"bright"`    // share of pixels above 239 of 255
	Motion    float64 `json:"motion"`    // share of the picture that differs from the background, 0 … 1
	Change    float64 `json:"change"`    // share of a tile's clear ground that differs from its last clear view, 0 … 1
}

// Config is the policy. Thresholds are shares from 0 to 1.
type Config struct {
	KeepEverything bool         `yaml:"keep_everything" desc:"screen and record, but leave nothing out"`
	Scenes         SceneConfig  `yaml:"scenes" desc:"tiles of scenes; thresholds are shares from 0 to 1"`
	Cameras        CameraConfig `yaml:"cameras" desc:"frames of cameras; what is 0 leaves nothing out"`
}

// SceneConfig is the policy for tiles of scenes.
type SceneConfig struct {
	NoDataDrop   float64 `yaml:"nodata_drop" desc:"share without data from which on a tile is left out" range:"0..1"`
	CloudDrop    float64 `yaml:"cloud_drop" desc:"share of cloud from which on a tile is left out" range:"0..1"`
	MinBlue      float64 `yaml:"min_blue" desc:"reflectance in blue that a cloud has at least, for the spectral test" range:"0..1"`
	TrustVisible bool    `yaml:"trust_visible" desc:"leave out tiles for clouds that were found without short-wave infrared, where snow and bright roofs look the same"`
	Change       float64 `yaml:"change" desc:"share of clear ground that must have changed since its last clear view for a tile to be sent; 0: all tiles are sent, and no views are kept" range:"0..1"`
	Unsure       float64 `yaml:"unsure" desc:"blocks of a tile of which less than this share of pixels is unsure to cloud_model go as the device's own mask; 0: all but clouds go as pixels" range:"0..1"`
	Sure         float64 `yaml:"sure" desc:"probability from which on a class is sure, above 0.5 up to 1 where unsure is set"`
	Difference   float64 `yaml:"difference" desc:"change of reflectance that counts, once the light is levelled out; 0.005 to 1 where change is set"`
}

// DefaultConfig keeps all that shows any ground, and every frame of a camera.
//
// MinBlue is no part of the published test. On the seven partly or wholly clouded patches of
// L8 Biome that were at hand, the mean IoU of the test with labels was 0.68 without it, 0.76 with 0.15.
func DefaultConfig() Config {
	return Config{Scenes: SceneConfig{NoDataDrop: 0.99, CloudDrop: 0.98, MinBlue: 0.15, Difference: 0.03, Sure: 0.9}}
}

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
	if c.Scenes.Unsure > 0 && !(c.Scenes.Sure > 0.5 && c.Scenes.Sure <= 1) {
		add("scenes.sure", fmt.Sprintf("%v is not a probability above 0.5", c.Scenes.Sure), "use 0.6 to 0.99; 0.9 is the default")
	}
	if c.Scenes.Change > 0 && !(c.Scenes.Difference >= 0.005 && c.Scenes.Difference <= 1) {
		add("scenes.difference", fmt.Sprintf("%v is not between 0.005 and 1", c.Scenes.Difference), "use about 0.03; below 0.005 is noise")
	}
}

// Tile screens a tile of a scene. mask is what a segmentation model made of it, and model that
// model's name; a nil mask means that the spectral test decides. It is safe for concurrent use.
func (c Config) Tile(im vision.Image, mask *vision.Mask, model string) Decision {
	var v Decision
	v.Score.NoData = voidShare(im)
	trusted := true
	switch {
	case v.Score.NoData == 1: // nothing to tell apart
	case mask != nil && len(mask.Class) > 0:
		v.By, v.Score.Cloud = model, maskShare(mask)
		v.Score.Unsure = unsureShare(mask, c.Scenes.Sure)
	default:
		v.By, v.Score.Cloud = cloudShare(im, float32(c.Scenes.MinBlue), nil)
		trusted = v.By == Fmask || c.Scenes.TrustVisible
	}
	v.Value = (1 - v.Score.NoData) * (1 - v.Score.Cloud)
	switch {
	case v.Score.NoData >= c.Scenes.NoDataDrop:
		v.Reason = NoData
	case v.Score.Cloud >= c.Scenes.CloudDrop && trusted && v.By != "":
		v.Reason = Cloud
	}
	if c.KeepEverything {
		v.Reason = Kept
	}
	v.Keep = v.Reason == Kept
	v.Masked = v.Reason == Cloud
	if v.Keep && !v.Masked && v.By == model && mask != nil {
		v.Blocks = true
		c.leaveOut(&v, im, mask, nil)
	}
	return v
}

// Ranked is the decision of a mask that says how much a tile is worth, and is not trusted to keep its pixels back.
func (v Decision) Ranked() Decision {
	if v.Reason == Cloud {
		v.Keep, v.Reason = true, Kept
	}
	return v.Whole()
}

// Whole is the decision where nothing of a tile's pixels may be left out.
func (v Decision) Whole() Decision {
	v.Masked, v.Blocks, v.Kept, v.Left = false, false, nil, 0
	return v
}

func voidShare(im vision.Image) float64 {
	if len(im.Void) == 0 {
		return 0
	}
	void := len(im.Void) - bytes.Count(im.Void, []byte{0})
	return float64(void) / float64(len(im.Void))
}

// maskShare is the share of cloud among the pixels that the mask has a class for.
func maskShare(m *vision.Mask) float64 {
	var count [256]int
	for _, class := range m.Class {
		count[class]++
	}
	seen := len(m.Class) - count[vision.NoData]
	if seen == 0 {
		return 0
	}
	return float64(count[vision.Cloud]) / float64(seen)
}
