package linktile

import "testing"

// FuzzDecode gives bytes of strangers to the decoder, with a checksum that is right, so that what lies behind it
// is reached.
func FuzzDecode(f *testing.F) {
	for _, in := range []Tile{example(40, 33, 2), example(5, 3, 1), example(64, 64, 4)} {
		for _, lossy := range []bool{false, true} {
			if in.Error = nil; lossy {
				in.Error = make([]int, len(in.Bands))
				for b := range in.Error {
					in.Error[b] = 3 * b
				}
			}
			data, err := in.Encode()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data[:len(data)-4])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sealed := seal(data)
		out, err := Decode(sealed, 1<<14)
		if err != nil {
			return
		}
		if err := out.check(); err != nil {
			t.Fatal(err)
		}
		again, err := out.Encode()
		if err != nil {
			t.Fatalf("what was decoded can't be encoded: %v", err)
		}
		back, err := Decode(again, 1<<14)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(out, back); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRefine gives bytes of strangers as refinements of a coarse tile and of one with an error.
func FuzzRefine(f *testing.F) {
	in := example(40, 33, 2)
	layers, err := EncodeLayers(in, []int{4, 0})
	if err != nil {
		f.Fatal(err)
	}
	coarse, err := DecodeLayer(layers[0], 1<<14)
	if err != nil {
		f.Fatal(err)
	}
	near, err := Refine(coarse, layers[1])
	if err != nil {
		f.Fatal(err)
	}
	for _, layer := range layers {
		f.Add(layer[:len(layer)-4])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, base := range []Tile{coarse, near} {
			if out, err := Refine(base, seal(data)); err == nil {
				if err := out.check(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if out, err := DecodeLayer(seal(data), 1<<14); err == nil {
			if err := out.check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
