package model

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"cloudcanvas/models"
	"cloudcanvas/shared/durable"
)

// Known are the manifests that the project carries, with their golden cases and without weights.
func Known() ([]Model, error) {
	return knownIn(models.Manifests)
}

func knownIn(all fs.FS) ([]Model, error) {
	entries, err := fs.ReadDir(all, ".")
	if err != nil {
		return nil, fmt.Errorf("the project's manifests: %w", err)
	}
	var known []Model
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir, err := fs.Sub(all, e.Name())
		if err != nil {
			return nil, fmt.Errorf("the project's manifest %s: %w", e.Name(), err)
		}
		m, err := readManifest(dir, "models/"+e.Name()+"/model.yaml", "model.yaml")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if m.Int8, err = readInt8(dir, int8File); err != nil {
			return nil, fmt.Errorf("models/%s/%s: %w", e.Name(), int8File, err)
		}
		m.Version = "1"
		known = append(known, m)
	}
	return known, nil
}

// Install writes a model into a repository as contracts.md lays it out: <dir>/<name>/model.yaml,
// golden.json, int8.json and 1/model.onnx. weights is moved there; what is known of it
// is copied. Each file appears whole or not at all.
func install(dir string, m Model, weights string) (Model, error) {
	home := filepath.Join(dir, m.Name)
	if err := durable.MkdirAll(filepath.Join(home, "1"), 0o755); err != nil {
		return m, fmt.Errorf("model repository: %w", err)
	}
	for _, name := range []string{"model.yaml", m.Manifest.Golden, int8File} {
		data, err := fs.ReadFile(models.Manifests, m.Name+"/"+name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = durable.WriteFile(filepath.Join(home, name), data, 0o644)
		}
		if err != nil {
			return m, fmt.Errorf("model repository: %w", err)
		}
	}
	m.Path, m.Version = filepath.Join(home, "1", "model.onnx"), "1"
	if err := durable.Rename(weights, m.Path); err != nil {
		return m, fmt.Errorf("model repository: %w", err)
	}
	return m, nil
}
