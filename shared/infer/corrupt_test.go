package infer

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/model"
)

// broken writes a damaged copy of a model and gives a manifest that does not know its sha256, so
// that the bytes reach the engines.
func broken(t *testing.T, m model.Model, damage func([]byte) []byte) model.Model {
	t.Helper()
	data, err := os.ReadFile(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	m.Path = filepath.Join(t.TempDir(), "model.onnx")
	m.SHA256 = ""
	if err := os.WriteFile(m.Path, damage(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestABrokenModelIsAnErrorInEveryEngine(t *testing.T) {
	m := known(t, "yunet_n_320")
	cases := map[string]func([]byte) []byte{
		"empty":                func([]byte) []byte { return nil },
		"text":                 func([]byte) []byte { return []byte(strings.Repeat("this is no network\n", 500)) },
		"cut in half":          func(d []byte) []byte { return d[:len(d)/2] },
		"cut by a byte":        func(d []byte) []byte { return d[:len(d)-1] },
		"zeros in the middle":  func(d []byte) []byte { clear(d[len(d)/3 : len(d)/2]); return d },
		"a flipped first byte": func(d []byte) []byte { d[0] ^= 0x40; return d },
		"noise": func(d []byte) []byte {
			r := rand.New(rand.NewPCG(1, 2))
			for i := range d {
				d[i] = byte(r.Uint32())
			}
			return d
		},
	}
	for name, damage := range cases {
		b := broken(t, m, damage)
		for _, engine := range append(cpuEngines(), Auto) {
			n, _, err := Open(context.Background(), b, engine, Layout{Sessions: 1}, nil)
			if err == nil {
				n.Close()
				t.Errorf("%s: %s opened it", name, engine)
			}
		}
	}
}

// flips are few in passing, many in a soak.
func flips(few int) int {
	if os.Getenv("CANVAS_SOAK") != "" {
		return 100 * few
	}
	return few
}

// A flipped bit in a weight gives a network that computes something else: the golden case finds it,
// or the engine refuses it; in either case the process lives.
func TestFlippedBitsNeverEndTheProcess(t *testing.T) {
	m := known(t, "yunet_n_320")
	r := rand.New(rand.NewPCG(3, 4))
	for range flips(8) {
		b := broken(t, m, func(d []byte) []byte {
			for range 20 {
				d[r.IntN(len(d))] ^= 1 << r.IntN(8)
			}
			return d
		})
		if n, _, err := Open(context.Background(), b, Auto, Layout{Sessions: 1, TrialTime: 10 * time.Second}, nil); err == nil { // each engine, in one child
			n.Close()
		}
	}
}

// The graph's structure begins and ends the file of most exporters: flips there hit names, types,
// shapes and attributes rather than weights.
func TestFlippedBitsInTheGraphNeverEndTheProcess(t *testing.T) {
	m := known(t, "yunet_n_320")
	r := rand.New(rand.NewPCG(5, 6))
	for range flips(12) {
		b := broken(t, m, func(d []byte) []byte {
			const edge = 12000
			at := r.IntN(edge)
			if r.IntN(2) == 0 {
				at = len(d) - 1 - at
			}
			d[at] ^= 1 << r.IntN(8)
			return d
		})
		if n, _, err := Open(context.Background(), b, Auto, Layout{Sessions: 1, TrialTime: 10 * time.Second}, nil); err == nil { // each engine, in one child
			n.Close()
		}
	}
}

func TestAWrongSha256IsToldBeforeAnythingIsLoaded(t *testing.T) {
	m := known(t, "yunet_n_320")
	b := broken(t, m, func(d []byte) []byte { d[len(d)/2] ^= 1; return d })
	b.SHA256 = m.SHA256
	_, _, err := Open(context.Background(), b, Auto, Layout{}, nil)
	if !errors.Is(err, model.ErrChecksum) || !strings.Contains(err.Error(), "fetch it again") {
		t.Fatalf("got %v", err)
	}
}

func TestAMissingModelFileIsToldWithItsPath(t *testing.T) {
	m := known(t, "yunet_n_320")
	m.Path = filepath.Join(t.TempDir(), "gone.onnx")
	if _, _, err := Open(context.Background(), m, Auto, Layout{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestAManifestThatDoesNotFitTheFileSaysWhatIsWrong(t *testing.T) {
	m := known(t, "yunet_n_320")
	for want, change := range map[string]func(*model.Model){
		"correct size":   func(m *model.Model) { m.Input.Size = []int{640, 640} },
		"output.tensors": func(m *model.Model) { m.Output.Tensors = []string{"nothing"} },
		"no engine":      nil,
	} {
		c, engine := m, Auto
		if change == nil {
			engine = "onnxruntime-tpu"
		} else {
			change(&c)
		}
		if _, _, err := Open(context.Background(), c, engine, Layout{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, should say %q", err, want)
		}
	}
}
