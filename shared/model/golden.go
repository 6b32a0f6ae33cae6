package model

// Golden is an input whose answer is known: what models/golden.py computed with another runtime.
type Golden struct {
	Input     GoldenInput    `json:"input"`
	Outputs   []GoldenOutput `json:"outputs"`
	Tolerance Tolerance      `json:"tolerance"`
	Half      Tolerance      `json:"tolerance_fp16"`
	Made      string         `json:"made_with"`
}

// GoldenInput is a tensor given by a formula, see Fill.
type GoldenInput struct {
	Shape []int64 `json:"shape"` // N, C, H, W
	Low   float32 `json:"low"`
	High  float32 `json:"high"`
}

// GoldenOutput is one output tensor at sampled places.
type GoldenOutput struct {
	Name   string    `json:"name"`
	Shape  []int64   `json:"shape"`
	At     []int     `json:"at"` // flat indices
	Values []float32 `json:"values"`
}

// Tolerance allows |got-want| <= Abs + Rel*|want|.
type Tolerance struct {
	Abs float64 `json:"abs"`
	Rel float64 `json:"rel"`
}
