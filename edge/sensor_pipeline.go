package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/rules"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// recorder is what the sensors' pipeline needs of the outbox.
type recorder interface {
	// Record commits drafts and marks, all or nothing. Where there is no room the least valuable is dropped.
	Record(ctx context.Context, drafts []draft, marks []outbox.Mark) error
	// Marks are those that were recorded under names that begin so.
	Marks(prefix string) ([]outbox.Mark, error)
}

// sensorPipeline takes readings by their rules into the outbox. Once it runs it is used by one goroutine.
type sensorPipeline struct {
	buffer   recorder
	rules    *rules.Set
	requests *captureRequests
	log      *slog.Logger
	probe    *telemetry.Probe
	newest   map[string]string // key of the item that a newer reading takes back, by sensor and group
	seen     *seenMessages
	numbers  *brokerNumbers
	repeated func(n int) // is called for readings that had become items before
}

func newSensorPipeline(b recorder, set []rules.Rule, r *captureRequests, log *slog.Logger) *sensorPipeline {
	return &sensorPipeline{buffer: b, rules: rules.New(set), requests: r, log: log, probe: new(telemetry.Probe), newest: map[string]string{},
		seen: newSeenMessages(), numbers: &brokerNumbers{log: log}, repeated: func(int) {}}
}

const (
	// windowsEvery is how often windows are looked at that no further reading has ended.
	windowsEvery = time.Second
	// closing is how long the windows that a stop cuts short may take to be committed.
	closing = 5 * time.Second
)

// readingSource gives readings as they come; a nil from emit says that all they became is safe.
type readingSource func(ctx context.Context, emit func(context.Context, []capture.ReceivedReading) error) error

// batch is readings that came together, and who waits for them to be safe.
type batch struct {
	said []capture.ReceivedReading
	safe chan error
}

// run takes a source's readings until it ends; what has gathered by then is committed.
func (p *sensorPipeline) run(ctx context.Context, source readingSource) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	found, err := p.resume()
	if err != nil {
		return err
	}
	// What is under way at a stop is still committed: after the next start nothing could tell it from what was not.
	steady, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(closing, cut) })()
	if err := p.commit(steady, withoutMessage(found), nil); err != nil {
		return err
	}
	batches, ended := make(chan batch), make(chan error, 1)
	go func() {
		ended <- source(ctx, func(ctx context.Context, said []capture.ReceivedReading) error {
			b := batch{said, make(chan error, 1)}
			select {
			case batches <- b:
				return <-b.safe
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		close(batches)
	}()
	tick := time.NewTicker(windowsEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case b, ok := <-batches:
			if !ok {
				if err := p.commit(steady, withoutMessage(p.rules.Close(time.Now())), nil); err != nil {
					return err
				}
				return <-ended
			}
			err = p.take(steady, b.said)
			b.safe <- err
		case now := <-tick.C:
			err = p.commit(steady, withoutMessage(p.rules.Due(now)), nil)
		}
		if err != nil {
			stop(err)
			for b := range batches { // until the source has ended
				b.safe <- err
			}
			return <-ended
		}
	}
}

// take makes of readings what the rules say, and commits it together with a note of their messages:
// those that the broker sends again become nothing more.
func (p *sensorPipeline) take(ctx context.Context, said []capture.ReceivedReading) error {
	var found []readingOutput
	var marks []outbox.Mark
	repeated := 0
	for _, s := range said {
		if !s.Again && s.Packet != 0 {
			p.numbers.take(s.Packet)
		}
		if p.seen.contains(s) {
			repeated++
			continue
		}
		for _, f := range p.rules.Take(s.Stream, s.At, s.Reading) {
			found = append(found, readingOutput{f, s})
		}
		if m, ok := p.seen.note(s); ok {
			marks = append(marks, m)
		}
	}
	if repeated > 0 {
		p.repeated(repeated)
	}
	return p.commit(ctx, found, marks)
}

// commit makes items of what the rules gave, and requests the pictures that they ask for. Windows that have not ended
// are kept with them, so that a reading that is in one is safe too.
func (p *sensorPipeline) commit(ctx context.Context, found []readingOutput, marks []outbox.Mark) error {
	marks = append(marks, windowMarks(p.rules.Changed())...)
	if len(found) == 0 && len(marks) == 0 {
		return nil
	}
	defer p.probe.Work()()
	drafts := make([]draft, len(found))
	for i, f := range found {
		d, err := p.draft(f.Output)
		if err != nil {
			return fmt.Errorf("encode what the rules made of sensor %s: %w", f.Sensor, err)
		}
		if d.ID = f.id(); !d.ID.IsZero() {
			d.Attrs.Redelivered = f.of.Again
		}
		drafts[i] = d
		for _, source := range f.Capture {
			key := fmt.Sprintf("sensor/%s/%s/%s/%d/%s", f.Sensor, f.Alert.Value, f.Alert.Side, f.Alert.Time.UnixNano(), source)
			if !p.requests.add(source, key, time.Now()) {
				p.log.Warn("a sensor's alert asks for a picture, but there is no such source, or too many pictures of it are requested already", "sensor", f.Sensor, telemetry.Stream, source)
			}
		}
	}
	defer p.probe.Wait()()
	return p.buffer.Record(ctx, drafts, marks)
}

func (p *sensorPipeline) draft(f rules.Output) (draft, error) {
	d := draft{Draft: outbox.Draft{Kind: event.Reading, Stream: f.Sensor, Subject: f.Sensor, Priority: event.Normal, Value: 0.5, Type: "application/json"}}
	var err error
	if f.Alert == nil {
		d.Time = f.Reading.Time
		d.Data, err = json.Marshal(f.Reading)
		if f.Newest != "" {
			group := f.Sensor + " " + f.Newest
			d.Key = fmt.Sprintf("reading/%s/%d", group, d.Time.UnixNano())
			d.supersedes = p.newest[group]
			if p.newest[group] = d.Key; d.supersedes == d.Key {
				d.Key, d.supersedes = "", "" // twice in one moment: both are sent
			}
		}
		return d, err
	}
	d.Kind, d.Subject, d.Time = event.Alert, f.Sensor+"/"+f.Alert.Value, f.Alert.Time
	d.Priority, d.Value = event.Urgent, 1
	if f.Alert.State == rules.End {
		d.Priority = event.High
	}
	d.Data, err = json.Marshal(f.Alert)
	return d, err
}
