package native

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/cloud/worker"
)

// textPipeline finds lines of text and reads each.
var textPipeline = worker.Pipeline{Name: "text", Want: "text", Steps: []worker.Step{{Model: "ppocr_v4_det"}, {Model: "ppocr_v4_rec", Most: 64, Accept: 0.5}}}

func TestWordsOfAPictureAreFoundAndReadTheSlantedOnesToo(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "words.png"))
	if err != nil {
		t.Fatal(err)
	}
	w := newScene(t, worker.Config{Pipelines: []worker.Pipeline{textPipeline}})
	found, _ := w.see("text", "image/png", data)
	var words []string
	for _, f := range found.Pipeline.Findings {
		for _, l := range f.Looks {
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
