package detect

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// TestUncertainObjectsGoToALargerModelAndSureOnesToPeople follows two objects through a video, of
// which one is never seen well.
func TestUncertainObjectsGoToALargerModelAndSureOnesToPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := network(func(n int) ([]vision.Box, error) {
			return []vision.Box{person(float32(n), 20, 0.9), person(60, 40, 0.5)}, nil
		})
		c := DefaultConfig()
		c.Second.Below = 0.7
		c.Snapshot.MinSide = 10
		_, found := watch(t, c, net, 20, nil)
		asked := map[string]*event.SecondLook{}
		for _, f := range of(event.Track, found) {
			var e event.TrackEvent
			if err := json.Unmarshal(f.Data, &e); err != nil {
				t.Fatal(err)
			}
			if e.Type != event.TrackEnd && e.After.SecondLook != nil {
				t.Errorf("a living track asks: %s", f.Data)
			}
			if e.Type == event.TrackEnd {
				asked["gate/"+e.After.ID] = e.After.SecondLook
				if unsure := e.After.TopScore < 0.7; unsure != (e.After.SecondLook != nil) {
					t.Errorf("%s", f.Data)
				}
			}
		}
		crops := of(event.Crop, found)
		if len(crops) != 2 || len(asked) != 2 {
			t.Fatalf("%d pictures of %d objects", len(crops), len(asked))
		}
		for _, f := range crops {
			look := asked[f.Subject]
			if look == nil && (f.Attrs.Want != "" || f.Attrs.Model != "m") {
				t.Errorf("a sure one: %+v", f.Attrs)
			}
			if look != nil && (f.Attrs != event.Attrs{Want: "detect"} || look.Box[0] < 0 || look.Box[2] != 20) {
				t.Errorf("an unsure one: %+v, %+v", f.Attrs, look)
			}
		}
	})
}

func TestASecondLookNeedsAPicture(t *testing.T) {
	c := DefaultConfig()
	c.Second, c.Snapshot.Off = SecondLook{Below: 1.5, Pictures: -1, Every: -time.Second, Want: "segment"}, true
	var fields []string
	c.Problems(func(field, _, _ string) { fields = append(fields, field) })
	if len(fields) != 5 {
		t.Errorf("%v", fields)
	}
}
