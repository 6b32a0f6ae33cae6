package main

import (
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// agreement is a mask against the truth, or against another mask.
type agreement struct {
	pixels, right              int // that both know
	cloudBoth, cloudAny        int
	shadowBoth, shadowAny, out int
}

// compare counts a mask's pixels against the truth's, by windows. Pixels that were not sent are
// counted apart, and those that the truth does not know not at all.
func compare(mask, truth string) (agreement, error) {
	var a agreement
	m, err := raster.Open(mask, raster.Options{Bands: []string{"class"}})
	if err != nil {
		return a, err
	}
	defer m.Close()
	t, err := raster.Open(truth, raster.Options{Bands: []string{"class"}})
	if err != nil {
		return a, err
	}
	defer t.Close()
	info := m.Info()
	for tile := range (raster.Grid{Width: info.Width, Height: info.Height, Size: 512}).Tiles() {
		got, err := m.ReadClasses(tile.Core)
		if err != nil {
			return a, err
		}
		want, err := t.ReadClasses(tile.Core)
		if err != nil {
			return a, err
		}
		for i, g := range got {
			a.add(g, want[i])
		}
	}
	return a, nil
}

func (a *agreement) add(got, want byte) {
	switch {
	case want == vision.NoData:
		return
	case got == vision.NoData, got == vision.NotJudged:
		a.out++
		return
	}
	count := func(n *int, yes bool) {
		if yes {
			*n++
		}
	}
	a.pixels++
	count(&a.right, got == want)
	count(&a.cloudBoth, got == vision.Cloud && want == vision.Cloud)
	count(&a.cloudAny, got == vision.Cloud || want == vision.Cloud)
	count(&a.shadowBoth, got == vision.Shadow && want == vision.Shadow)
	count(&a.shadowAny, got == vision.Shadow || want == vision.Shadow)
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}
