package screen

import (
	"bytes"
	"slices"
	"testing"

	"cloudcanvas/shared/vision"
)

// squares is a mask of 8 x 8 squares of four pixels, each of one class that the network is so sure of.
func squares(class func(col, row int) byte, sure byte) (vision.Image, *vision.Mask) {
	const n, side = 8, 4
	m := &vision.Mask{W: n * side, H: n * side, Class: make([]byte, n*n*side*side)}
	m.Probabilities = [][]byte{make([]byte, len(m.Class)), make([]byte, len(m.Class))}
	for i := range m.Class {
		c := class(i%m.W/side, i/m.W/side)
		m.Class[i] = c
		switch c {
		case vision.NoData:
			m.Probabilities[0][i], m.Probabilities[1][i] = vision.NoData, vision.NoData
		case vision.Clear:
			m.Probabilities[1][i] = vision.ProbabilityOne - sure
		default:
			m.Probabilities[c-1][i] = sure
		}
	}
	return vision.Image{W: m.W, H: m.H, Void: bytes.Clone(make([]byte, len(m.Class)))}, m
}

func TestSquaresThatNobodyNeedsAreLeftOut(t *testing.T) {
	leftHalf := func(c byte) func(col, row int) byte {
		return func(col, row int) byte {
			if col < 4 {
				return c
			}
			return vision.Clear
		}
	}
	for _, c := range []struct {
		name   string
		class  func(col, row int) byte
		sure   byte
		unsure float64
		kept   int // columns of squares that are sent, of 8
	}{
		{"clear ground", leftHalf(vision.Clear), 254, 0, 8},
		{"cloud, and the column beside the ground", leftHalf(vision.Cloud), 254, 0, 5},
		{"cloud that the network doubts", leftHalf(vision.Cloud), 200, 0, 8},
		{"no data", leftHalf(vision.NoData), 254, 0, 5},
		{"shadow is ground", leftHalf(vision.Shadow), 254, 0, 8},
		{"sure of all", leftHalf(vision.Shadow), 254, 0.02, 0},
		{"sure of nothing", leftHalf(vision.Shadow), 200, 0.02, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := DefaultConfig()
			rules.Scenes.Unsure = c.unsure
			im, mask := squares(c.class, c.sure)
			kept, left := rules.Blocks(im, mask, 4, nil)
			if kept == nil {
				kept = slices.Repeat([]bool{true}, 64)
			}
			columns := 0
			for col := range 8 {
				if kept[col] {
					columns++
				}
				for row := range 8 {
					if kept[row*8+col] != kept[col] {
						t.Fatalf("column %d is sent in part", col)
					}
				}
			}
			if columns != c.kept {
				t.Errorf("%d columns of squares are sent, not %d", columns, c.kept)
			}
			if want := map[int]float64{8: 0, 5: 0.5, 0: 1}[c.kept]; c.class(0, 0) != vision.NoData && left != want {
				t.Errorf("the mask stands for %v of the pixels, not %v", left, want)
			}
			rules.KeepEverything = true
			if kept, _ := rules.Blocks(im, mask, 4, nil); kept != nil {
				t.Error("squares are left out although everything is kept")
			}
		})
	}
}
