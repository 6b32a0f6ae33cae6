package raster_test

import (
	"os"
	"testing"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// damaged is a scene of noise, which does not compress, with zeros in place of a few hundred bytes at
// that share of the file.
func damaged(t *testing.T, width, height int, at float64) (whole, broken *raster.Scene) {
	t.Helper()
	path := scene(t, raster.Layout{Width: width, Height: height, Bands: []string{"red", "green", "blue"}, DataType: "UInt16"}, func(b, x, y int) float32 {
		return float32(1 + (x*7919+y*104729+b*1299709+x*y*31)%9999)
	})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[int(at*float64(len(data))):][:600])
	bad := path + "-broken.tif"
	if err := os.WriteFile(bad, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return open(t, path, raster.Options{}), open(t, bad, raster.Options{})
}

func TestABrokenBlockCostsThatBlockOnly(t *testing.T) {
	whole, broken := damaged(t, 1100, 900, 0.6)
	everything := raster.Window{W: 1100, H: 900}
	want, none, err := whole.ReadAround(everything, 1100, 900, nil, false)
	if err != nil || len(none) > 0 {
		t.Fatal(err, none)
	}
	if _, err := broken.Read(everything, nil); err == nil {
		t.Fatal("the file is not broken")
	}
	got, lost, err := broken.ReadAround(everything, 1100, 900, nil, false)
	if err != nil || len(lost) != 1 || lost[0].W*lost[0].H > 512*512 {
		t.Fatalf("%v, lost %v", err, lost)
	}
	within := func(x, y int) bool {
		w := lost[0]
		return x >= w.X && x < w.X+w.W && y >= w.Y && y < w.Y+w.H
	}
	for y := range 900 {
		for x := range 1100 {
			i := y*1100 + x
			if void := got.Void[i] != 0; void != within(x, y) || !void && got.Planes[1][i] != want.Planes[1][i] {
				t.Fatalf("pixel %d, %d: void %v, %v in place of %v; lost is %s", x, y, void, got.Planes[1][i], want.Planes[1][i], lost[0])
			}
		}
	}
	small, again, err := broken.ReadAround(everything, 110, 90, []string{"green"}, true)
	if err != nil || len(again) != 1 || again[0] != lost[0] || voids(small) == 0 || voids(small) > 110*90/3 {
		t.Errorf("scaled: %v, lost %v, %d pixels without data", err, again, voids(small))
	}
	if _, all, err := broken.ReadAround(lost[0], lost[0].W, lost[0].H, nil, false); err == nil || len(all) != 1 {
		t.Errorf("nothing of a window can be read: %v, lost %v", err, all)
	}
	if _, _, err := broken.ReadAround(everything, 1100, 900, []string{"nir"}, false); err == nil {
		t.Error("a band that is not there was read")
	}
	if _, err := broken.Display(); err != nil {
		t.Errorf("it can't be shown: %v", err)
	}
}

func voids(im vision.Image) (n int) {
	for _, v := range im.Void {
		n += int(v)
	}
	return n
}
