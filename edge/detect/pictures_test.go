package detect

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/track"
	"cloudcanvas/shared/vision"
)

// asked are the numbers of the frames whose batches say that a second look was asked for, and those of
// which a picture went.
func asked(t *testing.T, found []Draft) (said, sent []int) {
	t.Helper()
	for _, f := range found {
		switch f.Kind {
		case event.Result:
			for _, frame := range detections(t, f).Frames {
				if frame.SecondLook != nil {
					said = append(said, frame.Frame)
				}
			}
		case event.Frame:
			sent = append(sent, int(f.Time.Sub(at(0))/(at(1).Sub(at(0)))))
			if (f.Attrs != event.Attrs{Want: "detect"}) || f.Priority != event.Normal || string(f.Data) != "jpeg" || !(f.Value > 0 && f.Value <= 1) {
				t.Errorf("%+v", f)
			}
		}
	}
	return said, sent
}

// TestPicturesThatAreWorthTheirBytesGoToTheCloudAndTheirBatchSaysSo lets every third frame be in doubt
// of four bytes of JPEG.
func TestPicturesThatAreWorthTheirBytesGoToTheCloudAndTheirBatchSaysSo(t *testing.T) {
	doubtful := network(func(n int) ([]vision.Box, error) {
		if n%3 == 0 {
			return []vision.Box{person(60, 40, 0.5)}, nil
		}
		return []vision.Box{person(60, 40, 0.99)}, nil
	})
	step := at(1).Sub(at(0))
	for name, c := range map[string]struct {
		from  float64
		every time.Duration
		want  []int
	}{
		"off":                  {0, -1, nil},
		"a set of images":      {0.25 * 1024 / 4, -1, []int{0, 3, 6, 9}},
		"what is nearly sure":  {0.0098 * 1024 / 4, -1, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		"more than is there":   {0.26 * 1024 / 4, -1, nil},
		"a camera with a rest": {0.25 * 1024 / 4, 4 * step, []int{0, 6}},
	} {
		synctest.Test(t, func(t *testing.T) {
			config := DefaultConfig()
			config.Second.Pictures, config.Second.Every = c.from, c.every
			_, found := watch(t, config, doubtful, 12, nil)
			said, sent := asked(t, found)
			if !slices.Equal(said, c.want) || !slices.Equal(sent, c.want) {
				t.Errorf("%s: batches say %v, %v were sent, want %v", name, said, sent, c.want)
			}
		})
	}
}

func TestNoPictureGoesWhileTheOneBeforeItWaits(t *testing.T) {
	w := wholeFrames{config: SecondLook{Pictures: 1, Every: 10 * time.Second}}
	waiting := true
	w.waits = func(key string) bool { return waiting && key == "look/1" }
	if !w.due(at(0)) {
		t.Error("the first waits for nobody")
	}
	w.key, w.asked, w.evaluated = "look/1", at(0), at(0)
	later := at(0).Add(11 * time.Second)
	if w.due(later) {
		t.Error("the link has not taken the first")
	}
	if waiting = false; w.due(at(0).Add(9*time.Second)) || !w.due(later.Add(evaluateEvery)) {
		t.Error("it is gone: the next after ten seconds")
	}
	if !w.due(at(0).Add(-time.Hour)) {
		t.Error("a clock that is put back must hold up nothing")
	}
	w.evaluated = later
	if w.due(later.Add(evaluateEvery/2)) || !w.due(later.Add(evaluateEvery)) {
		t.Error("frames are encoded once a second, not each of them")
	}
}

func TestExpectedWrongDecisionsAreThoseOfCoins(t *testing.T) {
	boxes := []vision.Box{{Score: 0.5}, {Score: 0.9}, {Score: 1}, {Score: 0}, {Score: 1.2}}
	if got := ExpectedWrong(boxes); math.Abs(got-0.34) > 1e-6 {
		t.Error(got)
	}
	if got := PerKiB(0.34, 2048); math.Abs(got-0.17) > 1e-9 || PerKiB(1, 0) != 1024 {
		t.Error(got)
	}
}

// TestAnObjectsPictureGoesWhereItIsWorthItsBytes asks about crops of four bytes by their price.
func TestAnObjectsPictureGoesWhereItIsWorthItsBytes(t *testing.T) {
	picture := []byte("jpeg")
	for name, c := range map[string]struct {
		second SecondLook
		top    float32
		asks   bool
	}{
		"none":                  {SecondLook{}, 0.5, false},
		"below the score":       {SecondLook{Below: 0.6}, 0.5, true},
		"above it":              {SecondLook{Below: 0.6}, 0.7, false},
		"worth its bytes":       {SecondLook{Crops: 64}, 0.5, true},
		"too sure for them":     {SecondLook{Crops: 64}, 0.7, false},
		"dear, but below score": {SecondLook{Crops: 64, Below: 0.8}, 0.7, true},
	} {
		l := &object{Object: &track.Object{Top: c.top}}
		if got := c.second.of(l, picture) != nil; got != c.asks {
			t.Errorf("%s: %v", name, got)
		}
	}
}
