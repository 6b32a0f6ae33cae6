// Package calibrate finds out which convolutions of a network do in 8 bits:
//
//	pictures ─▶ odd ones ─▶ ranges of each convolution's input and output ─▶ plan ─▶ int8.json
//	         └▶ even ones ─▶ float and 8 bits side by side ─▶ which convolutions stay in it ┘
//
// What comes out is written down as model.Int8; shared/quantise makes networks of it.
package calibrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"cloudcanvas/shared/onnx"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/quantise"
	"cloudcanvas/shared/vision"
)

// Least is how few pictures can calibrate and be compared.
const Least = 4

// ErrDisagrees says that no choice of convolutions reaches the agreement that was asked for.
var ErrDisagrees = errors.New("in 8 bits it does not agree with float as asked")

// Options say what to calibrate, and with what.
type Options struct {
	Model     model.Model
	Pictures  int
	Picture   func(n int) (vision.Image, error)
	Agreement float64 // least share on each of the compared pictures
	Threads   int
	Runtime   string // folder of libonnxruntime.so
	Log       *slog.Logger
}

// Result is a plan and what is to be told beside it.
type Result struct {
	Plan    model.Int8
	Kept    []Choice // in 8 bits
	Float   []Choice // could be, and are not
	Skipped []quantise.Skip
}

// Choice is a convolution that was looked at.
type Choice struct {
	Output string
	Share  float64 // of all multiplications of dense convolutions
	Cost   float64 // disagreement with it alone in 8 bits; -1 where that was not measured
	Reason string  // why it stays in float
}

// Run calibrates. Pictures 0, 2, … are compared, 1, 3, … give the ranges.
func Run(ctx context.Context, o Options) (Result, error) {
	var r Result
	if o.Pictures < Least {
		return r, fmt.Errorf("%d pictures or windows are too few: %d are the least, 30 a good start", o.Pictures, Least)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	data, sig, err := onnx.Read(o.Model.Path)
	if err == nil {
		err = o.Model.VerifyBytes(data)
	}
	if err != nil {
		return r, err
	}
	convs, skipped, err := quantise.Convs(data)
	if err != nil {
		return r, fmt.Errorf("model %s: %w", o.Model.Name, err)
	}
	r.Skipped = skipped
	s := &seen{options: o}
	if s.wide, err = quantise.Widen(data); err != nil {
		return r, fmt.Errorf("model %s: %w", o.Model.Name, err)
	}
	if r.Float, err = s.weigh(convs, sig); err != nil {
		return r, err
	}
	if len(s.convs) == 0 {
		return r, fmt.Errorf("model %s: %w: it has no convolution that carries enough of its work", o.Model.Name, ErrDisagrees)
	}
	if err := s.gather(ctx); err != nil {
		return r, err
	}
	j, err := newComparison(ctx, o, data)
	if err != nil {
		return r, err
	}
	if err := s.choose(ctx, j, &r); err != nil {
		return r, err
	}
	sum := sha256.Sum256(data)
	r.Plan.SHA256 = hex.EncodeToString(sum[:])
	r.Plan.Made = "canvas-edge models quantise, ONNX Runtime"
	r.Plan.Golden, err = golden(o, data, r.Plan)
	return r, err
}

// openFile loads a file that is in memory as the model, or what it is made of.
func openFile(m model.Model, data []byte, open func(m model.Model) error) error {
	dir, err := os.MkdirTemp("", "canvas-int8-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m.Path, m.SHA256, m.Case, m.Int8 = filepath.Join(dir, "model.onnx"), "", nil, nil
	if err := os.WriteFile(m.Path, data, 0o600); err != nil {
		return err
	}
	return open(m)
}

// openRaw loads the model so that its outputs are had as they come.
func (o Options) openRaw(data []byte, threads int) (raw *infer.Raw, err error) {
	err = openFile(o.Model, data, func(m model.Model) (err error) {
		raw, err = infer.OpenRaw(m, threads, o.Runtime)
		return err
	})
	return raw, err
}
