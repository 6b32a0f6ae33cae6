package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

type traced struct{ looked map[string]bool }

func (n traced) Run(ctx context.Context, _ []vision.Image) ([]vision.Output, error) {
	n.looked[trace.Parent(ctx)] = true
	return []vision.Output{{Boxes: []vision.Box{person(10, 20, 0.5)}}}, nil
}

// TestWhatIsFoundInAFrameBelongsToItsTrace whatever it becomes, also where frames are of one time.
func TestWhatIsFoundInAFrameBelongsToItsTrace(t *testing.T) {
	const frames = 300
	c := DefaultConfig()
	c.InFlight, c.Second.Below, c.Second.Pictures, c.Second.Every = 1, 0.7, 0.001, -1
	net := traced{map[string]bool{}}
	_, found := watch(t, c, net, frames, func(f *Frame) { f.At, f.Trace = at(f.Number/2), fmt.Sprint("trace of ", f.Number) })
	if len(net.looked) != frames {
		t.Errorf("the network was given %d traces", len(net.looked))
	}
	kinds := map[event.Kind]int{}
	for _, f := range found {
		number := int64(-1)
		switch f.Kind {
		case event.Frame:
			fmt.Sscanf(f.Subject, "gate/frame-%d", &number)
		case event.Result:
			if d := detections(t, f); !d.End {
				number = int64(d.Last)
			}
		case event.Alert:
			var a Alert
			if err := json.Unmarshal(f.Data, &a); err != nil {
				t.Fatal(err)
			}
			number = int64(a.Frame)
		case event.Track:
			var e event.TrackEvent
			if err := json.Unmarshal(f.Data, &e); err != nil {
				t.Fatal(err)
			}
			number = int64(e.After.Frame)
		case event.Crop:
			number = frames - 1 // the object is there to the end
		}
		want := ""
		if number >= 0 {
			want = fmt.Sprint("trace of ", number)
			kinds[f.Kind]++
		}
		if f.Attrs.TraceParent != want {
			t.Errorf("%s of frame %d: %q", f.Kind, number, f.Attrs.TraceParent)
		}
	}
	if len(kinds) != 5 {
		t.Errorf("%v", kinds)
	}
}
