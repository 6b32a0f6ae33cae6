package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// Int8 is int8.json: which convolutions of a file may be computed in 8 bits, and what is known about
// the network that comes of it. `canvas-edge models quantise` writes it.
type Int8 struct {
	SHA256    string     `json:"sha256"` // of the weights that it belongs to
	Agreement Agreement  `json:"agreement"`
	Golden    Golden     `json:"golden"` // what the rewritten network gave; engines are held to it
	Made      string     `json:"made_with"`
	Convs     []Int8Conv `json:"convolutions"`
}

// Agreement is how alike the network in 8 bits and in float were on pictures that did not calibrate it.
type Agreement struct {
	Measure  string  `json:"measure"` // what is counted
	Asked    float64 `json:"asked"`   // the least that was asked of each picture
	Mean     float64 `json:"mean"`
	Worst    float64 `json:"worst"`
	Pictures int     `json:"pictures"`
	Learned  int     `json:"calibrated_on"` // other pictures, which gave the ranges
}

// Int8Conv is one convolution, known by the name of its output tensor.
type Int8Conv struct {
	Output string    `json:"output"`
	In     Int8Range `json:"in"`              // of its input, divided by Equal
	Out    Int8Range `json:"out"`             // of what normalisation and activation make of its output
	Equal  []float32 `json:"equal,omitempty"` // the input's channels are divided by it, the weights multiplied
}

// Int8Range is the least and the largest value that 8 bits tell apart; 0 lies between them.
type Int8Range [2]float32

// Affine is the range as a scale and a zero point of uint8: value = scale * (number - zero).
func (r Int8Range) Affine() (scale float32, zero uint8) {
	scale = (r[1] - r[0]) / 255
	return scale, uint8(min(max(math.RoundToEven(float64(-r[0]/scale)), 0), 255))
}

func (r Int8Range) ok() bool {
	return r[0] <= 0 && r[1] >= 0 && r[1]-r[0] >= 1e-20 && r[1]-r[0] <= math.MaxFloat32/2
}

const int8File = "int8.json"

// ParseInt8 reads int8.json and checks that it can be used without further care.
func ParseInt8(data []byte) (*Int8, error) {
	if len(data) > maxGolden {
		return nil, fmt.Errorf("is over %d bytes", maxGolden)
	}
	var q Int8
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, err
	}
	if !hashForm.MatchString(q.SHA256) || len(q.Convs) == 0 {
		return nil, errors.New("needs the sha256 of the weights and at least one convolution")
	}
	if err := q.Golden.check(); err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	seen := map[string]bool{}
	for _, c := range q.Convs {
		if c.Output == "" || seen[c.Output] || !c.In.ok() || !c.Out.ok() {
			return nil, fmt.Errorf("convolution %q is named twice, or its ranges %v and %v do not hold 0", c.Output, c.In, c.Out)
		}
		seen[c.Output] = true
		for _, e := range c.Equal {
			if !(e >= 1e-12 && e <= 1e12) {
				return nil, fmt.Errorf("convolution %q equalises by %g", c.Output, e)
			}
		}
	}
	return &q, nil
}

// Int8Path is where the model's int8.json lies: beside its model.yaml, or as <name>.int8.json beside a
// bare file.
func (m Model) Int8Path() string {
	dir := filepath.Dir(m.Path)
	if filepath.Base(m.Path) == "model.onnx" && filepath.Base(dir) == m.Version {
		return filepath.Join(filepath.Dir(dir), int8File)
	}
	return filepath.Join(dir, m.Name+"."+int8File)
}

// findInt8 takes the model's int8.json, else the project's own for these weights. One that can't be
// read is a problem of the repository; the model runs without it.
func (r *Repository) findInt8(m *Model, known []Model) {
	path := m.Int8Path()
	var err error
	if m.Int8, err = readInt8(os.DirFS(filepath.Dir(path)), filepath.Base(path)); err != nil {
		r.addProblem(fmt.Errorf("%s: %w; make it again (canvas-edge models quantise) or remove it", path, err))
	}
	for _, k := range known {
		if m.Int8 == nil && m.SHA256 != "" && k.SHA256 == m.SHA256 {
			m.Int8 = k.Int8
		}
	}
}

// Encode is int8.json.
func (q Int8) Encode() ([]byte, error) {
	data, err := json.Marshal(q)
	return append(data, '\n'), err
}

// readInt8 reads the file beside a manifest; nil where there is none.
func readInt8(dir fs.FS, name string) (*Int8, error) {
	data, err := fs.ReadFile(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return ParseInt8(data)
}
