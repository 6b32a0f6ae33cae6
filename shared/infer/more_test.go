package infer

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cloudcanvas/shared/onnx"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/model/modeltest"
	"cloudcanvas/shared/vision"
)

// recognised is what a file of the given outputs shows in a white picture, without a manifest.
func recognised(t *testing.T, e exported) (model.Guess, []vision.Box) {
	t.Helper()
	g, err := Recognise(t.Context(), onDisk(t, e), t.TempDir(), nil, Layout{Sessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	written, err := g.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := model.Parse("model.yaml", written)
	if err != nil {
		t.Fatalf("%v in\n%s", err, written)
	}
	g.Manifest = again // by way of its manifest
	return g, seen(t, g.Model)
}

func closeTo(t *testing.T, what string, got [][2]float32, want ...[2]float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if math.Abs(float64(got[i][0]-want[i][0])) > 0.01 || math.Abs(float64(got[i][1]-want[i][1])) > 0.01 {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestTurnedBoxesHaveTheirCornersAndTheirEnvelope(t *testing.T) {
	up := float32(math.Pi / 2)
	raw := modeltest.Given{Name: "output0", Dims: []int64{1, 7, 2100}, Values: across(2100, 7, 32, 24, 40, 8, 0, 0.9, up)}
	final := modeltest.Given{Name: "output0", Dims: []int64{1, 300, 7}, Values: []float32{32, 24, 40, 8, 0.9, 1, up}}
	for name, e := range map[string]exported{
		"raw":   {outputs: []modeltest.Given{raw}, says: with("task", "obb")},
		"final": {outputs: []modeltest.Given{final}, says: with("task", "obb", "end2end", "True")},
	} {
		g, found := recognised(t, e)
		if !g.Output.Angle || len(found) != 1 {
			t.Fatalf("%s: %s, %+v", name, g.Output.Words(), found)
		}
		b := found[0]
		closeTo(t, name, b.Corners, [2]float32{36, 4}, [2]float32{36, 44}, [2]float32{28, 44}, [2]float32{28, 4})
		closeTo(t, name, [][2]float32{{b.X, b.Y}, {b.W, b.H}}, [2]float32{28, 4}, [2]float32{8, 40})
		if b.Label != "dog" {
			t.Errorf("%s: %q", name, b.Label)
		}
	}
}

func TestTurnedBoxesAreSuppressedByHowTheyLie(t *testing.T) {
	rows := []float32{
		32, 32, 40, 8, 0.9, 0, 0,
		32, 32, 40, 8, 0.8, 0, 0.02, // nearly the first
		32, 32, 40, 8, 0.7, 0, math.Pi / 2, // across it, though it has the same middle
		32, 32, 40, 8, 0.6, 1, 0, // of another class
	}
	b := boxes{spec: model.Output{Decoder: "end2end", Labels: []string{"a", "b"}, Angle: true, NMSIoU: 0.7}, table: table{rows, 4, 7, 1}}
	for i := range 4 {
		b.found = append(b.found, vision.Box{Score: rows[7*i+4], Class: int(rows[7*i+5])})
		b.rows = append(b.rows, i)
	}
	if got := b.pickTurned(nil); !slices.Equal(got, []int{0, 2, 3}) {
		t.Errorf("stays %v", got)
	}
	// As Ultralytics' batch_probiou says of these.
	if p := spreadOf(0, 0, 4, 2, 0).like(spreadOf(1, 0, 4, 2, 0.5)); math.Abs(p-0.6020) > 1e-3 {
		t.Errorf("alike by %.4f", p)
	}
}

func TestKeyPointsAreTold(t *testing.T) {
	raw := modeltest.Given{Name: "output0", Dims: []int64{1, 12, 2100}, Values: across(2100, 12, 32, 24, 32, 32, 0, 0.9, 20, 10, 0.75, 90, 30, 0.25)}
	g, found := recognised(t, exported{outputs: []modeltest.Given{raw}, says: with("task", "pose", "kpt_shape", "[2, 3]")})
	if len(found) != 1 || !slices.Equal(g.Output.Keypoints, []int{2, 3}) {
		t.Fatalf("%+v, %s", found, g.Output.Words())
	}
	want := [][3]float32{{20, 10, 0.75}, {64, 30, 0.25}} // cut at the picture's border, as the box is
	if !slices.Equal(found[0].Keypoints, want) {
		t.Errorf("%v, want %v", found[0].Keypoints, want)
	}
}

func TestAMaskIsToldAsItsOutlineInTheBox(t *testing.T) {
	const side, coefficients = 16, 32
	proto := make([]float32, coefficients*side*side)
	for y := range side {
		for x := range side {
			if proto[y*side+x] = -1; x >= 8 { // the right half of the input
				proto[y*side+x] = 1
			}
		}
	}
	out := []modeltest.Given{
		{Name: "output0", Dims: []int64{1, 38, 2100}, Values: across(2100, 38, 32, 24, 32, 32, 0, 0.9, 2)},
		{Name: "output1", Dims: []int64{1, coefficients, side, side}, Values: proto},
	}
	g, found := recognised(t, exported{outputs: out, says: with("task", "segment")})
	if len(found) != 1 || !g.Output.Masks || len(found[0].Outline) != 1 {
		t.Fatalf("%+v, %s", found, g.Output.Words())
	}
	closeTo(t, "outline", found[0].Outline[0], [2]float32{48, 8}, [2]float32{48, 40}, [2]float32{32, 40}, [2]float32{32, 8})
}

func TestBordersGoAroundPartsAndNotAroundHoles(t *testing.T) {
	const w = 7
	picture := "" +
		"####..." +
		"#..#..." +
		"####.##" +
		".....##"
	inside := make([]bool, len(picture))
	for i, c := range picture {
		inside[i] = c == '#'
	}
	loops := borders(inside, w, len(picture)/w)
	var areas []float64
	for _, l := range loops {
		areas = append(areas, area(l))
	}
	if !slices.Equal(areas, []float64{12, 4}) {
		t.Errorf("areas %v of %v", areas, loops)
	}
	if n := len(thinned([]point{{0, 0}, {1, 0.1}, {2, 0}, {2, 2}, {0, 2}}, 0.5)); n != 4 {
		t.Errorf("%d points are left", n)
	}
}

func TestAQueryMaySaySeveralClasses(t *testing.T) {
	for name, c := range map[string]struct {
		activation string
		want       int
	}{"each for itself": {"logits", 2}, "one of all": {"softmax", 1}} {
		b := &boxes{spec: model.Output{Decoder: "detr", Labels: []string{"a", "b"}, Boxes: model.BoxCentre, Unit: model.UnitShares, Activation: c.activation, ScoreFloor: 0.3, NMSIoU: 1}, read: readDETR}
		out := []tensor{{"pred_boxes", []int{1, 2, 4}, []float32{0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.2, 0.2}}, {"logits", []int{1, 2, 2}, []float32{2, 1, -9, -9}}}
		if c.activation == "softmax" {
			out[1].data = []float32{2, 1, -9, -30}
			b.spec.ScoreFloor = 0.999999 // of the second query alone
		}
		got, err := b.decode(out, 0, 1, geometry{w: 64, h: 64, iw: 64, ih: 64, sx: 1, sy: 1}, nil)
		if err != nil || len(got.Boxes) != c.want {
			t.Errorf("%s: %d boxes, want %d, %v", name, len(got.Boxes), c.want, err)
		}
	}
}

// halves is a network of a fixed batch of four.
type halves struct{ bound int }

func (s *halves) bind(n, h, w int) ([]float32, error) {
	s.bound = n
	return make([]float32, n*h*w), nil
}
func (s *halves) forward() ([]tensor, error) {
	return []tensor{{"a", []int{4, 2}, []float32{0, 1, 2, 3, 4, 5, 6, 7}}, {"all", []int{9, 1}, make([]float32, 9)}}, nil
}
func (s *halves) close() {}

func TestAFixedBatchIsFilledAndWhatIsTooManyIsLeftOut(t *testing.T) {
	inner := &halves{}
	s := filledSession{session: inner, batch: 4}
	in, err := s.bind(3, 5, 5)
	if err != nil || len(in) != 75 || inner.bound != 4 {
		t.Fatalf("%d values, bound %d, %v", len(in), inner.bound, err)
	}
	out, err := s.forward()
	if err != nil || !slices.Equal(out[0].shape, []int{3, 2}) || len(out[0].data) != 6 || len(out[1].data) != 9 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := s.bind(5, 5, 5); err == nil {
		t.Error("five images fit into four")
	}
}

func TestPicturesAreScaledAsPILDoes(t *testing.T) {
	im := vision.Image{W: 10, H: 6, Pix: make([]byte, 180)}
	for i := range im.Pix {
		im.Pix[i] = byte(i)
	}
	g := geometry{w: 4, h: 3, rw: 4, rh: 3, sx: 0.4, sy: 0.5}
	out := antialiased(&im, g)
	var got []byte
	for i := 0; i < len(out.Pix); i += 3 {
		got = append(got, out.Pix[i])
	}
	want := []byte{24, 31, 38, 45, 78, 85, 92, 99, 132, 139, 146, 153}
	if !slices.Equal(got, want) {
		t.Errorf("%v, PIL says %v", got, want)
	}
}

func TestAFileInEightBitsIsRunByTheEngineThatRoundsAsItSays(t *testing.T) {
	plain, err := readFile(model.Model{Manifest: quantisedManifest(t), Path: onDisk(t, exports()["YOLOv8"]), Version: "1"})
	if err != nil || plain.quantised || plain.asTheFileSays(OVCPU) != nil {
		t.Fatalf("a file of floats: %v, %v", plain, err)
	}
	data, sig, err := onnx.Read(plain.model.Path)
	if err == nil {
		data, err = onnx.Extend(data, sig.Outputs, onnx.Node{Op: "QuantizeLinear", Inputs: []string{"output0", "scale"}, Outputs: []string{"q"}})
	}
	path := filepath.Join(t.TempDir(), "eight.onnx")
	if err = errors.Join(err, os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	eight, err := readFile(model.Model{Manifest: quantisedManifest(t), Path: path, Version: "1"})
	if err != nil || !eight.quantised || eight.asTheFileSays(ORTCPU) != nil || !errors.Is(eight.asTheFileSays(OVCPU), ErrUnavailable) {
		t.Errorf("a file of 8 bits: %v", err)
	}
}

func quantisedManifest(t *testing.T) model.Manifest {
	m, err := model.Parse("best.yaml", []byte("name: best\ntask: detect\ninput: {colour: rgb, size: [64, 64]}\noutput: {labels: [cat, dog], decoder: ultralytics}"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
