package worker

import (
	"bytes"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/vision"
)

// twoSteps is a pipeline over pictures of bands.
var twoSteps = []Pipeline{{Name: "cars", Want: "segment", Steps: []Step{{Model: "small"}, {Model: "large"}}}}

// seesOne sees one car, in the whole picture.
func seesOne(im vision.Image) (vision.Output, error) {
	return vision.Output{Boxes: []vision.Box{{W: float32(im.W), H: float32(im.H), Score: 0.9, Label: "car"}}}, nil
}

// between are models of which the second kills its process the first time that it runs anywhere.
func between(mark string) *studio {
	needs := Needs{Version: "1", Gives: GivesBoxes, Bands: []string{"blue", "green", "red"}}
	return newStudio(map[string]fakeModel{"small": {needs, seesOne}, "large": {needs, func(im vision.Image) (vision.Output, error) {
		if f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			f.Close()
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return seesOne(im)
	}}})
}

func TestAWorkerThatLosesItsLeaseBetweenTheStepsLeavesTheSameResultsOnce(t *testing.T) {
	const items = 12
	steps := func(s *studio) map[string][]byte {
		for n := range items {
			s.put(0, frame(n))
		}
		cfg := Config{BatchItems: 4, BatchAge: 10 * time.Second, Pipelines: []Pipeline{{Name: "cars", Want: "detect", Steps: []Step{{Model: "small"}, {Model: "large"}}}}}
		w := s.worker(t, cfg)
		w.pause = newWorld().worker(t, Config{}, Fixed{}).pause
		stop := start(t, w)
		s.until(t, "all are done", func() bool { return s.offsets[0] == items })
		stop()
		data := map[string][]byte{}
		for _, r := range s.results {
			if data[r.ID.String()] != nil {
				t.Errorf("%s came twice", r.Subject)
			}
			data[r.ID.String()] = r.Data
		}
		return data
	}
	want := steps(newStudio(map[string]fakeModel{"small": {colour(GivesBoxes), twoCars}, "large": {colour(GivesBoxes), twoCars}}))

	var once sync.Once
	var s *studio
	s = newStudio(map[string]fakeModel{"small": {colour(GivesBoxes), twoCars}, "large": {colour(GivesBoxes), func(im vision.Image) (vision.Output, error) {
		once.Do(func() {
			s.world.mu.Lock()
			lose := s.lose[LeaseName(0)]
			s.world.mu.Unlock()
			lose()
		})
		return twoCars(im)
	}}})
	got := steps(s)
	if len(got) != items || len(want) != items || s.epoch < 2 {
		t.Fatalf("%d and %d results of %d items, %d leases", len(got), len(want), items, s.epoch)
	}
	for id, data := range want {
		if !bytes.Equal(got[id], data) {
			t.Errorf("%s is %.200q, undisturbed %.200q", id, got[id], data)
		}
	}
}
