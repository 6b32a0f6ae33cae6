// Package anomaly makes, of pictures of good parts and nothing else, a network that tells how far a
// picture is from all of them, and where (the idea of PatchCore, Roth et al., CVPR 2022).
//
//	good pictures ─▶ backbone ─▶ features of each place ─▶ a bank of some that stand for all
//	                    └───────── the network: backbone ─▶ distance of each place to the bank
//
// What it makes is an ONNX file like any other: it is verified, shipped and run as such.
package anomaly

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// Options say what is learned from.
type Options struct {
	Backbone model.Model
	Layers   []string // tensors of the backbone, the finer grid first; none: chosen
	Size     []int    // width and height of the input, where the backbone takes any
	Pictures int
	Picture  func(n int) (vision.Image, error) // a good one; each is asked for more than once
	Bank     int                               // features that stand for all; 0: 400
	Threads  int
	Runtime  string // folder of libonnxruntime.so; empty: where it lies
	Seed     uint64
	Log      *slog.Logger
}

// Least is how many good pictures it takes.
const Least = 8

// Learned is a network and what was seen when it was made.
type Learned struct {
	Backbone model.Manifest
	Input    model.Input // of the network: the backbone's, of a fixed size
	ONNX     []byte
	Layers   []string
	Pictures int
	Bank     int
	Reach    float64 // the farthest that a good picture was from others: the network's 1
	Nearest  float64 // the same of the picture that was nearest

	runtime string
}

// patchesKept bounds the features that the bank is chosen from.
const patchesKept = 30_000

// folds is into how many parts the good pictures are cut: each is measured against the others.
const folds = 4

// Learn makes the network. The limit is the farthest that any good picture is from a bank of others,
// so that about one good picture in so many lies beyond it.
func Learn(ctx context.Context, o Options) (Learned, error) {
	if o.Pictures < Least {
		return Learned{}, fmt.Errorf("%d good pictures: %d are the least, 30 a good start", o.Pictures, Least)
	}
	if o.Bank == 0 {
		o.Bank = 400
	}
	b, err := openBackbone(o)
	if err != nil {
		return Learned{}, err
	}
	defer b.close()
	patches, err := o.sample(ctx, b)
	if err != nil {
		return Learned{}, err
	}
	norm := patches.standardise()
	o.Log.Info("features of good pictures", "layers", b.layers, "channels", patches.width, "patches", patches.len())

	l := Learned{Backbone: o.Backbone.Manifest, Input: b.input, Layers: b.layers, Pictures: o.Pictures, Nearest: -1, runtime: o.Runtime}
	for fold := range folds {
		bank := patches.except(fold).choose(o.Bank, o.Seed)
		for n := fold; n < o.Pictures; n += folds {
			if err := ctx.Err(); err != nil {
				return l, err
			}
			f, err := o.features(b, n)
			if err != nil {
				return l, err
			}
			norm.apply(f)
			far := bank.farthest(f)
			l.Reach = max(l.Reach, far)
			if l.Nearest < 0 || far < l.Nearest {
				l.Nearest = far
			}
		}
	}
	if !(l.Reach > 0) {
		return l, fmt.Errorf("the good pictures do not differ at all: give %d or more that show what is allowed to vary", Least)
	}
	bank := patches.choose(o.Bank, o.Seed)
	l.Bank = bank.len()
	l.ONNX, err = b.network(norm, bank, l.Reach)
	return l, err
}

// sample gives features of all pictures, as many of each, with the fold that each belongs to.
func (o Options) sample(ctx context.Context, b *backbone) (*patches, error) {
	p := &patches{width: b.channels}
	random := rand.New(rand.NewPCG(o.Seed, 1))
	each := max(patchesKept/o.Pictures, 1)
	for n := range o.Pictures {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := o.features(b, n)
		if err != nil {
			return nil, err
		}
		order := random.Perm(len(f) / p.width)
		for _, i := range order[:min(each, len(order))] {
			p.values = append(p.values, f[i*p.width:(i+1)*p.width]...)
			p.folds = append(p.folds, uint8(n%folds))
		}
	}
	return p, nil
}

func (o Options) features(b *backbone, n int) ([]float32, error) {
	im, err := o.Picture(n)
	if err != nil {
		return nil, err
	}
	return b.features(im)
}

// openFile opens an ONNX file that exists only in memory.
func openFile(m model.Model, data []byte, threads int, runtime string) (*infer.Raw, error) {
	dir, err := os.MkdirTemp("", "canvas-anomaly-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	m.Path, m.SHA256, m.Case = filepath.Join(dir, "model.onnx"), "", nil
	if err := os.WriteFile(m.Path, data, 0o600); err != nil {
		return nil, err
	}
	return infer.OpenRaw(m, threads, runtime)
}
