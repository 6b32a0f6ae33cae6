package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/model/modeltest"
)

func TestWhatNoEngineMayReadIsToldFromTheFile(t *testing.T) {
	says := map[string]string{
		"a loop of 2^62 turns": "turns 4611686018427387904 times", "200,000 x 200,000": "makes [200000 200000]", "an operator of a library": `"evil.ops", which no engine here has`,
		"branches 40 deep": "more than 16 deep", "weights that are not there": "has weights for 0 of", "weights that are there in part": "has weights for 16 of 4000",
		"a negative shape": "has the shape [-5]", "a function that calls itself": "calls itself", "a context of another engine's file": "of another format",
	}
	for name, data := range modeltest.SeenInTheFile("/etc/passwd") {
		want := says[name]
		if want == "" {
			want = "in a second file"
		}
		if err := CheckSafe(data); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "models add") {
			t.Errorf("%s: %v, want %q and nothing of a command that refuses it too", name, err, want)
		}
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: read: %v, want %q", name, err, want)
		}
	}
}

func TestHonestFilesPass(t *testing.T) {
	files, _ := filepath.Glob("../infer/testdata/*.onnx")
	carried, _ := filepath.Glob("../../models/*/1/model.onnx")
	files = append(files, carried...)
	for _, home := range []string{os.Getenv("CANVAS_ASSETS"), os.Getenv("CANVAS_HOME")} {
		if home != "" {
			more, _ := filepath.Glob(filepath.Join(home, "models", "*.onnx"))
			versions, _ := filepath.Glob(filepath.Join(home, "models", "*", "*", "model.onnx"))
			files = append(append(files, more...), versions...)
		}
	}
	for _, path := range files {
		if _, _, err := Read(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for name, data := range modeltest.SeenOnTrial() {
		if err := CheckSafe(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckSafe(modeltest.Honest()); err != nil || len(files) < 7 {
		t.Error(err, files)
	}
}

func FuzzCheckSafe(f *testing.F) {
	for _, data := range modeltest.SeenInTheFile("/etc/passwd") {
		f.Add(data)
	}
	f.Add(modeltest.Honest())
	f.Add(tiny(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := CheckSafe(data); err != nil && !errors.Is(err, ErrUnsafe) && !errors.Is(err, ErrBroken) {
			t.Errorf("neither broken nor unsafe: %v", err)
		}
		ParseSignature(data)
	})
}
