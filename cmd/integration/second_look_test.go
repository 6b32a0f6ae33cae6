package integration

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// TestUncertainObjectsGetASecondLookInTheCloud lets a device look with fastestdet and ask yolox_nano
// of the cloud about every object that it is not sure of.
func TestUncertainObjectsGetASecondLookInTheCloud(t *testing.T) {
	t.Parallel()
	models := filepath.Dir(asset(t, "models/yolox_nano.onnx"))
	f := newFleet(t, startBrokers(t))
	f.sees(t, models, "models: [{want: detect, model: yolox_nano}]")
	f.cloud(t, "bridge", "bridge-1")
	f.cloud(t, "worker", "worker-1")
	f.cloud(t, "mosaic", "mosaic-1")
	f.device(t, "mast", fmt.Sprintf(`
models: {folders: [%q]}
cameras: [{name: gate, address: %q, detector: fastestdet}]
detect: {second_look: {below: 0.8}}
`, models, clip(t, filepath.Join(f.dir, "gate.avi"), 60)))

	var events []event.TrackEvent
	until(t, 2*time.Minute, "a record of the camera", func() bool { return there(f.products, "gate/events.json") })
	readJSON(t, filepath.Join(f.products, "gate", "events.json"), &events) // published once all had come
	asked, agreed := 0, 0
	for _, e := range events {
		look := e.After.SecondLook
		if e.Type != event.TrackEnd {
			continue
		}
		if unsure := e.After.TopScore < 0.8; unsure != (look != nil) {
			t.Errorf("track %s of score %v: second look %+v", e.After.ID, e.After.TopScore, look)
		}
		if look == nil {
			continue
		}
		asked++
		if v := look.Verdict; v == nil || v.Model != "yolox_nano" || v.Failed != "" {
			t.Errorf("track %s: verdict %+v", e.After.ID, v)
		} else if v.Agrees {
			agreed++
		}
	}
	t.Logf("%d second looks, %d agree", asked, agreed)
	if asked == 0 || agreed == 0 {
		t.Errorf("%d second looks, %d agree: pedestrians at this distance are seen by both", asked, agreed)
	}
}
