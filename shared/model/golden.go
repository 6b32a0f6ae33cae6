package model

import (
	"encoding/json"
	"fmt"
	"math"
)

// Golden is an input whose answer is known: what models/golden.py computed with another runtime.
type Golden struct {
	Input     GoldenInput    `json:"input"`
	Outputs   []GoldenOutput `json:"outputs"`
	Tolerance Tolerance      `json:"tolerance"`
	Half      Tolerance      `json:"tolerance_fp16"` // for engines that compute in half precision
	Made      string         `json:"made_with"`
}

// GoldenInput is a tensor given by a formula, see Fill.
type GoldenInput struct {
	Shape  []int   `json:"shape"`  // N, C, H, W whatever the network's layout
	Low    float32 `json:"low"`    // values lie between low …
	High   float32 `json:"high"`   // … and high, as the network sees them
	Layout string  `json:"layout"` // nchw or nhwc
}

// GoldenOutput is one output tensor at sampled places.
type GoldenOutput struct {
	Name   string    `json:"name"`
	Shape  []int     `json:"shape"`
	At     []int     `json:"at"` // flat indices
	Values []float32 `json:"values"`
}

// Tolerance allows |got-want| <= Abs + Share*(the output's largest |want|) + Rel*|want|.
type Tolerance struct {
	Abs   float64 `json:"abs"`
	Share float64 `json:"share"`
	Rel   float64 `json:"rel"`
}

// cell is the side of the golden input's squares: large enough for a network to see shapes in them.
const cell = 8

// Fill writes the golden input into dst (N*C*H*W). Squares of 8 x 8 pixels have one value each:
//
//	k = ((n*C + c) * ceil(H/8) + y/8) * ceil(W/8) + x/8       (32-bit arithmetic from here)
//	u = k*2654435761 + 97;  u ^= u>>15;  u *= 2246822519;  u ^= u>>13
//	value = low + (high-low) * (u>>8) / 2^24                  (in float32)
func (g GoldenInput) Fill(dst []float32) {
	n, c, h, w := g.Shape[0], g.Shape[1], g.Shape[2], g.Shape[3]
	rows, cols := (h+cell-1)/cell, (w+cell-1)/cell
	for i := range n * c {
		for y := range h {
			for x := range w {
				k := uint32((i*rows+y/cell)*cols + x/cell)
				u := k*2654435761 + 97
				u ^= u >> 15
				u *= 2246822519
				u ^= u >> 13
				v := g.Low + (g.High-g.Low)*(float32(u>>8)/(1<<24))
				if g.Layout == "nhwc" {
					dst[(((i/c)*h+y)*w+x)*c+i%c] = v
				} else {
					dst[(i*h+y)*w+x] = v
				}
			}
		}
	}
}

// Compare checks one output against the golden case and says where it is wrong.
func (o GoldenOutput) Compare(got []float32, t Tolerance) error {
	largest := 0.0
	for _, v := range o.Values {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, at := range o.At {
		if at < 0 || at >= len(got) {
			return fmt.Errorf("output %s has %d values, the golden case %v", o.Name, len(got), o.Shape)
		}
		want, have := float64(o.Values[i]), float64(got[at])
		// Written so that NaN fails.
		if !(math.Abs(have-want) <= t.Abs+t.Share*largest+t.Rel*math.Abs(want)) {
			return fmt.Errorf("output %s at %d is %g, should be %g", o.Name, at, got[at], o.Values[i])
		}
	}
	return nil
}

// maxGolden bounds golden.json.
const maxGolden = 4 << 20

// parseGolden reads golden.json and checks that it can be used without further care.
func parseGolden(data []byte) (*Golden, error) {
	if len(data) > maxGolden {
		return nil, fmt.Errorf("is over %d bytes", maxGolden)
	}
	var g Golden
	if err := json.Unmarshal(data, &g); err != nil {
		return nil, err
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	return &g, nil
}

// check says whether the case can be run and compared.
func (g Golden) check() error {
	if len(g.Input.Shape) != 4 || len(g.Outputs) == 0 {
		return fmt.Errorf("needs an input shape of four numbers and at least one output")
	}
	size := 1
	for _, s := range g.Input.Shape {
		if s < 1 || s > 8192 || size > 1<<28/s {
			return fmt.Errorf("input shape %v is out of range", g.Input.Shape)
		}
		size *= s
	}
	for _, o := range g.Outputs {
		if len(o.At) == 0 || len(o.At) != len(o.Values) {
			return fmt.Errorf("output %s has %d places and %d values", o.Name, len(o.At), len(o.Values))
		}
	}
	return nil
}
