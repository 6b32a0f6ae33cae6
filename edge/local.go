package edge

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/shared/mqtt"
)

// local is the device's own broker, for cameras and sensors that publish and for programs that listen.
type local struct {
	embedded *mqtt.Embedded // nil where mosquitto serves
	client   *mqtt.Client
	readings *mqtt.Client // nil where they are not taken
	frames   *mqtt.Client // likewise
	seen     *seenReadings
	sessions *sessions
	drops    *brokerDrops
	*detect.Announcer
}

func (a *Agent) dialLocal(ctx context.Context, c Local) (_ *local, err error) {
	l := &local{}
	url := c.URL
	id := c.ClientID
	if id == "" {
		id = "canvas-edge-" + a.config.Edge + "-local"
	}
	if c.Embedded != "" {
		o := mqtt.EmbedOptions{Addr: c.Embedded, Log: a.log}
		if a.config.Sensors.Enabled { // the broker dies with the agent: only the buffer's word is good
			o.Confirm = []mqtt.Confirm{{Filter: capture.ReadingFilter, ClientID: id + "-readings"}}
		}
		if l.embedded, err = mqtt.Embed(o); err != nil {
			return nil, fmt.Errorf("serve the local broker on %s: %w (local.embedded)", c.Embedded, err)
		}
		url = l.embedded.URL()
	}
	// It outlives ctx: the last words are said after everything else has ended.
	up := make(chan struct{}, 1)
	l.client, err = mqtt.Dial(context.WithoutCancel(ctx), mqtt.Options{URL: url, ClientID: id, Security: c.Security, Log: a.log,
		Will: &mqtt.Message{Topic: detect.AvailableTopic, Payload: []byte("offline"), QoS: 1, Retained: true},
		OnUp: func() {
			select {
			case up <- struct{}{}:
			default:
			}
		}})
	if err != nil {
		l.close()
		return nil, fmt.Errorf("connect to the local broker: %w", err)
	}
	l.announce(a, up)
	l.seen, l.drops = newSeenReadings(), &brokerDrops{log: a.log}
	l.sessions = &sessions{box: a.buffer(), log: a.log, ownBroker: l.embedded != nil}
	if l.embedded == nil {
		l.client.Subscribe(droppedTopic, 0, l.drops.hear)
	}
	if a.config.Sensors.Enabled {
		l.readings, err = mqtt.Dial(ctx, intakeOptions(url, id+"-readings", c, l.sessions.watch(id+"-readings", l.seen.session), a.log))
	}
	if err == nil && a.config.Frames.Enabled {
		l.frames, err = mqtt.Dial(ctx, intakeOptions(url, id+"-frames", c, l.sessions.watch(id+"-frames", nil), a.log))
	}
	if err != nil {
		l.close()
		return nil, fmt.Errorf("connect to the local broker: %w", err)
	}
	return l, nil
}

// intakeOptions are those of a client that takes messages for good: the broker keeps what comes while
// it is away, and each message is acknowledged once what it became is safe. Each has a connection of its
// own: one that waits for the buffer must not hold up announcements, nor pictures readings.
func intakeOptions(url, id string, c Local, session func(kept bool), log *slog.Logger) mqtt.Options {
	return mqtt.Options{URL: url, ClientID: id, Security: c.Security, Persistent: true, ManualAck: true, OnSession: session, Log: log}
}

// announce makes the announcer, and takes back what an earlier life has left at the broker.
func (l *local) announce(a *Agent, up <-chan struct{}) {
	l.Announcer = detect.NewAnnouncer(detect.AnnouncerOptions{To: l.client, Stats: a.stats, Up: up, File: a.config.folder("announced.json"),
		Has: a.config.announces, Log: a.log})
	found := func(m mqtt.Message) {
		if m.Retained { // what is published now, by this agent, comes without
			l.Found(m.Topic, m.Payload)
		}
	}
	for _, c := range a.config.Cameras {
		topic := "canvas/" + detect.Level(c.Name)
		l.client.Subscribe(topic+"/+", 1, found)
		l.client.Subscribe(topic+"/zones/+/+", 1, found)
	}
}

// announces says whether a camera, and a zone of it, is configured, by their names as topics hold them.
// Any camera may publish frames, where they are taken.
func (c Config) announces(camera, zone string) bool {
	has := func(p detect.Places) bool {
		return zone == "" || slices.ContainsFunc(p.Zones, func(z detect.Zone) bool { return detect.Level(z.Name) == zone })
	}
	for _, cam := range c.Cameras {
		if detect.Level(cam.Name) == camera {
			return has(cam.Places)
		}
	}
	if !c.Frames.Enabled {
		return false
	}
	for name, places := range c.Frames.Places {
		if detect.Level(name) == camera {
			return has(places)
		}
	}
	return zone == ""
}

// close says the last words before it closes the connections. Where the broker doesn't confirm them, the
// connection is cut, so that it publishes the will.
func (l *local) close() {
	if l.Announcer != nil && l.client.Connected() {
		if err := l.Announcer.Close(); err != nil {
			l.client.Cut()
		}
	}
	for _, client := range []*mqtt.Client{l.client, l.readings, l.frames} {
		if client != nil {
			client.Close()
		}
	}
	if l.embedded != nil {
		l.embedded.Close()
	}
}

// statsNext is how many of the items that go next canvas/stats names.
const statsNext = 5

// stats is what canvas/stats says.
func (a *Agent) stats() any {
	messages := map[string]capture.DeviceCounts{}
	for name, count := range a.messages {
		messages[name] = count()
	}
	dropped, forgotten := int64(0), int64(0)
	if a.local != nil && a.local.drops != nil {
		dropped, forgotten = a.local.drops.all.Load(), a.local.sessions.forgotten.Load()
	}
	return map[string]any{"edge": a.config.Edge, "version": a.parts.Version, "outbox": a.box.Stats(), "epochs": a.box.Epochs(), "troubles": a.box.Troubles(), "uplink": a.uplink.Next(statsNext),
		"quarantined": a.Quarantined(), "shed": a.lost.count.Load(), "cameras": a.cameraStates(), "streams": a.streams(), "messages": messages, "models": a.networkCounts(), "broker_dropped": dropped, "sessions_forgotten": forgotten, "power": a.power.State(),
		"connections": a.connections()}
}

// connection is how the agent and one broker fare.
type connection struct {
	Problem string `json:"problem"` // why it does not hold; empty: nothing is known against it
}

// connections are those to brokers: cloud, and on the device local, readings and frames.
func (a *Agent) connections() map[string]connection {
	all := map[string]connection{"cloud": {a.link.Problem()}}
	if a.local == nil {
		return all
	}
	for name, client := range map[string]*mqtt.Client{"local": a.local.client, "readings": a.local.readings, "frames": a.local.frames} {
		if client != nil {
			all[name] = connection{client.Problem()}
		}
	}
	return all
}

// localLanes connects the local broker where there is one, and lays lanes for what comes over it.
func (a *Agent) localLanes(ctx context.Context) (err error) {
	if a.config.Local.URL == "" && a.config.Local.Embedded == "" {
		return nil
	}
	a.messages = map[string]func() capture.DeviceCounts{}
	if a.local, err = a.dialLocal(ctx, a.config.Local); err != nil {
		return err
	}
	a.add(lane{name: "announcements", run: func(ctx context.Context) (int64, error) { return 0, a.local.Run(ctx) }})
	if a.config.Frames.Enabled {
		frames := capture.NewDeviceFrames(a.config.Frames.FrameConfig, a.local.frames, a.opening(), a.log).Guarded(a.guard(true))
		a.messages["frames"] = frames.Counts
		if err := a.framesLane(ctx, frames); err != nil {
			return err
		}
	}
	if a.config.Sensors.Enabled {
		a.addSensors()
	}
	return nil
}
