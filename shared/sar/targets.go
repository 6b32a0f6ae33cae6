package sar

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// WantFocus is what is asked of a block of echoes: rows of the image, and the targets in them.
const WantFocus = "focus"

// Names and versions that results of a block of echoes bear. A version changes with the bits that come out.
const (
	Algorithm        = "chirp-scaling" // makes rows
	AlgorithmVersion = "1"
	Detector         = "cfar" // finds targets
	DetectorVersion  = "1"
)

// TargetsType is the media type of Targets.
const TargetsType = "application/vnd.cloudcanvas.targets+json"

// MaxTargets bounds the targets of one block, maxReason the words for why there are none.
const (
	MaxTargets = 10_000
	maxReason  = 1024
)

// Targets are what stands out in the rows that one block makes.
type Targets struct {
	Targets []Target `json:"targets"`            // by row and column
	LeftOut int      `json:"left_out,omitempty"` // the weakest, beyond MaxTargets
	Skipped string   `json:"skipped,omitempty"`  // why nobody looked, and no rows were made
	Failed  string   `json:"failed,omitempty"`   // why nothing could be looked for in the rows
}

// EncodeTargets packs targets, at most the MaxTargets brightest over their surroundings, or why there are none.
func EncodeTargets(found []Target, failed error) ([]byte, error) {
	t := Targets{Targets: append([]Target{}, found...)}
	if failed != nil {
		t.Failed = strings.ToValidUTF8(failed.Error()[:min(len(failed.Error()), maxReason)], "")
	}
	if len(t.Targets) > MaxTargets {
		slices.SortStableFunc(t.Targets, func(a, b Target) int { return cmp.Compare(b.ClutterDB, a.ClutterDB) })
		t.LeftOut, t.Targets = len(t.Targets)-MaxTargets, t.Targets[:MaxTargets]
	}
	slices.SortStableFunc(t.Targets, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col)) })
	return json.Marshal(t)
}

// DecodeTargets is the inverse of EncodeTargets.
func DecodeTargets(data []byte) (Targets, error) {
	const each = 512 // bytes, far beyond what one takes
	var t Targets
	if len(data) > MaxTargets*each {
		return t, fmt.Errorf("targets: %d bytes, %d are the limit", len(data), MaxTargets*each)
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return Targets{}, fmt.Errorf("targets: %w", err)
	}
	if len(t.Targets) > MaxTargets || t.LeftOut < 0 || len(t.Skipped) > maxReason || len(t.Failed) > maxReason {
		return Targets{}, fmt.Errorf("targets: %d of them and %d left out, %d are the limit", len(t.Targets), t.LeftOut, MaxTargets)
	}
	for _, one := range t.Targets {
		for _, v := range []float64{one.Row, one.Col, one.ClutterDB, one.RangeM} {
			if !(math.Abs(v) <= 1e12) { // false also of what is no number
				return Targets{}, fmt.Errorf("targets: one at row %v, column %v with %v dB", one.Row, one.Col, one.ClutterDB)
			}
		}
		if one.Pixels < 0 {
			return Targets{}, fmt.Errorf("targets: one of %d pixels", one.Pixels)
		}
	}
	return t, nil
}
