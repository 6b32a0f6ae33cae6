package cloud

import (
	"context"
	"maps"
	"time"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// DeadLetters is what operators do with dead letters, with the checks of the bridge. by is who asks.
func DeadLetters(c Config, log deadletter.Log, group coord.Coordinator, objects deadletter.Objects, by string) deadletter.Actions {
	return deadletter.Actions{Log: log, Group: group, Objects: objects, Checks: checks{c.Bridge.Edges, group}, By: by}
}

// StoreOf is the object store as putting back reads and writes it.
func StoreOf(c Config, s *store.Store) deadletter.Objects {
	return store.Objects{Store: s, Limit: c.Bridge.ItemLimit()}
}

// checks are the bridge's, with the edges that are blocked now.
type checks struct {
	edges []string
	group coord.Coordinator
}

func (c checks) now() (bridge.Checks, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	blocked, err := blocklist.Read(ctx, c.group)
	return bridge.Checks{Edges: c.edges, Blocked: blocked.Has}, err
}

// Message checks a message as it came over MQTT.
func (c checks) Message(topic string, payload []byte) (event.Item, error) {
	all, err := c.now()
	if err != nil {
		return event.Item{}, err
	}
	return all.Message(topic, payload)
}

// Item checks an item with its data.
func (c checks) Item(i event.Item) error {
	all, err := c.now()
	if err != nil {
		return err
	}
	return all.Item(i)
}

// withLimits adds to the topic of dead letters how long it keeps them.
func withLimits(topics []kafka.Topic, limits deadletter.Limits) []kafka.Topic {
	for _, t := range topics {
		if t.Name == event.DLQTopic {
			maps.Copy(t.Config, limits.TopicConfig())
		}
	}
	return topics
}

// keepDeadLetters holds them within their bounds: Kafka's by the topic's settings, those in the object
// store by deleting what no dead letter names any more, by one bridge at a time.
func (c *Cloud) keepDeadLetters(ctx context.Context) error {
	limits := c.Config.Bridge.DeadLetters.WithDefaults()
	if err := c.Kafka.SetTopic(ctx, event.DLQTopic, limits.TopicConfig()); err != nil && ctx.Err() == nil {
		c.Log.Warn("the retention of dead letters can't be set; the topic keeps its own", telemetry.Topic, event.DLQTopic, telemetry.Err, err)
	}
	keep := deadletter.Keeper{Log: c.Kafka, Objects: c.objects(c.Config.Bridge.ItemLimit()), Limits: limits, Logger: c.Log}
	if c.Coord == nil {
		return keep.Run(ctx)
	}
	for ctx.Err() == nil {
		err := c.Coord.Own(ctx, deadletter.KeeperLease, func(ctx context.Context, _ coord.Lease) error { return keep.Run(ctx) })
		if ctx.Err() == nil {
			c.Log.Warn("keeping dead letters within their bounds was interrupted; this process stands for the task again", telemetry.Err, err)
			_ = retry.Sleep(ctx, time.Second)
		}
	}
	return nil
}
