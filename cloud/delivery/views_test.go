package delivery

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

const grid = "EPSG:32632 10 0 0 -10 0 0 blue"

// echo answers each question with the number it has.
type echo struct{}

func (echo) Answer(_ context.Context, edge string, want event.WantedViews, send func(event.DownViews) error) error {
	return send(event.DownViews{System: want.System, List: edge, After: want.After, Done: true, Last: true})
}

func TestAQuestionForViewsIsAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	asks := func(edge string, after uint64, asked int64, bytes int64) {
		t.Helper()
		payload, err := json.Marshal(event.Status{Status: event.Online, Edge: edge, Epoch: "e",
			References: []event.WantedViews{{System: grid, After: after, Bytes: bytes, Asked: time.Unix(asked, 0)}}})
		if err != nil {
			t.Fatal(err)
		}
		w.post.handle(mqtt.Message{Topic: event.StatusTopic(edge), Payload: payload})
	}
	next := func(edge string, after uint64) {
		t.Helper()
		select {
		case m := <-w.post.sent:
			d, err := event.ParseDownViews(m.Payload)
			if err != nil || m.Retained || m.Topic != event.DownTopic(edge, event.DownReferences) || d.After != after || d.List != edge {
				t.Fatalf("%+v %v", m, err)
			}
		case <-time.After(time.Minute):
			t.Fatal("nothing was sent")
		}
	}
	// What another edge is answered afterwards shows that nothing was sent before.
	silent := func(asked int64) {
		t.Helper()
		asks("other", 9, asked, 5)
		next("other", 9)
	}
	asks("mast-1", 1, 10, 5)
	next("mast-1", 1)
	asks("mast-1", 1, 10, 5) // the status says it again with other news
	silent(1)
	asks("mast-1", 2, 10, 0) // nothing is asked for
	silent(2)
	asks("mast-1", 3, 11, 5)
	next("mast-1", 3)
	asks("mast-1", 3, 12, 5) // the answer was lost
	next("mast-1", 3)
	if left := len(w.post.sent); left != 0 {
		t.Errorf("%d answers more than questions", left)
	}
}
