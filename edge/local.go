package edge

import (
	"context"
	"fmt"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/shared/broker"
)

// local is the device's own broker, for cameras and sensors that publish and for programs that listen.
type local struct {
	embedded *broker.EmbeddedMQTT // nil where mosquitto serves
	client   *broker.MQTT
	*detect.Announcer
}

func (a *Agent) dialLocal(ctx context.Context, c Local) (*local, error) {
	l := &local{}
	url := c.URL
	if c.Embedded != "" {
		var err error
		if l.embedded, err = broker.EmbedMQTT(broker.EmbedMQTTOptions{Addr: c.Embedded, Log: a.log}); err != nil {
			return nil, fmt.Errorf("serve the local broker on %s: %w (local.embedded)", c.Embedded, err)
		}
		url = l.embedded.URL()
	}
	id := c.ClientID
	if id == "" {
		id = "canvas-edge-" + a.config.Edge + "-local"
	}
	var err error
	l.client, err = broker.DialMQTT(ctx, broker.MQTTOptions{URL: url, ClientID: id, Security: c.Security, Log: a.log,
		Will: &broker.Message{Topic: detect.AvailableTopic, Payload: []byte("offline"), QoS: 1, Retained: true}})
	if err != nil {
		l.close()
		return nil, fmt.Errorf("connect to the local broker: %w", err)
	}
	l.Announcer = detect.NewAnnouncer(l.client, a.stats, 0, a.log)
	return l, nil
}

func (l *local) close() {
	if l.client != nil {
		l.client.Close()
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
	return map[string]any{"edge": a.config.Edge, "version": a.parts.Version, "outbox": a.box.Stats(), "uplink": a.uplink.Next(statsNext),
		"quarantined": a.Quarantined(), "shed": a.lost.count.Load(), "cameras": a.cameraStates(), "streams": a.streams(), "messages": messages, "power": a.power.State()}
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
		frames := capture.NewDeviceFrames(a.config.Frames.DeviceConfig, a.local.client, a.decoding(ctx), a.log).Guarded(a.guard(true))
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
