package edge

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/telemetry"
)

// local is the device's own broker, for cameras and sensors that publish and for programs that listen.
type local struct {
	embedded *mqtt.Embedded // nil where mosquitto serves
	client   *mqtt.Client
	readings *mqtt.Client // nil where they are not taken
	frames   *mqtt.Client // likewise
	seen     *seenMessages
	numbers  *brokerNumbers
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
		if a.config.Sensors.Enabled { // the broker dies with the agent: only what is in the buffer is safe
			o.Confirm = []mqtt.Confirm{{Filter: capture.ReadingFilter, ClientID: id + "-readings"}}
		}
		if l.embedded, err = mqtt.Embed(o); err != nil {
			return nil, fmt.Errorf("serve the local broker on %s: %w (local.embedded)", c.Embedded, err)
		}
		url = l.embedded.URL()
	}
	// It outlives ctx: the last messages are published after everything else has ended.
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
	l.seen, l.numbers, l.drops = newSeenMessages(), &brokerNumbers{log: a.log}, &brokerDrops{log: a.log}
	l.sessions = &sessions{buffer: a.buffer(), log: a.log, ownBroker: l.embedded != nil}
	if l.embedded == nil {
		l.client.Subscribe(droppedTopic, 0, l.drops.receive)
	}
	if a.config.Sensors.Enabled {
		started := func(kept bool) {
			l.seen.sessionStarted(kept)
			l.numbers.sessionStarted(kept)
		}
		l.readings, err = mqtt.Dial(ctx, intakeOptions(url, id+"-readings", c, l.sessions.watch(id+"-readings", started), a.log))
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

// localPause is how long the agent waits at most before it tries its own broker again.
const localPause = time.Second

// intakeOptions are those of a client that takes messages for good: the broker keeps what comes while
// it is away, and each message is acknowledged once what it became is safe. Each has a connection of its
// own: one that waits for the buffer must not hold up announcements, nor pictures readings. A broker that
// has started again has in its memory alone what is published until the agent is back.
func intakeOptions(url, id string, c Local, session func(kept bool), log *slog.Logger) mqtt.Options {
	return mqtt.Options{URL: url, ClientID: id, Security: c.Security, Persistent: true, ManualAck: true, MaxPause: localPause, OnSession: session, Log: log}
}

// announce makes the announcer, and takes back what an earlier run has left at the broker.
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

// close publishes the last messages before it closes the connections. Where the broker doesn't confirm them, the
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

// addLocalBroker connects the local broker where there is one, and adds what comes over it.
func (a *Agent) addLocalBroker(ctx context.Context) (err error) {
	if a.config.Local.URL == "" && a.config.Local.Embedded == "" {
		return nil
	}
	a.messages = map[string]func() capture.DeviceCounts{}
	if a.local, err = a.dialLocal(ctx, a.config.Local); err != nil {
		return err
	}
	a.add(pipeline{name: "announcements", run: func(ctx context.Context) (int64, error) { return 0, a.local.Run(ctx) }})
	if a.config.Frames.Enabled {
		frames := capture.NewDeviceFrames(a.config.Frames.FrameConfig, a.local.frames, a.opening(), a.log).Guarded(a.guard(true))
		a.messages["frames"] = frames.Counts
		if err := a.addPublishedFrames(ctx, frames); err != nil {
			return err
		}
	}
	if a.config.Sensors.Enabled {
		a.addReadings()
	}
	return nil
}

// sessions notices that the device's own broker has forgotten the session of a client for which it was to
// keep messages: what was published while the client was away, and not handed on, is lost, and nobody
// else would say so.
type sessions struct {
	buffer    recorder
	log       *slog.Logger
	ownBroker bool         // it dies with the agent, and acknowledges only what is safe: nothing is lost with its sessions
	forgotten atomic.Int64 // since the agent's start
}

const (
	sessionPrefix   = "session/"
	sessionPatience = 5 * time.Second
)

// watch gives what is to be called at each connection of a client with whether its session was kept; then,
// if it is not nil, is called with the same.
func (s *sessions) watch(id string, then func(kept bool)) func(kept bool) {
	if s.ownBroker {
		return then
	}
	before := false // there was a connection since the start
	return func(kept bool) {
		if then != nil {
			then(kept)
		}
		switch {
		case kept:
		case before || s.known(id):
			s.log.Warn("the local broker has forgotten the session of one of the agent's clients: what cameras or sensors published while the agent was away, and the broker had not delivered, may be lost. "+
				"Make the broker keep sessions over its restart (mosquitto: persistence true), and long enough (persistent_client_expiration)", "client", id, "since_start", s.forgotten.Add(1))
			before = true
			return
		}
		if !before {
			before = true
			s.note(id)
		}
	}
}

// known says whether an earlier run had the session.
func (s *sessions) known(id string) bool {
	marks, err := s.buffer.Marks(sessionPrefix + id)
	if err != nil {
		s.log.Warn("the buffer's list of sessions with the local broker can't be read: the agent can't know whether the broker forgot this one", "client", id, telemetry.Err, err)
	}
	for _, m := range marks {
		if m.Name == sessionPrefix+id && len(m.Value) > 0 {
			return true
		}
	}
	return false
}

// note keeps that there is a session, for the next start. Its loss costs a warning at most.
func (s *sessions) note(id string) {
	if s.known(id) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), sessionPatience)
	defer cancel()
	if err := s.buffer.Record(ctx, nil, []outbox.Mark{{Name: sessionPrefix + id, Value: []byte{1}}}); err != nil {
		s.log.Debug("the session with the local broker is not written into the buffer; should the broker forget it, the next start can't warn of that", "client", id, telemetry.Err, err)
	}
}

// droppedTopic is where mosquitto says how many messages it has dropped since its start because the queue
// of a client that should get them was full. It had acknowledged them to their senders.
const droppedTopic = "$SYS/broker/publish/messages/dropped"

const dropsHint = "raise its max_queued_messages and max_queued_bytes, or find the client that does not keep up"

// brokerDrops watches that count. Brokers that don't publish it leave it at 0.
type brokerDrops struct {
	log  *slog.Logger
	last atomic.Int64 // as the broker published it, from 1 on; 0: it has not
	all  atomic.Int64 // since the agent's start
}

// receive takes the count as it is published.
func (d *brokerDrops) receive(m mqtt.Message) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(m.Payload)), 10, 64)
	if err != nil || n < 0 {
		return
	}
	before := d.last.Swap(n + 1)
	if before == 0 {
		if n > 0 { // some of them perhaps while the agent was away
			d.log.Warn("the local broker dropped messages before the agent started, because a client's queue was full: "+dropsHint, "since_the_brokers_start", n)
		}
		return
	}
	more := n + 1 - before
	if more < 0 { // the broker has restarted
		more = n
	}
	if more == 0 {
		return
	}
	d.log.Warn("the local broker has dropped messages, because a client's queue was full: "+dropsHint, "dropped", more, "since_start", d.all.Add(more))
}
