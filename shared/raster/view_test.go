package raster

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// quartered is a mask of classes 0, 1, 2 and 255, one a quarter, in UTM 32.
func quartered(t *testing.T, side int) (*Scene, Georef) {
	t.Helper()
	g, err := UTM(32, true, 390000, 5340000, 10)
	if err != nil {
		t.Fatal(err)
	}
	mask, err := CreateMask(filepath.Join(t.TempDir(), "work.tif"), side, side, g)
	if err != nil {
		t.Fatal(err)
	}
	defer mask.Close()
	class := make([]byte, side*side)
	for i := range class {
		class[i] = [4]byte{0, 1, 2, 255}[i/side/(side/2)*2+i%side/(side/2)]
	}
	if err := mask.Write(Window{W: side, H: side}, class); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mask.tif")
	if err := mask.Finish(path); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{Bands: []string{"class"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, g
}

func TestClassesAreScaledWithoutMixing(t *testing.T) {
	s, _ := quartered(t, 1024)
	class, err := s.ReadClassesScaled(Window{W: 1024, H: 1024}, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range class {
		if want := [4]byte{0, 1, 2, 255}[i/16/8*2+i%16/8]; c != want {
			t.Fatalf("pixel %d is %d, want %d", i, c, want)
		}
	}
	for _, bad := range []struct {
		at   Window
		w, h int
	}{{Window{W: 2000, H: 1}, 1, 1}, {Window{W: 1, H: 1}, 0, 1}, {Window{W: 1, H: 1}, 5000, 1}} {
		if _, err := s.ReadClassesScaled(bad.at, bad.w, bad.h); err == nil {
			t.Errorf("%+v is read", bad)
		}
	}
}

// tileOver is the map tile of a level over a place, and where in it the place lies, in pixels of 256.
func tileOver(lon, lat float64, z int) (m MapTile, x, y int) {
	n := math.Exp2(float64(z))
	u := (lon + 180) / 360 * n
	v := (1 - math.Asinh(math.Tan(lat*math.Pi/180))/math.Pi) / 2 * n
	return MapTile{z, int(u), int(v)}, int((u - math.Floor(u)) * 256), int((v - math.Floor(v)) * 256)
}

func TestAMapTileHasEachPixelsClassAtItsPlace(t *testing.T) {
	const side = 1024
	s, g := quartered(t, side)
	for _, z := range []int{9, 11, 13, 15, 18} {
		for n, want := range []byte{0, 1, 2, 255} {
			col, row := side/4+n%2*side/2, side/4+n/2*side/2
			ring, err := Footprint(g, Window{X: col, Y: row, W: 1, H: 1})
			if err != nil {
				t.Fatal(err)
			}
			m, x, y := tileOver(ring[0][0], ring[0][1], z)
			class, found, err := s.ReadClassesMap(m, 256, 7)
			if err != nil || !found {
				t.Fatalf("level %d: %v %v", z, found, err)
			}
			if got := class[y*256+x]; got != want {
				t.Errorf("level %d: class %d in the middle of quarter %d, want %d", z, got, n, want)
			}
		}
	}
}

func TestAMapTileIsEmptyWhereTheSceneIsNot(t *testing.T) {
	s, _ := quartered(t, 512)
	if _, found, err := s.ReadClassesMap(MapTile{8, 3, 3}, 256, 0); found || err != nil {
		t.Errorf("%v %v", found, err)
	}
	m, _, _ := tileOver(7.5, 48.2, 12)
	class, found, err := s.ReadClassesMap(MapTile{0, 0, 0}, 256, 7)
	if err != nil {
		t.Fatal(err)
	}
	if found && strings.Count(string(class), "\x07") < 256*256-64 {
		t.Error("a scene of five kilometres fills the world")
	}
	for _, bad := range []MapTile{{-1, 0, 0}, {MaxZoom + 1, 0, 0}, {2, 4, 0}, {2, 0, -1}} {
		if _, _, err := s.ReadClassesMap(bad, 256, 0); err == nil {
			t.Errorf("%+v is drawn", bad)
		}
	}
	if _, _, err := s.ReadClassesMap(m, 250, 0); err == nil {
		t.Error("an odd size is drawn")
	}
	s.Close()
	if _, _, err := s.ReadClassesMap(m, 256, 0); err == nil {
		t.Error("a closed scene is drawn")
	}
}
