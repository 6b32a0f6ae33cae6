package infer

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

func TestAutoTriesEveryEngineAndSaysWhyItTookOne(t *testing.T) {
	n, r, err := Open(context.Background(), known(t, "yunet_n_320"), Auto, Layout{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if len(r.Trials) != len(Engines()) || r.Golden != goldenMatch || r.Ms <= 0 || r.Device == "" {
		t.Fatalf("report %+v", r)
	}
	for _, trial := range r.Trials {
		if (trial.Reason == "") != (trial.Engine == r.Engine) {
			t.Errorf("%s runs; trial %+v", r.Engine, trial)
		}
		if trial.Golden == goldenMatch && trial.Ms < r.Ms {
			t.Errorf("%s was faster than %s", trial.Engine, r.Engine)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Fatal(err)
	}
}

func TestAnEngineThatDisagreesWithTheGoldenCaseIsNotUsed(t *testing.T) {
	m := known(t, "yunet_n_320")
	golden := *m.Case
	golden.Outputs = append([]model.GoldenOutput(nil), golden.Outputs...)
	golden.Outputs[8].Values = append([]float32(nil), golden.Outputs[8].Values...)
	golden.Outputs[8].Values[3] += 10
	m.Case = &golden
	for _, want := range []string{Auto, ORTCPU, OpenCVCPU} {
		n, r, err := Open(context.Background(), m, want, Layout{}, nil)
		if err == nil {
			n.Close()
		}
		if !errors.Is(err, ErrDisagrees) || !strings.Contains(err.Error(), "bbox_32") {
			t.Errorf("%s: got %v", want, err)
		}
		if last := r.Trials[len(r.Trials)-1]; last.Golden != goldenMismatch || last.Reason == "" {
			t.Errorf("%s: trial %+v", want, last)
		}
	}
}

func TestAGPUEngineWithoutADeviceIsNamedAndNeverRunsOnTheCPU(t *testing.T) {
	if device, ok := cudaDevice(); ok {
		t.Skip("there is a CUDA device: " + device)
	}
	for _, want := range []string{OpenCVCUDA, OpenCVCUDAFP16, ORTCUDA} {
		_, r, err := Open(context.Background(), known(t, "yunet_n_320"), want, Layout{}, nil)
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "CUDA") {
			t.Errorf("%s: got %v", want, err)
		}
		if r.Engine != "" || len(r.Trials) != 1 || r.Trials[0].Reason == "" {
			t.Errorf("%s: report %+v", want, r)
		}
	}
}

func TestOnlyOpenedNetworksReachNativeCode(t *testing.T) {
	var empty gocv.Net
	if handle(&empty) != nil {
		t.Fatal("an empty Net has a handle: GoCV's struct has changed")
	}
	var net gocv.Net
	if err := alone(func() { net, _ = gocv.ReadNetFromONNXBytes([]byte("nothing")) }); err == nil || handle(&net) != nil {
		t.Fatalf("reading nonsense: %v, handle %v", err, handle(&net))
	}
}

func TestTheHOGDetectorFindsPedestriansBehindTheSameRun(t *testing.T) {
	r, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Find("opencv_hog_people")
	if err != nil {
		t.Fatal(err)
	}
	n := open(t, m, Auto, Layout{})
	out, err := n.Run(context.Background(), []vision.Image{shot(t, "vtest.avi:20"), {W: 8, H: 8, Pix: make([]byte, 192)}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out[0].Boxes) < 3 || len(out[1].Boxes) != 0 {
		t.Fatalf("found %+v and %+v", out[0].Boxes, out[1].Boxes)
	}
	for _, b := range out[0].Boxes {
		if b.Label != "person" || b.Score < 0.5 || b.Score > 1 {
			t.Errorf("box %+v", b)
		}
	}
	if _, err := n.Run(context.Background(), []vision.Image{bands(4, 4, "red")}); !errors.Is(err, ErrImage) {
		t.Fatalf("bands: %v", err)
	}
}

func TestEveryLayoutIsMeasured(t *testing.T) {
	rates, err := Layouts(context.Background(), known(t, "yunet_n_320"), ORTCPU, 200*time.Millisecond)
	if err != nil || len(rates) != len(layoutsFor(runtime.GOMAXPROCS(0))) {
		t.Fatal(rates, err)
	}
	for _, r := range rates {
		if r.Rate <= 0 || r.Sessions < 1 || r.Threads < 1 {
			t.Errorf("%+v", r)
		}
	}
	if got := layoutsFor(6); len(got) != 5 || got[0] != (Layout{Sessions: 1, Threads: 1}) || got[4] != (Layout{Sessions: 6, Threads: 1}) {
		t.Fatalf("layouts of 6 cores: %+v", got)
	}
	if got := layoutsFor(1); len(got) != 1 {
		t.Fatalf("layouts of one core: %+v", got)
	}
}

func TestAMissingRuntimeSaysWhereItWasLookedFor(t *testing.T) {
	folders := libraryFolders("")
	if len(folders) < 3 || !strings.Contains(folders[0], ".deps/lib") {
		t.Fatalf("folders %v", folders)
	}
	if got := libraryFolders("/opt/ort"); len(got) != 1 || got[0] != "/opt/ort" {
		t.Fatalf("a configured folder is the only one: %v", got)
	}
}

func TestLayoutMistakesAreAllTold(t *testing.T) {
	var fields []string
	Layout{Sessions: -1, Threads: 1000, MaxBatch: 300, MaxWait: -1, Queue: 1 << 20}.Problems(func(field, message, hint string) {
		fields = append(fields, field)
	})
	if got := strings.Join(fields, " "); got != "sessions threads max_batch max_wait queue" {
		t.Fatalf("told %s", got)
	}
	Layout{}.withDefaults(ORTCPU, 1).Problems(func(field, message, hint string) { t.Errorf("default %s %s", field, message) })
}
