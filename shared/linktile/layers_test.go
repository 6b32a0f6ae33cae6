package linktile

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestLayersComeTogether goes from coarse over any bound to lossless, or a part of that way.
func TestLayersComeTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawTile(t)
		bounds := in.Error
		in.Error = nil
		var errs [][]int
		if bounds != nil {
			errs = append(errs, bounds)
		}
		layers, err := EncodeLayers(in, bounds)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeLayer(layers[0], in.W*in.H)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(layers[0], in.W*in.H); !errors.Is(err, ErrMalformed) {
			t.Fatalf("a coarse layer passes for a tile: %v", err)
		}
		exactGrid(t, in, got)
		for i, layer := range layers[1:] {
			base := slices.Clone(got.Pix)
			next, err := Refine(got, layer)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(base, got.Pix) {
				t.Fatal("refining changed the base")
			}
			want := in
			want.Grid = true
			if want.Error = nil; i < len(errs) {
				want.Error = errs[i]
			}
			if err := same(want, next); err != nil {
				t.Fatal(err)
			}
			exactGrid(t, in, next)
			if next.Digest() == got.Digest() {
				t.Fatal("two tiles have one digest")
			}
			if _, err := Refine(next, layer); !errors.Is(err, ErrOtherBase) {
				t.Fatalf("a refinement was taken twice: %v", err)
			}
			got = next
		}
	})
}

// exactGrid holds the pixels of the coarse layer against what they were.
func exactGrid(t *rapid.T, in, got Tile) {
	n := in.W * in.H
	for y := 0; y < in.H; y += CoarseStep {
		for x := 0; x < in.W; x += CoarseStep {
			if in.Kept != nil && !in.Kept[y/BlockSide*Blocks(in.W)+x/BlockSide] {
				continue
			}
			for b := range in.Bands {
				if i := b*n + y*in.W + x; in.Pix[i] != got.Pix[i] {
					t.Fatalf("band %d at %d, %d: %d came back as %d", b, x, y, in.Pix[i], got.Pix[i])
				}
			}
		}
	}
}

func TestARefinementOfATileByItself(t *testing.T) {
	in := example(70, 45, 3)
	near := in
	near.Error = []int{3, 0, 9}
	data, err := near.Encode()
	if err != nil {
		t.Fatal(err)
	}
	base, err := Decode(data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	layer, err := in.EncodeRefinement(base)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Refine(base, layer)
	if err != nil {
		t.Fatal(err)
	}
	if err := same(in, out); err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(layer, 1<<20); !errors.Is(err, ErrMalformed) {
		t.Errorf("a refinement was read without its base: %v", err)
	}
	base.Pix[0]++
	if _, err := Refine(base, layer); !errors.Is(err, ErrOtherBase) {
		t.Errorf("the refinement of another tile: %v", err)
	}
	for i := range layer {
		bad := slices.Clone(layer)
		bad[i] ^= 1 << (i % 8)
		if _, err := Refine(base, bad); err == nil {
			t.Fatalf("a bit of byte %d was turned over, and nobody saw", i)
		}
	}
}

func TestLayersOfRealBands(t *testing.T) {
	in := sentinel(t)
	whole, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := EncodeLayers(in, []int{5, 5, 5, 5, 5, 5})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, layer := range layers {
		sum += len(layer)
	}
	t.Logf("coarse %d, ±0.0005 %d, lossless %d: %d bytes of %d, %.3f", len(layers[0]), len(layers[1]), len(layers[2]), sum, len(whole), float64(sum)/float64(len(whole)))
	if float64(sum) > 1.06*float64(len(whole)) {
		t.Errorf("layers take %d bytes, the tile as one %d", sum, len(whole))
	}
}
