package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

const mediaJSON, mediaJPEG = "application/json", "image/jpeg"

// parcel is what was found in a frame, and whom to tell once it is handed over.
type parcel struct {
	findings []Finding
	done     func()
}

// send puts what is pending on its way.
func (c *Camera) send(ctx context.Context, parcels chan<- parcel, done func()) {
	if len(c.pending) == 0 && done == nil {
		return
	}
	select {
	case parcels <- parcel{c.pending, done}:
		c.pending = nil // its new owner's
	case <-ctx.Done():
	}
}

// deliver hands parcels to out, all that wait at once.
func deliver(ctx context.Context, parcels <-chan parcel, out func(context.Context, []Finding) error) error {
	var findings []Finding
	var done []func()
	for p := range parcels {
		findings, done = append(findings[:0], p.findings...), append(done[:0], p.done)
		for more := true; more; {
			select {
			case p, ok := <-parcels:
				findings, done = append(findings, p.findings...), append(done, p.done)
				more = ok
			default:
				more = false
			}
		}
		if len(findings) > 0 {
			if err := out(ctx, findings); err != nil {
				return err
			}
		}
		for _, d := range done {
			if d != nil {
				d()
			}
		}
		clear(findings)
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
func (l *life) moment() moment { return moment{l.seen, l.trace} }

// add makes a finding of data.
func (c *Camera) add(kind event.Kind, subject string, p event.Priority, of moment, value float64, media string, data []byte) {
	c.pending = append(c.pending, Finding{Kind: kind, Stream: c.name, Subject: subject, Time: of.at, Priority: p, Value: value,
		Attrs: event.Attrs{Model: c.model.Name, ModelVersion: c.model.Version, TraceParent: of.trace}, Type: media, Data: data})
}

// json makes a finding of a value; one that cannot be told in JSON (a box that is not a number) is
// told in the log, and false is returned.
func (c *Camera) json(kind event.Kind, subject string, p event.Priority, of moment, value any) bool {
	data, err := json.Marshal(value)
	if err != nil {
		c.log.Error("a finding is lost", "kind", kind, "subject", subject, telemetry.Err, err)
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
		c.log.Error("detections are lost", telemetry.Err, err)
		return
	}
	c.add(event.Result, c.name, event.Normal, of, 1, mediaJSON, data)
}

// alert tells of an activity's first object.
func (c *Camera) alert(l *life) {
	c.raised.Add(1)
	c.json(event.Alert, c.name+"/"+l.id, event.Urgent, l.moment(), Alert{Camera: c.name, Label: l.Label, Track: l.id,
		Score: l.Box.Score, Box: bbox(l.Box), Frame: int(l.Frame), Time: l.seen.UTC()})
}

// tell tells of tracks, and shows an object when it is new (on the device) and when it is gone.
func (c *Camera) tell(events []event.TrackEvent) {
	for i, e := range events {
		l := c.tracker.whose[i]
		over := e.Type == event.TrackEnd
		var jpeg []byte
		if over || e.Type == event.TrackNew && c.observe != nil {
			jpeg = c.picture(l)
		}
		if over && jpeg != nil {
			e.After.SecondLook = c.config.Second.of(l, jpeg)
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
		if jpeg != nil {
			c.show(l, jpeg, over, e.After.SecondLook)
		}
	}
}

// picture is the object as it was seen best, nil where it never was.
func (c *Camera) picture(l *life) []byte {
	if l.view.image.W == 0 {
		return nil
	}
	jpeg, err := c.encode(l.view.image, c.config.Snapshot.Quality)
	if err != nil {
		c.log.Warn("an object has no picture", "track", l.id, telemetry.Err, err)
		return nil
	}
	return jpeg
}

// show shows the picture on the device, and sends it when the object is gone: to people, or to a
// larger model first.
func (c *Camera) show(l *life, jpeg []byte, over bool, asked *event.SecondLook) {
	if c.observe != nil {
		c.observe.Pictured(c.name, l.Label, jpeg)
	}
	if !over {
		return
	}
	c.add(event.Crop, c.name+"/"+l.id, event.Normal, l.moment(), float64(min(l.Top, 1)), mediaJPEG, jpeg)
	if asked != nil {
		f := &c.pending[len(c.pending)-1]
		f.Attrs = event.Attrs{Want: asked.Want, TraceParent: f.Attrs.TraceParent}
	}
}
