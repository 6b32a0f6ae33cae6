package infer

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/shared/model"
)

func TestAnEngineThatWonBeforeIsTriedAlone(t *testing.T) {
	m := known(t, "yunet_n_320")
	l := Layout{Sessions: 1, Remember: t.TempDir()}
	first := opened(t, m, l)
	if !first.Remembered.IsZero() || len(first.Trials) != len(Engines()) {
		t.Fatalf("the first start remembers %v and tried %d engines", first.Remembered, len(first.Trials))
	}
	second := opened(t, m, l)
	if second.Remembered.IsZero() || second.Engine != first.Engine || second.Golden != first.Golden || len(second.Trials) != len(first.Trials) {
		t.Errorf("the second start says %+v, the first said %+v", second, first)
	}
	l.Threads = 2
	if other := opened(t, m, l); !other.Remembered.IsZero() {
		t.Error("another layout is told from memory")
	}
}

func TestWhatIsRememberedIsDoubted(t *testing.T) {
	m := known(t, "yunet_n_320")
	for name, spoil := range map[string]func(path string, past memory){
		"too old":                func(path string, past memory) { past.At = past.At.Add(-trialsLast - time.Hour); remember(path, past) },
		"from the future":        func(path string, past memory) { past.At = past.At.Add(time.Hour); remember(path, past) },
		"an engine that is gone": func(path string, past memory) { past.Engine = ORTCUDA; remember(path, past) },
		"torn":                   func(path string, _ memory) { os.WriteFile(path, []byte(`{"engine":"onnx`), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			l := Layout{Sessions: 1, Remember: t.TempDir()}
			opened(t, m, l)
			files, err := filepath.Glob(filepath.Join(l.Remember, "*.json"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			past, ok := recall(files[0])
			if !ok {
				t.Fatal("what was just written can't be read")
			}
			spoil(files[0], past)
			if r := opened(t, m, l); !r.Remembered.IsZero() || len(r.Trials) != len(Engines()) {
				t.Errorf("it was believed: %+v", r)
			}
		})
	}
}

// opened opens m, closes it again and gives the report.
func opened(t *testing.T, m model.Model, l Layout) Report {
	t.Helper()
	n, r, err := Open(context.Background(), m, Auto, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	return r
}
