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
	Targets   []Target `json:"targets"`            // by row and column
	LeftOut   int      `json:"left_out,omitempty"` // the weakest, beyond MaxTargets or the rules' own bound
	SeaDB     *float64 `json:"sea_db,omitempty"`   // as in Found
	LandShare float64  `json:"land_share,omitempty"`
	Skipped   string   `json:"skipped,omitempty"` // why nobody looked, and no rows were made
	Failed    string   `json:"failed,omitempty"`  // why nothing could be looked for in the rows
}

// FoundTargets is what Find has found, or why it could not look.
func FoundTargets(f Found, failed error) Targets {
	t := Targets{Targets: f.Targets, LeftOut: f.LeftOut, SeaDB: f.SeaDB, LandShare: f.LandShare}
	if failed != nil {
		t.Failed = strings.ToValidUTF8(failed.Error()[:min(len(failed.Error()), maxReason)], "")
	}
	return t
}

// EncodeTargets packs targets of which nothing else is to be said.
func EncodeTargets(found []Target) ([]byte, error) { return Targets{Targets: found}.Encode() }

// Encode packs them, at most the MaxTargets brightest over their surroundings.
func (t Targets) Encode() ([]byte, error) {
	t.Targets = append([]Target{}, t.Targets...)
	if n := len(t.Targets) - MaxTargets; n > 0 {
		slices.SortStableFunc(t.Targets, func(a, b Target) int { return cmp.Compare(b.ClutterDB, a.ClutterDB) })
		t.LeftOut, t.Targets = t.LeftOut+n, t.Targets[:MaxTargets]
	}
	slices.SortStableFunc(t.Targets, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col)) })
	return json.Marshal(t)
}

// DecodeTargets is the inverse of Encode.
func DecodeTargets(data []byte) (Targets, error) {
	const each = 1024 // bytes, far beyond what one takes
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
		for _, v := range []float64{one.Row, one.Col, one.ClutterDB, one.RangeM, one.LengthM} {
			if !(math.Abs(v) <= 1e12) { // false also of what is no number
				return Targets{}, fmt.Errorf("targets: one at row %v, column %v with %v dB", one.Row, one.Col, one.ClutterDB)
			}
		}
		if one.Pixels < 0 || len(one.Class) > maxReason || len(one.Reason) > maxReason {
			return Targets{}, fmt.Errorf("targets: one of %d pixels, with %d bytes of words", one.Pixels, len(one.Class)+len(one.Reason))
		}
	}
	return t, nil
}
