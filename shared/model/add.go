package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudcanvas/shared/durable"
)

// ErrNoManifest says that a file has no manifest beside it and is none of the project's.
var ErrNoManifest = errors.New("there is no manifest for it")

// OpenFile reads one .onnx file with the manifest beside it (<name>.yaml), or that of the project that names
// its sha256.
func OpenFile(path string) (Model, error) {
	known, err := Known()
	if err != nil {
		return Model{}, err
	}
	beside := strings.TrimSuffix(path, filepath.Ext(path)) + ".yaml"
	if _, err := os.Stat(beside); errors.Is(err, fs.ErrNotExist) {
		sum, err := Sum(path)
		if err != nil {
			return Model{}, err
		}
		if !slices.ContainsFunc(known, func(k Model) bool { return k.SHA256 == sum }) {
			return Model{}, fmt.Errorf("%s: %w", path, ErrNoManifest)
		}
	}
	var r Repository
	r.addBare(path, known)
	if len(r.models) == 0 {
		return Model{}, errors.Join(r.problems...)
	}
	return r.models[0], nil
}

// With is the repository and a model more, which comes before others of its name.
func (r *Repository) With(m Model) *Repository {
	without := slices.DeleteFunc(slices.Clone(r.models), func(have Model) bool { return have.Name == m.Name && have.Version == m.Version })
	return &Repository{models: append([]Model{m}, without...), problems: r.problems}
}

// Add writes a recognised model into a repository: <dir>/<name>/model.yaml and 1/model.onnx, the manifest
// last, so that a model is there whole or not at all. A model of that name that is there already is left
// alone, and an error.
func Add(dir string, g Guess) (Model, error) {
	home := filepath.Join(dir, g.Name)
	if _, err := os.Stat(filepath.Join(home, "model.yaml")); err == nil {
		return Model{}, fmt.Errorf("%s: a model of that name is there already; choose another with --name, or remove the folder", home)
	}
	manifest, err := g.YAML()
	if err != nil {
		return Model{}, err
	}
	if _, err := parse("model.yaml", manifest, ""); err != nil {
		return Model{}, fmt.Errorf("the manifest for %s: %w", g.Path, err)
	}
	data, err := os.ReadFile(g.Path)
	if err == nil {
		err = g.VerifyBytes(data)
	}
	if err != nil {
		return Model{}, fmt.Errorf("model file: %w", err)
	}
	if err := durable.MkdirAll(filepath.Join(home, "1"), 0o755); err != nil {
		return Model{}, fmt.Errorf("model repository: %w", err)
	}
	m := g.Model
	m.Path = filepath.Join(home, "1", "model.onnx")
	err = durable.WriteFile(m.Path, data, 0o644)
	if err == nil {
		err = durable.WriteFile(filepath.Join(home, "model.yaml"), manifest, 0o644)
	}
	if err != nil {
		return Model{}, fmt.Errorf("model repository: %w", err)
	}
	return m, nil
}
