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
// oldest first, never a frame. What is retained outlives the agent, so it is kept true: a later word
// takes the place of an earlier one that nobody took, all is said again on each new connection, and the
// counts are 0 once the agent has stopped, or at the latest when it begins again.
type Announcer struct {
	options  AnnouncerOptions
	retained *retained

	events  chan message
	dropped atomic.Int64
	silent  bool // Run's: the broker takes nothing, and that was told
}

// AnnouncerOptions say to whom and of what.
type AnnouncerOptions struct {
	To    Publisher
	Stats func() any      // what canvas/stats says, in JSON; nil: nothing is said there
	Every time.Duration   // between two of them; 0: 15 s
	Up    <-chan struct{} // hears of each connection: what is retained is said again. May be nil
	// File remembers which retained topics were said, so that a later life can take them back; empty: none.
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

// NewAnnouncer makes the announcer; it says nothing before Run.
func NewAnnouncer(o AnnouncerOptions) *Announcer {
	o.Every = cmp.Or(max(o.Every, 0), 15*time.Second)
	return &Announcer{options: o, retained: recall(o.File, o.Has, o.Log), events: make(chan message, 256)}
}

// Dropped is how many announcements nobody took.
func (a *Announcer) Dropped() int64 { return a.dropped.Load() }

// Tracked announces what became of a track.
func (a *Announcer) Tracked(e event.TrackEvent) {
	if payload, err := json.Marshal(frigate(e)); err == nil {
		a.say(EventsTopic, payload)
	}
}

// Counted announces how many objects of a label a camera sees.
func (a *Announcer) Counted(camera, label string, objects int) {
	a.retained.say(labelTopic(camera, label), strconv.AppendInt(nil, int64(objects), 10))
}

// CountedIn announces how many objects of a label are in a zone of a camera.
func (a *Announcer) CountedIn(camera, zone, label string, objects int) {
	a.retained.say("canvas/"+Level(camera)+"/zones/"+Level(zone)+"/"+Level(label), strconv.AppendInt(nil, int64(objects), 10))
}

// Pictured announces an object's picture.
func (a *Announcer) Pictured(camera, label string, jpeg []byte) {
	a.retained.say(labelTopic(camera, label)+snapshotLevel, jpeg)
}

// CameraIs announces how a camera is, in JSON.
func (a *Announcer) CameraIs(camera string, state []byte) {
	a.retained.say("canvas/"+Level(camera)+statusLevels, state)
}

// Found takes what the broker still holds of an earlier life, as it comes with a new subscription: a
// count that this life has not said is wrong by now.
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

// say queues what is for now; the oldest goes where there is no room.
func (a *Announcer) say(topic string, payload []byte) {
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

// Run publishes until ctx ends. Close says the last words.
func (a *Announcer) Run(ctx context.Context) error {
	tick := time.NewTicker(a.options.Every)
	defer tick.Stop()
	a.retained.say(AvailableTopic, []byte(online))
	for {
		select {
		case m := <-a.events:
			err := a.publish(ctx, 0, false, m)
			if err != nil {
				a.dropped.Add(1)
			}
			a.heard(ctx, err)
		case <-a.retained.due:
			a.heard(ctx, a.sayRetained(ctx))
		case <-a.options.Up: // a broker that began anew may have forgotten all
			a.retained.again()
		case <-tick.C:
			a.tellStats()
			a.retained.remind()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sayRetained says what is due, up to the first that the broker does not take: the rest waits for a
// connection, or for the next tick.
func (a *Announcer) sayRetained(ctx context.Context) error {
	a.retained.list()
	for {
		m, ok := a.retained.next()
		if !ok {
			return nil
		}
		if err := a.publish(ctx, 1, true, m); err != nil { // a count that is lost would stay wrong
			return err
		}
		a.retained.said(m)
	}
}

// heard tells when the broker begins to take nothing, and when it takes again.
func (a *Announcer) heard(ctx context.Context, err error) {
	if ctx.Err() != nil || a.silent == (err != nil) {
		return
	}
	if a.silent = err != nil; a.silent {
		a.options.Log.Warn("the device's broker does not take announcements", telemetry.Err, err)
		return
	}
	a.options.Log.Info("the device's broker takes announcements again", "dropped", a.Dropped())
	a.retained.again() // what it retained may be gone with it
}

func (a *Announcer) tellStats() {
	if a.options.Stats == nil {
		return
	}
	payload, err := json.Marshal(a.options.Stats())
	if err != nil {
		a.options.Log.Error("statistics cannot be told", telemetry.Err, err)
		return
	}
	a.say(StatsTopic, payload)
}

// Close says, once Run and all who announce have ended, that nothing is counted any more and that the
// device is offline. An error says that the broker has not confirmed it: only the will can tell it then.
func (a *Announcer) Close() error {
	a.retained.zero()
	a.retained.say(AvailableTopic, []byte(offline))
	ctx, cancel := context.WithTimeout(context.Background(), announcementTimeout)
	defer cancel()
	return a.sayRetained(ctx)
}

func (a *Announcer) publish(ctx context.Context, qos byte, retain bool, m message) error {
	ctx, cancel := context.WithTimeout(ctx, announcementTimeout)
	defer cancel()
	return a.options.To.Publish(ctx, m.topic, qos, retain, m.payload)
}
