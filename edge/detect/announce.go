package detect

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cloudcanvas/shared/event"
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

// Announcer tells programs on the device what happens, as it happens: canvas/events {type, before,
// after}, canvas/<camera>/<label> how many are there (retained), canvas/<camera>/zones/<zone>/<label> how
// many of them are in a zone (retained), canvas/<camera>/<label>/snapshot a JPEG (retained), canvas/stats
// every few seconds. It is for who listens now: a broker that is away or slow costs messages here, the
// oldest first, never a frame.
type Announcer struct {
	to    Publisher
	every time.Duration
	stats func() any
	log   *slog.Logger

	queue   chan message
	dropped atomic.Int64
}

type message struct {
	topic   string
	retain  bool
	payload []byte
}

const announcementTimeout = 5 * time.Second

// NewAnnouncer makes the announcer. stats gives what canvas/stats says, in JSON, every so often
// (0: 15 s); nil: nothing is said there.
func NewAnnouncer(to Publisher, stats func() any, every time.Duration, log *slog.Logger) *Announcer {
	if every <= 0 {
		every = 15 * time.Second
	}
	return &Announcer{to: to, stats: stats, every: every, log: log, queue: make(chan message, 256)}
}

// Dropped is how many announcements nobody took.
func (a *Announcer) Dropped() int64 { return a.dropped.Load() }

// Tracked announces what became of a track.
func (a *Announcer) Tracked(e event.TrackEvent) {
	if payload, err := json.Marshal(e); err == nil {
		a.say(EventsTopic, false, payload)
	}
}

// Counted announces how many objects of a label a camera sees.
func (a *Announcer) Counted(camera, label string, objects int) {
	a.say(labelTopic(camera, label), true, strconv.AppendInt(nil, int64(objects), 10))
}

// CountedIn announces how many objects of a label are in a zone of a camera.
func (a *Announcer) CountedIn(camera, zone, label string, objects int) {
	a.say("canvas/"+level(camera)+"/zones/"+level(zone)+"/"+level(label), true, strconv.AppendInt(nil, int64(objects), 10))
}

// Pictured announces an object's picture.
func (a *Announcer) Pictured(camera, label string, jpeg []byte) {
	a.say(labelTopic(camera, label)+"/snapshot", true, jpeg)
}

func labelTopic(camera, label string) string { return "canvas/" + level(camera) + "/" + level(label) }

// level keeps a name within its level of the topic: "traffic light" stays, '/', '+' and '#' go.
func level(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '/' || r == '+' || r == '#' {
			return '_'
		}
		return r
	}, s)
}

// say queues an announcement; the oldest goes where there is no room.
func (a *Announcer) say(topic string, retain bool, payload []byte) {
	for {
		select {
		case a.queue <- message{topic, retain, payload}:
			return
		default:
		}
		select {
		case <-a.queue:
			a.dropped.Add(1)
		default:
		}
	}
}

// Run publishes until ctx ends, then says that the device is offline.
func (a *Announcer) Run(ctx context.Context) error {
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	a.say(AvailableTopic, true, []byte("online"))
	silent := false
	for {
		select {
		case m := <-a.queue:
			err := a.publish(ctx, m)
			if err != nil {
				a.dropped.Add(1)
			}
			if ctx.Err() == nil && silent != (err != nil) {
				if silent = err != nil; silent {
					a.log.Warn("the device's broker does not take announcements", "problem", err)
				} else {
					a.log.Info("the device's broker takes announcements again", "dropped", a.Dropped())
					// Its retained messages may be gone with it.
					a.say(AvailableTopic, true, []byte("online"))
				}
			}
		case <-tick.C:
			if a.stats == nil {
				continue
			}
			payload, err := json.Marshal(a.stats())
			if err != nil {
				a.log.Error("statistics cannot be told", "problem", err)
				continue
			}
			a.say(StatsTopic, false, payload)
		case <-ctx.Done():
			a.publish(context.WithoutCancel(ctx), message{AvailableTopic, true, []byte("offline")})
			return ctx.Err()
		}
	}
}

func (a *Announcer) publish(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(ctx, announcementTimeout)
	defer cancel()
	qos := byte(0)
	if m.retain {
		qos = 1 // a count that is lost would stay wrong
	}
	return a.to.Publish(ctx, m.topic, qos, m.retain, m.payload)
}
