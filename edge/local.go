package edge

import (
	"context"
	"fmt"
	"log/slog"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/shared/broker"
)

// local is the device's own broker, for cameras and sensors that publish and for programs that listen.
type local struct {
	embedded *broker.EmbeddedMQTT // nil where mosquitto serves
	client   *broker.MQTT
	readings *broker.MQTT // nil where they are not taken
	frames   *broker.MQTT // likewise
	seen     *seenReadings
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
		o := broker.EmbedMQTTOptions{Addr: c.Embedded, Log: a.log}
		if a.config.Sensors.Enabled { // the broker dies with the agent: only the buffer's word is good
			o.Confirm = []broker.Confirm{{Filter: capture.ReadingFilter, ClientID: id + "-readings"}}
		}
		if l.embedded, err = broker.EmbedMQTT(o); err != nil {
			return nil, fmt.Errorf("serve the local broker on %s: %w (local.embedded)", c.Embedded, err)
		}
		url = l.embedded.URL()
	}
	l.client, err = broker.DialMQTT(ctx, broker.MQTTOptions{URL: url, ClientID: id, Security: c.Security, Log: a.log,
		Will: &broker.Message{Topic: detect.AvailableTopic, Payload: []byte("offline"), QoS: 1, Retained: true}})
	if err != nil {
		l.close()
		return nil, fmt.Errorf("connect to the local broker: %w", err)
	}
	l.Announcer = detect.NewAnnouncer(l.client, a.stats, 0, a.log)
	l.seen, l.drops = newSeenReadings(), &brokerDrops{log: a.log}
	if l.embedded == nil {
		l.client.Subscribe(droppedTopic, 0, l.drops.hear)
	}
	if a.config.Sensors.Enabled {
		l.readings, err = broker.DialMQTT(ctx, intakeOptions(url, id+"-readings", c, l.seen.session, a.log))
	}
	if err == nil && a.config.Frames.Enabled {
		l.frames, err = broker.DialMQTT(ctx, intakeOptions(url, id+"-frames", c, nil, a.log))
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
func intakeOptions(url, id string, c Local, session func(kept bool), log *slog.Logger) broker.MQTTOptions {
	return broker.MQTTOptions{URL: url, ClientID: id, Security: c.Security, Persistent: true, ManualAck: true, OnSession: session, Log: log}
}

func (l *local) close() {
	for _, client := range []*broker.MQTT{l.client, l.readings, l.frames} {
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
	dropped := int64(0)
	if a.local != nil && a.local.drops != nil {
		dropped = a.local.drops.all.Load()
	}
	return map[string]any{"edge": a.config.Edge, "version": a.parts.Version, "outbox": a.box.Stats(), "epochs": a.box.Epochs(), "troubles": a.box.Troubles(), "uplink": a.uplink.Next(statsNext),
		"quarantined": a.Quarantined(), "shed": a.lost.count.Load(), "cameras": a.cameraStates(), "streams": a.streams(), "messages": messages, "models": a.networkCounts(), "broker_dropped": dropped, "power": a.power.State()}
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
		frames := capture.NewDeviceFrames(a.config.Frames.DeviceConfig, a.local.frames, a.decoding(ctx), a.log).Guarded(a.guard(true))
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
