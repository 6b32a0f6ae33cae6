package native

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/config"
)

// pack is the worker's part of a pack's cloud.yaml.
func pack(t *testing.T, name string) worker.Config {
	t.Helper()
	file := filepath.Join("..", "..", "..", "firmware-configs", "packs", name, "cloud.yaml")
	settings := struct {
		Models struct {
			Folders []string `yaml:"folders"`
		} `yaml:"models"`
		Worker worker.Config `yaml:"worker"`
	}{Worker: worker.DefaultConfig()}
	if err := config.Load(file, &settings, nil); err != nil {
		t.Fatal(err)
	}
	return settings.Worker
}

func TestWordsOfAPictureAreFoundAndReadTheSlantedOnesToo(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "words.png"))
	if err != nil {
		t.Fatal(err)
	}
	w := newScene(t, pack(t, "text"))
	found, _ := w.see("text", "image/png", data)
	var words []string
	for _, f := range found.Pipeline.Findings {
		for _, l := range f.Inspections {
			if l.Accepted {
				words = append(words, strings.ReplaceAll(l.Text, " ", "")) // this reader seldom sees a space
			}
		}
	}
	slices.Sort(words)
	if want := []string{"CANVAS", "HARBOUR27", "gateopen"}; !slices.Equal(words, want) {
		t.Errorf("read %q, want %q: %+v", words, want, found.Pipeline)
	}
}
