package infer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/infer/trial"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/model/modeltest"
)

// stranger is a model that the project does not know.
func stranger(t testing.TB, onnx []byte) model.Model {
	t.Helper()
	repository := t.TempDir()
	modeltest.Write(t, repository, "stranger", "1", onnx)
	r, err := model.Open(repository)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Find("stranger")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// entries are what the ledger says, by engine.
func entries(t testing.TB, dir string) map[string]trial.Entry {
	t.Helper()
	all := map[string]trial.Entry{}
	files, _ := filepath.Glob(filepath.Join(dir, "*.tried"))
	for _, path := range files {
		data, err := os.ReadFile(path)
		var e trial.Entry
		if err == nil {
			err = json.Unmarshal(data, &e)
		}
		if err != nil {
			t.Fatal(err)
		}
		all[e.Engine] = e
	}
	return all
}

func TestAModelThatHangsOrTakesAllMemoryIsRefusedForGood(t *testing.T) {
	for name, onnx := range modeltest.SeenOnTrial() {
		t.Run(name, func(t *testing.T) {
			m := stranger(t, onnx)
			l := Layout{Sessions: 1, Remember: t.TempDir(), TrialTime: time.Second, TrialMemory: 1 << 30}
			_, r, err := Open(t.Context(), m, Auto, l, nil)
			if err == nil {
				t.Fatalf("it was opened: %+v", r)
			}
			refused := 0
			for _, e := range entries(t, l.Remember) {
				if e.Outcome == trial.Refused && e.Reason != "" && e.Model == "stranger" && len(e.SHA256) == 64 {
					refused++
				}
				t.Logf("%s: %s", e.Engine, e.Reason)
			}
			if refused == 0 && name != "160 GB" { // where that is not had at all, engines say so themselves
				t.Errorf("nothing is written down: %+v", entries(t, l.Remember))
			}
			// Were it tried again, it would be for the other bound's sake, and say so.
			l.TrialTime, l.TrialMemory = 1, 1
			_, again, err := Open(t.Context(), m, Auto, l, nil)
			if err == nil {
				t.Fatal("it was opened at the second start")
			}
			known := entries(t, l.Remember)
			for _, trial := range again.Trials {
				if e, ok := known[trial.Engine]; ok && !strings.Contains(trial.Reason, e.Reason) {
					t.Errorf("%s was tried again: %s", trial.Engine, trial.Reason)
				}
			}
		})
	}
}

func TestAModelThatIsNotReadByAnyEngineReachesNone(t *testing.T) {
	for name, onnx := range modeltest.SeenInTheFile("/etc/passwd") {
		l := Layout{Sessions: 1, Remember: t.TempDir()}
		if _, _, err := Open(t.Context(), stranger(t, onnx), Auto, l, nil); err == nil {
			t.Errorf("%s: opened", name)
		}
		if all := entries(t, l.Remember); len(all) > 0 {
			t.Errorf("%s: it was tried: %+v", name, all)
		}
	}
}

func TestAnHonestModelIsTriedOnce(t *testing.T) {
	m := stranger(t, modeltest.Honest())
	l := Layout{Sessions: 1, Remember: t.TempDir()}
	if r := opened(t, m, l); r.Engine == "" {
		t.Fatalf("%+v", r)
	}
	all := entries(t, l.Remember)
	if all[ORTCPU].Outcome != trial.Passed || all[OpenCVCPU].Outcome != trial.Passed {
		t.Fatalf("%+v", all)
	}
	files := func() int {
		all, _ := filepath.Glob(filepath.Join(l.Remember, "*.tried"))
		return len(all)
	}
	tried := files()
	before := all[ORTCPU].At
	for _, engine := range []string{Auto, ORTCPU, OpenCVCPU} {
		n, r, err := Open(t.Context(), m, engine, l, nil)
		if err != nil {
			t.Fatalf("%v: %+v", err, r)
		}
		n.Close()
	}
	if files() != tried || !entries(t, l.Remember)[ORTCPU].At.Equal(before) {
		t.Errorf("it was tried again: %+v", entries(t, l.Remember))
	}
	m.Input.Std = []float64{254} // what goes in is part of what was tried
	n, _, err := Open(t.Context(), m, ORTCPU, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	if files() != tried+1 {
		t.Errorf("%d trials, there were %d", files(), tried)
	}
}

// opencvDies is a file that kills OpenCV's importer; it would not come so far without this test.
func opencvDies(t *testing.T) *file {
	t.Helper()
	m := stranger(t, modeltest.SeenInTheFile("/nowhere")["a constant that is missing"])
	data, err := os.ReadFile(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return &file{model: m, data: data, sum: hex.EncodeToString(sum[:]), inputs: "x", outputs: []string{"y"}, log: slog.New(slog.DiscardHandler)}
}

func TestAnEngineThatCrashesIsSkipped(t *testing.T) {
	f := opencvDies(t)
	l := Layout{Sessions: 1, Remember: t.TempDir()}.withDefaults(OpenCVCPU, 1)
	tr := f.trier(l)
	defer tr.close()
	for range 2 {
		err := tr.admit(t.Context(), OpenCVCPU, l, &Trial{})
		t.Log(err)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "to have it tried again") && !strings.Contains(err.Error(), "read and ran it") {
			t.Fatal(err)
		}
	}
	if e := entries(t, l.Remember)[OpenCVCPU]; e.Outcome != trial.Refused {
		t.Errorf("%+v", e)
	}
	if err := tr.admit(t.Context(), ORTCPU, l, &Trial{}); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("ONNX Runtime tells its own error: %v", err)
	}
}

func TestAStopEndsATrialAndSaysNothingAgainstTheModel(t *testing.T) {
	m := stranger(t, modeltest.SeenOnTrial()["a loop without an end"])
	l := Layout{Sessions: 1, Remember: t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := Open(ctx, m, ORTCPU, l, nil)
		ended <- err
	}()
	for deadline := time.Now().Add(2 * time.Minute); entries(t, l.Remember)[ORTCPU].Outcome != trial.UnderWay; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no trial began")
		}
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not stop")
	}
	if all := entries(t, l.Remember); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func BenchmarkFirstStart(b *testing.B) {
	for name, remember := range map[string]bool{"first": false, "later": true} {
		b.Run(name, func(b *testing.B) {
			m := stranger(b, modeltest.Honest())
			l := Layout{Sessions: 1, Remember: b.TempDir()}
			for b.Loop() {
				if !remember {
					l.Remember = b.TempDir()
				}
				n, _, err := Open(b.Context(), m, ORTCPU, l, nil)
				if err != nil {
					b.Fatal(err)
				}
				n.Close()
			}
		})
	}
}
