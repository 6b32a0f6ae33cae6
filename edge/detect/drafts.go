package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

const mediaJSON, mediaJPEG = "application/json", "image/jpeg"

// delivery is what was found in a frame, and what to call once it is handed over.
type delivery struct {
	drafts []Draft
	done   func()
}

// send puts what is pending on its way.
func (c *Camera) send(ctx context.Context, outgoing chan<- delivery, done func()) {
	if len(c.pending) == 0 && done == nil {
		return
	}
	select {
	case outgoing <- delivery{c.pending, done}:
		c.pending = nil // its new owner's
	case <-ctx.Done():
	}
}

// deliver hands deliveries to out, all that wait at once.
func deliver(ctx context.Context, outgoing <-chan delivery, out func(context.Context, []Draft) error) error {
	var drafts []Draft
	var done []func()
	for p := range outgoing {
		drafts, done = append(drafts[:0], p.drafts...), append(done[:0], p.done)
		for more := true; more; {
			select {
			case p, ok := <-outgoing:
				drafts, done = append(drafts, p.drafts...), append(done, p.done)
				more = ok
			default:
				more = false
			}
		}
		if len(drafts) > 0 {
			if err := out(ctx, drafts); err != nil {
				return err
			}
		}
		for _, d := range done {
			if d != nil {
				d()
			}
		}
		clear(drafts)
		clear(done)
	}
	return nil
}

// moment is a frame by when it was taken, and its trace.
type moment struct {
	at    time.Time
	trace string
}

func (f *Frame) moment() moment { return moment{f.At, f.Trace} }

// moment is when the object was seen last.
func (l *object) moment() moment { return moment{l.seen, l.trace} }

// add makes a draft of data.
func (c *Camera) add(kind event.Kind, subject string, p event.Priority, of moment, value float64, media string, data []byte) {
	c.pending = append(c.pending, Draft{Kind: kind, Stream: c.name, Subject: subject, Time: of.at, Priority: p, Value: value,
		Attrs: event.Attrs{Model: c.model.Name, ModelVersion: c.model.Version, TraceParent: of.trace}, Type: media, Data: data})
}

// json makes a draft of a value; where it has no JSON (a box that is not a number) it is
// lost with an error in the log, and false is returned.
func (c *Camera) json(kind event.Kind, subject string, p event.Priority, of moment, value any) bool {
	data, err := json.Marshal(value)
	if err != nil {
		c.log.Error("an item could not be encoded and is lost", "kind", kind, "subject", subject, telemetry.Err, err)
		return false
	}
	c.add(kind, subject, p, of, 1, mediaJSON, data)
	return true
}

// flush makes a result of the batch.
func (c *Camera) flush() {
	newest := moment{c.batch.data.Frames[len(c.batch.data.Frames)-1].Time, c.batch.trace}
	data, err := c.batch.take()
	c.result(data, err, newest)
}

func (c *Camera) result(data []byte, err error, of moment) {
	if err != nil {
		c.log.Error("a batch of detections could not be encoded and is lost", telemetry.Err, err)
		return
	}
	c.add(event.Result, c.name, event.Normal, of, 1, mediaJSON, data)
}

// Alert is the data of an item of kind alert: something began that a person wants to know of.
type Alert struct {
	Camera string     `json:"camera"`
	Label  string     `json:"label"`
	Track  string     `json:"track"` // the first object of the activity
	Score  float32    `json:"score"` // 0 … 1
	Box    [4]float32 `json:"box"`   // x, y, width, height in pixels of the original frame
	Frame  int        `json:"frame"`
	Time   time.Time  `json:"time"`
}

// alerts raises one alert for each activity: the first object of a label, however many follow it
// and however often one is lost and found, until none was there for the quiet time.
type alerts struct {
	config AlertConfig
	last   map[string]time.Time // an object of the label was there
}

func newAlerts(c AlertConfig) *alerts { return &alerts{config: c, last: map[string]time.Time{}} }

// begins takes one confirmed object in a frame and says whether it is the first of an activity. The
// quiet time is measured by the frames, not by the clock, so that a video gives the same however
// fast it is read.
func (a *alerts) begins(label string, at time.Time) bool {
	if a.config.Off || len(a.config.Labels) > 0 && !slices.Contains(a.config.Labels, label) {
		return false
	}
	last, known := a.last[label]
	if !known || at.After(last) {
		a.last[label] = at
	}
	return !known || at.Sub(last) >= a.config.Quiet
}

// alert reports an activity's first object.
func (c *Camera) alert(l *object) {
	c.raised.Add(1)
	c.json(event.Alert, c.name+"/"+l.id, event.Urgent, l.moment(), Alert{Camera: c.name, Label: l.Label, Track: l.id,
		Score: l.Box.Score, Box: bbox(l.Box), Frame: int(l.Frame), Time: l.seen.UTC()})
}

// addTracks reports tracks, and shows an object when it is new (on the device) and when it is gone.
func (c *Camera) addTracks(events []event.TrackEvent) {
	for i, e := range events {
		l := c.tracker.whose[i]
		var sent []byte // the picture that goes, when the object is gone
		if e.Type == event.TrackEnd {
			sent, e.After.SecondLook = c.lastPicture(l)
		}
		if e.Type == event.TrackNew {
			c.tracks.Add(1)
		}
		if c.json(event.Track, c.name+"/"+l.id, event.High, l.moment(), e) {
			f := &c.pending[len(c.pending)-1]
			f.Key, f.Supersedes = fmt.Sprintf("track/%s/%s/%s-%d", c.name, l.id, e.Type, l.Frame), l.update
			if l.update = ""; e.Type == event.TrackUpdate {
				l.update = f.Key
			}
		}
		if c.observe != nil {
			c.observe.Tracked(e)
		}
		if c.observe != nil && e.Type != event.TrackUpdate {
			c.show(l, sent, e.After.SecondLook)
		}
		if sent != nil {
			c.addPicture(l, sent, e.After.SecondLook)
		}
	}
}

// lastPicture is what is sent of an object that is gone, and what is asked about it: nil where people
// shall see it.
func (c *Camera) lastPicture(l *object) ([]byte, *event.SecondLook) {
	if c.config.Second.objects() {
		if jpeg := c.picture(l, c.config.Second.Quality); jpeg != nil {
			if asked := c.config.Second.of(l, jpeg); asked != nil {
				return jpeg, asked
			}
		}
	}
	return c.picture(l, c.config.Snapshot.Quality), nil
}

// picture is the object as it was seen best, nil where it never was.
func (c *Camera) picture(l *object, quality int) []byte {
	if l.view.image.W == 0 {
		return nil
	}
	jpeg, err := c.encode(l.view.image, quality)
	if err != nil {
		c.log.Warn("the picture of an object could not be encoded; the object goes without one", "track", l.id, telemetry.Err, err)
		return nil
	}
	return jpeg
}

// show shows the object's picture on the device. What is sent is shown where that is for people.
func (c *Camera) show(l *object, sent []byte, asked *event.SecondLook) {
	if sent == nil || asked != nil {
		sent = c.picture(l, c.config.Snapshot.Quality)
	}
	if sent != nil {
		c.observe.Pictured(c.name, l.Label, sent)
	}
}

// addPicture sends the picture of an object that is gone: to people, or to a larger model first.
func (c *Camera) addPicture(l *object, jpeg []byte, asked *event.SecondLook) {
	c.add(event.Crop, c.name+"/"+l.id, event.Normal, l.moment(), float64(min(l.Top, 1)), mediaJPEG, jpeg)
	if asked != nil {
		f := &c.pending[len(c.pending)-1]
		f.Attrs = event.Attrs{Want: asked.Want, TraceParent: f.Attrs.TraceParent}
	}
}
