package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
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

// TestAModelSeesItsOwnQualityAndPeopleTheirs follows two objects of which one is unsure, and a frame; the
// encoder's JPEG is its quality.
func TestAModelSeesItsOwnQualityAndPeopleTheirs(t *testing.T) {
	net := network(func(n int) ([]vision.Box, error) {
		return []vision.Box{person(float32(n), 20, 0.9), person(60, 40, 0.5)}, nil
	})
	for name, q := range map[string]struct{ people, model, set int }{"by default": {85, 75, 0}, "as configured": {85, 40, 40}} {
		c := DefaultConfig()
		c.Second = SecondLook{Below: 0.7, Pictures: 1e-9, Quality: q.set}
		encode := func(_ vision.Image, quality int) ([]byte, error) { return []byte{byte(quality)}, nil }
		shown := &shownPictures{}
		camera := NewCamera("gate", c, net, Model{Name: "m"}, encode, shown, quiet)
		frames := make(chan Frame, 21)
		for i := range int64(20) {
			frames <- picture(i, 100)
		}
		frames <- Frame{Number: 20, At: at(20), Last: true}
		sent := map[string][]byte{}
		err := camera.Run(t.Context(), frames, func(_ context.Context, found []Draft) error {
			for _, d := range found {
				if d.Type == mediaJPEG {
					sent[string(d.Kind)+" "+d.Attrs.Want] = append(sent[string(d.Kind)+" "+d.Attrs.Want], d.Data...)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		model, people := byte(q.model), byte(q.people)
		want := map[string][]byte{"crop ": {people}, "crop detect": {model}, "frame detect": {model}}
		if !reflect.DeepEqual(sent, want) {
			t.Errorf("%s: sent %v, not %v", name, sent, want)
		}
		if !bytes.Equal(shown.jpegs, []byte{people, people, people, people}) { // two that are new, two that are gone
			t.Errorf("%s: on the device %v", name, shown.jpegs)
		}
	}
}

// shownPictures keeps the pictures that the device's broker would show.
type shownPictures struct {
	hears
	jpegs []byte
}

func (s *shownPictures) Pictured(_, _ string, jpeg []byte) { s.jpegs = append(s.jpegs, jpeg...) }

func TestASecondLookNeedsAPicture(t *testing.T) {
	c := DefaultConfig()
	c.Second, c.Snapshot.Off = SecondLook{Below: 1.5, Pictures: -1, Every: -time.Second, Want: "segment"}, true
	var fields []string
	c.Problems(func(field, _, _ string) { fields = append(fields, field) })
	if len(fields) != 5 {
		t.Errorf("%v", fields)
	}
}
