package calibrate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/quantise/tiny"
	"cloudcanvas/shared/vision"
)

// network lays a hand-made network into a repository and opens it.
func network(t *testing.T, o tiny.Options) model.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	manifest := "task: segment\ninput: {colour: rgb, size: [32, 32], std: [255]}\noutput: {decoder: dense, activation: logits, labels: [a, b, c]}\n"
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "1"), 0o755), os.WriteFile(filepath.Join(dir, "model.yaml"), []byte(manifest), 0o644),
		os.WriteFile(filepath.Join(dir, "1", "model.onnx"), tiny.Network(o), 0o644)); err != nil {
		t.Fatal(err)
	}
	return again(t, dir)
}

// again opens the model anew, as it lies on disk now.
func again(t *testing.T, dir string) model.Model {
	t.Helper()
	r, err := model.Open(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Find("tiny")
	if err != nil {
		t.Fatal(err, r.Problems())
	}
	return m
}

// picture is a smooth one, another for each n.
func picture(n int) (vision.Image, error) {
	im := vision.Image{W: tiny.Side, H: tiny.Side, Pix: make([]byte, tiny.Side*tiny.Side*3)}
	for i := range im.Pix {
		x, y, c := float64(i/3%tiny.Side), float64(i/3/tiny.Side), float64(i%3)
		im.Pix[i] = byte(127 + 120*math.Sin(x/(2+float64(n%5))+c)*math.Cos(y/(3+float64(n%7))+float64(n)))
	}
	return im, nil
}

func options(m model.Model, agreement float64) Options {
	return Options{Model: m, Pictures: 8, Picture: picture, Agreement: agreement, Threads: 1}
}

func TestANetworkGoesThroughTheQuantiserAndAgreesWithItself(t *testing.T) {
	for name, o := range map[string]tiny.Options{"initialisers": {}, "constants": {Constants: true}, "float16": {Half: true}} {
		t.Run(name, func(t *testing.T) {
			m := network(t, o)
			r, err := Run(context.Background(), options(m, 0.9))
			if err != nil {
				t.Fatal(err)
			}
			var outputs []string
			for _, c := range r.Plan.Convs {
				outputs = append(outputs, c.Output)
			}
			second := "second"
			if o.Half {
				second = "second_norm"
			}
			if !slices.Equal(outputs, []string{"joint", second, "skipped"}) {
				t.Fatalf("in 8 bits are %v; float %+v", outputs, r.Float)
			}
			a := r.Plan.Agreement
			if a.Worst < 0.9 || a.Worst > a.Mean || a.Pictures != 4 || a.Learned != 4 {
				t.Errorf("agreement %+v", a)
			}
			for _, c := range r.Plan.Convs {
				if (c.Output == "joint") != (len(c.Equal) == 48) || c.Output == "joint" && c.Out[1] > 6 {
					t.Errorf("%s: equalises %d channels, gives %v", c.Output, len(c.Equal), c.Out)
				}
			}
			data, err := r.Plan.Encode()
			if err != nil {
				t.Fatal(err)
			}
			twice, err := Run(context.Background(), options(m, 0.9))
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := twice.Plan.Encode(); !bytes.Equal(data, b) {
				t.Error("the second time it is another plan")
			}
			if err := os.WriteFile(m.Int8Path(), data, 0o644); err != nil {
				t.Fatal(err)
			}
			m = again(t, filepath.Dir(m.Int8Path()))
			compare(t, m)
		})
	}
}

// compare runs both engines on a picture that nobody has seen.
func compare(t *testing.T, m model.Model) {
	t.Helper()
	var masks [2]vision.Mask
	for i, engine := range []string{infer.ORTCPU, infer.ORTInt8} {
		n, report, err := infer.Open(context.Background(), m, engine, infer.Layout{Sessions: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		if report.Engine != engine || engine == infer.ORTInt8 && report.Golden != "match" {
			t.Errorf("report %+v", report)
		}
		im, _ := picture(11)
		out, err := n.Run(context.Background(), []vision.Image{im})
		if err != nil {
			t.Fatal(err)
		}
		masks[i] = out[0].Mask
	}
	if same := sameClasses(masks[0].Class, masks[1].Class); same < 0.95 {
		t.Errorf("8 bits agree with float on %.1f %% of the pixels", 100*same)
	}
}

func TestAnAgreementThatIsOutOfReachIsRefused(t *testing.T) {
	o := options(network(t, tiny.Options{}), 1)
	o.Picture = func(n int) (vision.Image, error) { // noise: each pixel near some border
		im, _ := picture(n)
		for i := range im.Pix {
			im.Pix[i] = byte((i*7919 + n*104729) * 2654435761 >> 13)
		}
		return im, nil
	}
	if _, err := Run(context.Background(), o); !errors.Is(err, ErrDisagrees) {
		t.Errorf("got %v", err)
	}
	o.Pictures = 3
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("three pictures: %v", err)
	}
	if _, err := Run(context.Background(), options(network(t, tiny.Options{Opset: 11}), 0.5)); err == nil || !strings.Contains(err.Error(), "operator set") {
		t.Errorf("an old file: %v", err)
	}
}

func TestPlansOfOtherWeightsAreNotTaken(t *testing.T) {
	m := network(t, tiny.Options{})
	if _, _, err := infer.Open(context.Background(), m, infer.ORTInt8, infer.Layout{}, nil); !errors.Is(err, infer.ErrUnavailable) || !strings.Contains(err.Error(), "models quantise tiny") {
		t.Errorf("without int8.json: %v", err)
	}
	r, err := Run(context.Background(), options(m, 0.9))
	if err != nil {
		t.Fatal(err)
	}
	other := sha256.Sum256([]byte("other weights"))
	r.Plan.SHA256 = hex.EncodeToString(other[:])
	m.Int8 = &r.Plan
	if _, _, err := infer.Open(context.Background(), m, infer.ORTInt8, infer.Layout{}, nil); !errors.Is(err, infer.ErrUnavailable) || !strings.Contains(err.Error(), "other weights") {
		t.Errorf("of other weights: %v", err)
	}
	n, report, err := infer.Open(context.Background(), m, infer.Auto, infer.Layout{}, nil)
	if err != nil || report.Engine == infer.ORTInt8 {
		t.Fatalf("auto took %s: %v", report.Engine, err)
	}
	n.Close()
	// The wrong numbers are found by what the network gave where it was made.
	sum := sha256.Sum256(tiny.Network(tiny.Options{}))
	r.Plan.SHA256 = hex.EncodeToString(sum[:])
	for i := range r.Plan.Convs {
		r.Plan.Convs[i].Out[1] *= 0.7
	}
	if _, _, err := infer.Open(context.Background(), m, infer.ORTInt8, infer.Layout{}, nil); !errors.Is(err, infer.ErrDisagrees) {
		t.Errorf("with other ranges: %v", err)
	}
}

func TestDetectionsAgreeWithinAPixelAndAHundredth(t *testing.T) {
	m := model.Manifest{Task: model.Detect}
	box := func(x, score float32, class int) vision.Box {
		return vision.Box{X: x, W: 10, H: 10, Score: score, Class: class}
	}
	for name, c := range map[string]struct {
		a, b []vision.Box
		want float64
	}{
		"the same":         {[]vision.Box{box(1, 0.9, 0)}, []vision.Box{box(1.9, 0.895, 0)}, 1},
		"nothing":          {nil, nil, 1},
		"beside":           {[]vision.Box{box(1, 0.9, 0)}, []vision.Box{box(3, 0.9, 0)}, 0},
		"another class":    {[]vision.Box{box(1, 0.9, 0)}, []vision.Box{box(1, 0.9, 1)}, 0},
		"one more":         {[]vision.Box{box(1, 0.9, 0)}, []vision.Box{box(1, 0.9, 0), box(50, 0.5, 0)}, 1 - 1.0/3},
		"weak ones":        {[]vision.Box{box(1, 0.1, 0)}, nil, 1},
		"about the border": {[]vision.Box{box(1, 0.302, 0)}, []vision.Box{box(1, 0.298, 0)}, 1},
	} {
		if got := alike(m, vision.Output{Boxes: c.a}, vision.Output{Boxes: c.b}); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", name, got, c.want)
		}
	}
}
