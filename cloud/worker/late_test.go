package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

var noon = time.Unix(1_700_000_000, 0).UTC() // when tile and frame are made

func TestAnItemIsLateByItsOwnWordOrByItsAgeWhicheverIsSooner(t *testing.T) {
	for _, c := range []struct {
		name           string
		expires        time.Duration // after noon; 0: not said
		workers, route time.Duration
		timeless       bool
		want           time.Duration // 0: never
	}{
		{"nothing said", 0, 0, 0, false, 0},
		{"its own", time.Minute, 0, 0, false, time.Minute},
		{"by age", 0, time.Hour, 0, false, time.Hour},
		{"the pipeline's bound goes first", 0, time.Hour, time.Second, false, time.Second},
		{"its own is sooner", time.Minute, time.Hour, 0, false, time.Minute},
		{"its age is sooner", time.Hour, time.Minute, 0, false, time.Minute},
		{"without a time it has no age", 0, time.Minute, 0, true, 0},
	} {
		item := event.Item{Time: noon}
		if c.timeless {
			item.Time = time.Time{}
		}
		if c.expires > 0 {
			item.Attrs.Expires = noon.Add(c.expires)
		}
		w := &Worker{cfg: Config{MaxAge: c.workers}}
		want := time.Time{}
		if c.want > 0 {
			want = noon.Add(c.want)
		}
		if got := w.deadline(&item, &Route{maxAge: c.route}); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

func TestLateItemsAreDoneAndSaidToBeLate(t *testing.T) {
	w := newWorld()
	for n := range 2 {
		item := tile(n, "")
		item.Attrs.Expires = noon.Add(time.Duration(n) * time.Hour)
		w.put(0, item)
	}
	made := w.worker(t, Config{}, Fixed{0})
	made.now = func() time.Time { return noon.Add(time.Minute) }
	start(t, made)
	w.until(t, "both are done", func() bool { return w.offsets[0] == 2 })
	if len(w.results) != 2 || !w.results[0].Attrs.Late || w.results[1].Attrs.Late || w.results[0].Type != "image/png" {
		t.Errorf("%d results: %+v and %+v", len(w.results), w.results[0].Attrs, w.results[1].Attrs)
	}
}

func TestLateItemsThatAreSkippedSaySoInAResultAndAreCounted(t *testing.T) {
	s := newStudio(map[string]fakeModel{
		"small": {colour(GivesBoxes), func(vision.Image) (vision.Output, error) { return vision.Output{}, errors.New("it was looked at") }},
		"large": {Needs{Version: "3", Gives: GivesBoxes}, twoCars},
	})
	in := frame(0)
	s.put(0, in)
	cfg := Config{Late: LateSkip, Pipelines: []Pipeline{{Name: "cars", Want: "detect", MaxAge: time.Minute, Steps: []Step{{Model: "small"}, {Model: "large"}}}}}
	made := s.worker(t, cfg)
	made.now = func() time.Time { return noon.Add(time.Hour) }
	stop := start(t, made)
	s.until(t, "it is done", func() bool { return s.offsets[0] == 1 })
	stop() // the counting comes after the commit
	f := s.found(t, 0)
	if !f.Late || !f.Skipped || !f.Deadline.Equal(noon.Add(time.Minute)) || f.Pipeline != nil || len(s.deadLetters) != 0 {
		t.Errorf("%+v", f)
	}
	if r := s.results[0]; r.ID != event.ResultID(in.ID, "cars", "1+3") || !r.Attrs.Late || r.Check() != nil {
		t.Errorf("%+v: the id is that of the work undone", r)
	}
	if late := testutil.ToFloat64(made.metrics.late.WithLabelValues("cars")); late != 1 {
		t.Errorf("%v late items are counted", late)
	}
}
