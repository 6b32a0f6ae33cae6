package anomaly

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/model"
)

// report is the score from which a place is a defect: a tenth farther than good pictures went.
const report = 0.55

// written is the manifest of what was learned: the fields of model.Manifest that it needs.
type written struct {
	Name        string        `yaml:"name"`
	Task        model.Task    `yaml:"task"`
	Description string        `yaml:"description"`
	Source      string        `yaml:"source"`
	Licence     string        `yaml:"licence,omitempty"`
	SHA256      string        `yaml:"sha256"`
	Input       writtenInput  `yaml:"input"`
	Output      writtenOutput `yaml:"output"`
}

type writtenInput struct {
	Colour string    `yaml:"colour"`
	Size   []int     `yaml:"size,flow"`
	Scale  float64   `yaml:"scale"`
	Mean   []float64 `yaml:"mean,flow"`
	Std    []float64 `yaml:"std,flow"`
	Fit    model.Fit `yaml:"fit"`
	Pad    float64   `yaml:"pad,omitempty"`
}

type writtenOutput struct {
	Decoder string   `yaml:"decoder"`
	Labels  []string `yaml:"labels,flow"`
	Report  float64  `yaml:"report"`
}

// Write puts the network into a model repository, with a golden case of its own. The folder appears
// whole or not at all; one that is there already is left alone.
func (l Learned) Write(repository, name string) (model.Model, error) {
	dir := filepath.Join(repository, name)
	if _, err := os.Lstat(dir); err == nil {
		return model.Model{}, fmt.Errorf("%s is there already: what was learned from other pictures is another model; give it another name, or remove the folder", dir)
	}
	sum := sha256.Sum256(l.ONNX)
	m := written{Name: name, Task: model.Detect, Source: "learned from good pictures with the features of " + l.Backbone.Name, Licence: l.Backbone.Licence,
		Description: fmt.Sprintf("how far a picture is from %d good ones; 0.5 is as far as they are from each other", l.Pictures),
		SHA256:      hex.EncodeToString(sum[:]),
		Input:       writtenInput{l.Input.Colour, l.Input.Size, l.Input.Scale, l.Input.Mean, l.Input.Std, l.Input.Fit, l.Input.Pad},
		Output:      writtenOutput{"anomaly", []string{"defect"}, report}}
	manifest, err := yaml.Marshal(m)
	if err != nil {
		return model.Model{}, err
	}
	checked, err := model.Parse("model.yaml", manifest)
	if err != nil {
		return model.Model{}, fmt.Errorf("the manifest of what was learned: %w", err)
	}
	golden, err := l.golden(checked)
	if err != nil {
		return model.Model{}, err
	}
	if err := os.MkdirAll(repository, 0o755); err != nil {
		return model.Model{}, err
	}
	part, err := os.MkdirTemp(repository, ".learned-")
	if err != nil {
		return model.Model{}, err
	}
	defer os.RemoveAll(part)
	err = errors.Join(os.Chmod(part, 0o755), os.Mkdir(filepath.Join(part, "1"), 0o755))
	for file, data := range map[string][]byte{"model.yaml": manifest, "golden.json": golden, "1/model.onnx": l.ONNX} {
		err = errors.Join(err, os.WriteFile(filepath.Join(part, file), data, 0o644))
	}
	if err != nil {
		return model.Model{}, err
	}
	if err = errors.Join(durable.SyncTree(part), durable.Rename(part, dir)); err != nil {
		return model.Model{}, err
	}
	r, err := model.Open(repository)
	if err != nil {
		return model.Model{}, err
	}
	return r.Find(name)
}

// golden is what the engine that learned gives for the formula's input: it holds other engines, and
// this one after an update, to that.
func (l Learned) golden(m model.Manifest) ([]byte, error) {
	raw, err := openFile(model.Model{Manifest: m}, l.ONNX, 1, l.runtime)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	in := model.GoldenInput{Shape: []int{1, l.Input.Channels(), l.Input.Size[1], l.Input.Size[0]}, Layout: "nchw"}
	for c := range l.Input.Channels() {
		scale, offset := l.Input.Affine(c)
		in.Low, in.High = min(in.Low, float32(offset)), max(in.High, float32(255*scale+offset))
	}
	out, err := raw.Golden(in)
	if err != nil {
		return nil, err
	}
	o := model.GoldenOutput{Name: out[0].Name, Shape: out[0].Shape}
	for at := 0; at < len(out[0].Data); at += max(len(out[0].Data)/64, 1) {
		o.At, o.Values = append(o.At, at), append(o.Values, out[0].Data[at])
	}
	return json.Marshal(model.Golden{Input: in, Outputs: []model.GoldenOutput{o}, Made: "canvas-edge models learn, ONNX Runtime",
		Tolerance: model.Tolerance{Abs: 1e-3, Share: 2e-3}, Half: model.Tolerance{Abs: 0.05, Share: 0.05}})
}
