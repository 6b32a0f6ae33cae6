package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// Publisher is the device's own MQTT broker, met by *broker.MQTT.
type Publisher interface {
	Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error
}

// Topics on the device's own broker, as users of Frigate know them.
const (
	AvailableTopic = "canvas/available" // online or offline, retained; also the will of the connection
	StatsTopic     = "canvas/stats"
	EventsTopic    = "canvas/events"
)

const online, offline = "online", "offline"

// Announcer tells programs on the device what happens, as it happens: canvas/events {type, before,
// after}, canvas/<camera>/<label> how many are there (retained), canvas/<camera>/zones/<zone>/<label> how
// many of them are in a zone (retained), canvas/<camera>/<label>/snapshot a JPEG (retained),
// canvas/<camera>/status/camera how a camera is (retained), canvas/stats every few seconds.
//
// Events and statistics are for who listens now: a broker that is away or slow costs messages here, the
// oldest first, never a frame. What is retained outlives the agent, so it is kept true: a later payload
// takes the place of an earlier one that the broker did not take, all is published again on each new connection, and the
// counts are 0 once the agent has stopped, or at the latest when it begins again.
type Announcer struct {
	options  AnnouncerOptions
	retained *retained

	events  chan message
	dropped atomic.Int64
	failing bool // Run's: the broker takes nothing, which is logged already
}

// AnnouncerOptions say where announcements go and what they hold.
type AnnouncerOptions struct {
	To    Publisher
	Stats func() any      // what canvas/stats says, in JSON; nil: nothing is published there
	Every time.Duration   // between two of them; 0: 15 s
	Up    <-chan struct{} // receives at each connection: what is retained is published again. May be nil
	// File remembers which retained topics were published, so that a later run can take them back; empty: none.
	File string
	// Has says whether a camera, and a zone of it where one is named, is still a source, by their names
	// as topics hold them (Level); nil: every one is.
	Has func(camera, zone string) bool
	Log *slog.Logger
}

type message struct {
	topic   string
	payload []byte
}

const announcementTimeout = 5 * time.Second

// NewAnnouncer makes the announcer; it publishes nothing before Run.
func NewAnnouncer(o AnnouncerOptions) *Announcer {
	o.Every = cmp.Or(max(o.Every, 0), 15*time.Second)
	return &Announcer{options: o, retained: restoreRetained(o.File, o.Has, o.Log), events: make(chan message, 256)}
}

// Dropped is how many announcements the broker did not take.
func (a *Announcer) Dropped() int64 { return a.dropped.Load() }

// Tracked announces what became of a track.
func (a *Announcer) Tracked(e event.TrackEvent) {
	if payload, err := json.Marshal(frigate(e)); err == nil {
		a.queue(EventsTopic, payload)
	}
}

// Counted announces how many objects of a label a camera sees.
func (a *Announcer) Counted(camera, label string, objects int) {
	a.retained.set(labelTopic(camera, label), strconv.AppendInt(nil, int64(objects), 10))
}

// CountedIn announces how many objects of a label are in a zone of a camera.
func (a *Announcer) CountedIn(camera, zone, label string, objects int) {
	a.retained.set("canvas/"+Level(camera)+"/zones/"+Level(zone)+"/"+Level(label), strconv.AppendInt(nil, int64(objects), 10))
}

// Pictured announces an object's picture.
func (a *Announcer) Pictured(camera, label string, jpeg []byte) {
	a.retained.set(labelTopic(camera, label)+snapshotLevel, jpeg)
}

// CameraIs announces how a camera is, in JSON.
func (a *Announcer) CameraIs(camera string, state []byte) {
	a.retained.set("canvas/"+Level(camera)+statusLevels, state)
}

// Found takes what the broker still holds of an earlier run, as it comes with a new subscription: a
// count that this run has not set is wrong by now.
func (a *Announcer) Found(topic string, payload []byte) {
	if _, err := strconv.ParseUint(string(payload), 10, 32); err == nil {
		a.retained.found(topic)
	}
}

func labelTopic(camera, label string) string { return "canvas/" + Level(camera) + "/" + Level(label) }

// Level keeps a name within its level of the topic: "traffic light" stays, '/', '+' and '#' go.
func Level(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '/' || r == '+' || r == '#' {
			return '_'
		}
		return r
	}, s)
}

// queue takes what is for now; the oldest goes where there is no room.
func (a *Announcer) queue(topic string, payload []byte) {
	for {
		select {
		case a.events <- message{topic, payload}:
			return
		default:
		}
		select {
		case <-a.events:
			a.dropped.Add(1)
		default:
		}
	}
}

// Run publishes until ctx ends. Close publishes the last messages.
func (a *Announcer) Run(ctx context.Context) error {
	tick := time.NewTicker(a.options.Every)
	defer tick.Stop()
	a.retained.set(AvailableTopic, []byte(online))
	for {
		select {
		case m := <-a.events:
			err := a.publish(ctx, 0, false, m)
			if err != nil {
				a.dropped.Add(1)
			}
			a.logHealth(ctx, err)
		case <-a.retained.due:
			a.logHealth(ctx, a.publishRetained(ctx))
		case <-a.options.Up: // a broker that began anew may have forgotten all
			a.retained.again()
		case <-tick.C:
			a.publishStats()
			a.retained.remind()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// publishRetained publishes what is due, up to the first that the broker does not take: the rest waits for a
// connection, or for the next tick.
func (a *Announcer) publishRetained(ctx context.Context) error {
	a.retained.list()
	for {
		m, ok := a.retained.next()
		if !ok {
			return nil
		}
		if err := a.publish(ctx, 1, true, m); err != nil { // a count that is lost would stay wrong
			return err
		}
		a.retained.confirmed(m)
	}
}

// logHealth logs when the broker begins to take nothing, and when it takes again.
func (a *Announcer) logHealth(ctx context.Context, err error) {
	if ctx.Err() != nil || a.failing == (err != nil) {
		return
	}
	if a.failing = err != nil; a.failing {
		a.options.Log.Warn("the local broker does not take announcements", telemetry.Err, err)
		return
	}
	a.options.Log.Info("the local broker takes announcements again", "dropped", a.Dropped())
	a.retained.again() // what it retained may be gone with it
}

func (a *Announcer) publishStats() {
	if a.options.Stats == nil {
		return
	}
	payload, err := json.Marshal(a.options.Stats())
	if err != nil {
		a.options.Log.Error("the statistics cannot be encoded and are not announced", telemetry.Err, err)
		return
	}
	a.queue(StatsTopic, payload)
}

// Close publishes, once Run and all who announce have ended, that nothing is counted any more and that the
// device is offline. An error says that the broker has not confirmed it: only the will can say it then.
func (a *Announcer) Close() error {
	a.retained.zero()
	a.retained.set(AvailableTopic, []byte(offline))
	ctx, cancel := context.WithTimeout(context.Background(), announcementTimeout)
	defer cancel()
	return a.publishRetained(ctx)
}

func (a *Announcer) publish(ctx context.Context, qos byte, retain bool, m message) error {
	ctx, cancel := context.WithTimeout(ctx, announcementTimeout)
	defer cancel()
	return a.options.To.Publish(ctx, m.topic, qos, retain, m.payload)
}

// frigateEvent is a track's event as it is published on canvas/events. The item of kind track that goes to the
// cloud keeps its own form.
type frigateEvent struct {
	Type   string        `json:"type"`
	Before *frigateTrack `json:"before"`
	After  *frigateTrack `json:"after"`
}

// frigateTrack adds what programs written for Frigate look for: the zones under Frigate's name, and the
// box's corners. box stays x, y, width, height, for programs read it here; Frigate's box is our corners.
type frigateTrack struct {
	event.TrackState
	Corners [4]float32 `json:"box_corners"` // x1, y1, x2, y2 in pixels of the original frame
	Current []string   `json:"current_zones"`
	Entered []string   `json:"entered_zones"` // also where it is empty
}

func frigate(e event.TrackEvent) frigateEvent {
	return frigateEvent{Type: e.Type, Before: frigateState(e.Before), After: frigateState(e.After)}
}

func frigateState(s *event.TrackState) *frigateTrack {
	if s == nil {
		return nil
	}
	x, y, w, h := s.Box[0], s.Box[1], s.Box[2], s.Box[3]
	return &frigateTrack{TrackState: *s, Corners: [4]float32{x, y, x + w, y + h},
		Current: append([]string{}, s.Zones...), Entered: append([]string{}, s.EnteredZones...)}
}
