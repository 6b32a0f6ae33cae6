// Package sliced finds small objects in large pictures: the picture is cut into overlapping slices,
// a detector sees each, and what it found is merged into one list. Layout, flags and merging follow
// SAHI (Akyon et al., Slicing Aided Hyper Inference, 2022), so that its users get its results. It is
// pure Go: pictures come through Source, detections through Network.
package sliced

import (
	"fmt"
	"image"
)

// Ways of merging boxes that show one object, and measures of how much two boxes overlap.
const (
	GreedyNMM = "GREEDYNMM" // the best box takes in all that match it
	NMM       = "NMM"       // … and all that match those, and so on
	NMS       = "NMS"       // the best box stays, what matches it is left out

	IoS = "IOS" // intersection over the smaller box
	IoU = "IOU" // intersection over union
)

// Config says how a picture is sliced and how boxes are merged; the names are those of SAHI's flags.
type Config struct {
	SliceHeight        int     `yaml:"slice_height"`         // pixels
	SliceWidth         int     `yaml:"slice_width"`          // pixels
	OverlapHeightRatio float64 `yaml:"overlap_height_ratio"` // of the slice, 0 to below 1
	OverlapWidthRatio  float64 `yaml:"overlap_width_ratio"`  // of the slice, 0 to below 1
	// StandardPrediction also shows the detector the whole picture, for objects larger than a slice.
	StandardPrediction bool    `yaml:"standard_prediction"`
	WholeOnly          bool    `yaml:"whole_only"` // and no slices
	Postprocess        string  `yaml:"postprocess_type"`
	Metric             string  `yaml:"postprocess_match_metric"`
	Threshold          float64 `yaml:"postprocess_match_threshold"` // above 0, at most 1
	ClassAgnostic      bool    `yaml:"postprocess_class_agnostic"`  // boxes of different labels merge too
}

// DefaultConfig has SAHI's defaults.
func DefaultConfig() Config {
	return Config{SliceHeight: 512, SliceWidth: 512, OverlapHeightRatio: 0.2, OverlapWidthRatio: 0.2,
		StandardPrediction: true, Postprocess: GreedyNMM, Metric: IoS, Threshold: 0.5}
}

const (
	minSlice = 16
	maxSlice = 8192
)

// Problems lists every mistake.
func (c Config) Problems(add func(field, message, hint string)) {
	for field, side := range map[string]int{"slice_height": c.SliceHeight, "slice_width": c.SliceWidth} {
		if side < minSlice || side > maxSlice {
			add(field, fmt.Sprintf("%d is out of range", side), fmt.Sprintf("give %d to %d pixels, often 512", minSlice, maxSlice))
		}
	}
	for field, ratio := range map[string]float64{"overlap_height_ratio": c.OverlapHeightRatio, "overlap_width_ratio": c.OverlapWidthRatio} {
		if !(ratio >= 0 && ratio <= 0.9) {
			add(field, fmt.Sprintf("%g is out of range", ratio), "give a share of the slice from 0 to 0.9, often 0.2")
		}
	}
	if c.Postprocess != GreedyNMM && c.Postprocess != NMM && c.Postprocess != NMS {
		add("postprocess_type", fmt.Sprintf("%q is unknown", c.Postprocess), "give GREEDYNMM, NMM or NMS")
	}
	if c.Metric != IoS && c.Metric != IoU {
		add("postprocess_match_metric", fmt.Sprintf("%q is unknown", c.Metric), "give IOS or IOU")
	}
	if !(c.Threshold > 0 && c.Threshold <= 1) {
		add("postprocess_match_threshold", fmt.Sprintf("%g is out of range", c.Threshold), "give a number above 0, at most 1, often 0.5")
	}
}

// Slices are the places of the slices, row by row. The last of a row or column is moved inward, so
// that all have the full size where the picture has it. c must have no problems.
func (c Config) Slices(width, height int) []image.Rectangle {
	var all []image.Rectangle
	for _, y := range starts(height, c.SliceHeight, c.OverlapHeightRatio) {
		for _, x := range starts(width, c.SliceWidth, c.OverlapWidthRatio) {
			all = append(all, image.Rect(x, y, min(x+c.SliceWidth, width), min(y+c.SliceHeight, height)))
		}
	}
	return all
}

// starts is where slices begin along a side.
func starts(length, slice int, ratio float64) []int {
	step := slice - int(ratio*float64(slice))
	var all []int
	for at := 0; ; at += step {
		if at+slice >= length {
			return append(all, max(0, length-slice))
		}
		all = append(all, at)
	}
}
