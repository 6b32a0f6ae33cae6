package anomaly

import (
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/soak"
	"cloudcanvas/shared/vision"
)

// backboneAsset is a detector's file, of which only the features are used.
func backboneAsset(t testing.TB, name string) model.Model {
	t.Helper()
	dir := os.Getenv("CANVAS_ASSETS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "assets")
	}
	dir = filepath.Join(dir, "models")
	if _, err := os.Stat(filepath.Join(dir, name+".onnx")); err != nil {
		t.Skipf("%v; set CANVAS_ASSETS to the assets folder", err)
	}
	r, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// part is a picture of a washer on cloth, a little different each time; defect draws a scratch or a
// stain on it and says where.
func part(seed uint64, defect string) (im vision.Image, where vision.Box) {
	r := rand.New(rand.NewPCG(seed, 7))
	const side = 320
	im = vision.Image{W: side, H: side, Pix: make([]byte, side*side*3)}
	cx, cy, light := 160+r.Float64()*8-4, 160+r.Float64()*8-4, 0.95+0.1*r.Float64()
	for y := range side {
		for x := range side {
			d := math.Hypot(float64(x)-cx, float64(y)-cy)
			v := 70 + 10*math.Sin(float64(x)/3)*math.Sin(float64(y)/3)
			if d > 50 && d < 110 {
				v = 170 + 15*math.Sin(d/4)
			}
			v = v*light + 4*r.NormFloat64()
			for c := range 3 {
				im.Pix[(y*side+x)*3+c] = byte(max(0, min(255, v+float64(3*c))))
			}
		}
	}
	angle := 2 * math.Pi * r.Float64()
	x0, y0 := cx+80*math.Cos(angle), cy+80*math.Sin(angle)
	for i := range 60 {
		for j := range 5 {
			x, y := int(x0)+i/2-15, int(y0)+j
			switch defect {
			case "scratch":
				y += i/3 - 10
			case "stain":
				x, y = int(x0)+i%12-6, int(y0)+(i/12)*5+j-12
			default:
				continue
			}
			if x < 0 || y < 0 || x >= side || y >= side {
				continue
			}
			for c := range 3 {
				im.Pix[(y*side+x)*3+c] = byte(40 + 20*c)
			}
		}
	}
	return im, vision.Box{X: float32(x0) - 15, Y: float32(y0) - 12, W: 30, H: 24}
}

func learned(t testing.TB, backbone string) (Learned, model.Model) {
	t.Helper()
	pictures, bank := 16, 60 // the race detector sees every value of every distance
	if soak.Asked() {
		pictures, bank = 24, 200
	}
	l, err := Learn(t.Context(), Options{Backbone: backboneAsset(t, backbone), Pictures: pictures, Threads: 2, Seed: 1, Log: slog.New(slog.DiscardHandler), Bank: bank,
		Picture: func(n int) (vision.Image, error) { im, _ := part(uint64(n), ""); return im, nil }})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m, err := l.Write(dir, "washers")
	if err != nil {
		t.Fatal(err)
	}
	return l, m
}

func TestDefectsThatWereNeverSeenAreFoundWhereTheyAre(t *testing.T) {
	_, m := learned(t, "yolox_nano")
	for _, engine := range []string{infer.ORTCPU, infer.OpenCVCPU} {
		t.Run(engine, func(t *testing.T) {
			n, report, err := infer.Open(t.Context(), m, engine, infer.Layout{Sessions: 1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			if report.Golden != "match" {
				t.Errorf("golden case: %s", report.Golden)
			}
			for _, defect := range []string{"", "scratch", "stain"} {
				right := 0
				for seed := range uint64(10) {
					im, where := part(1000+seed, defect)
					out, err := n.Run(t.Context(), []vision.Image{im})
					if err != nil {
						t.Fatal(err)
					}
					found := len(out[0].Boxes) > 0 && float64(out[0].Boxes[0].Score) >= m.Output.Report
					if found == (defect != "") && (!found || overlaps(out[0].Boxes[0], where)) {
						right++
					}
				}
				if right < 9 {
					t.Errorf("%q: %d of 10 right", defect, right)
				}
			}
		})
	}
}

func overlaps(a, b vision.Box) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}
