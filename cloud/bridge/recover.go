package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// slots is how many parts the edges are divided into; a checkpoint is one record for each.
const slots = 64

// SlotOf is the part that an edge belongs to.
func SlotOf(edge string) int {
	h := fnv.New32a()
	h.Write([]byte(edge))
	return int(h.Sum32() % slots)
}

// dataTopics are where items of devices lie.
var dataTopics = []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.ProductsTopic}

// checkpointed is the value of a record of canvas.bridge: what had been seen of a slot's edges, and
// the end of the data topics before that was written down. Whatever is behind may hold more.
type checkpointed struct {
	At      time.Time                       `json:"at"`
	Edges   map[string]map[event.Epoch]mark `json:"edges"`
	Offsets map[string]map[string]int64     `json:"offsets"` // topic → partition → offset
}

// checkpoint writes down what is seen.
func (b *Bridge) checkpoint(ctx context.Context) error {
	ends, err := b.ends(ctx)
	if err != nil {
		return err
	}
	bySlot := map[int]*checkpointed{}
	b.mu.Lock()
	for l, s := range b.edges {
		slot := SlotOf(l.edge)
		c := bySlot[slot]
		if c == nil {
			c = &checkpointed{At: time.Now().UTC(), Edges: map[string]map[event.Epoch]mark{}, Offsets: texts(ends)}
			bySlot[slot] = c
		}
		if c.Edges[l.edge] == nil {
			c.Edges[l.edge] = map[event.Epoch]mark{}
		}
		if c.Edges[l.edge][l.epoch], err = s.mark(); err != nil {
			b.mu.Unlock()
			return err
		}
	}
	b.mu.Unlock()
	var records []broker.Record
	for slot, c := range bySlot {
		value, err := json.Marshal(c)
		if err != nil {
			return err
		}
		records = append(records, broker.Record{Topic: event.BridgeTopic, Key: []byte("slot-" + strconv.Itoa(slot)), Value: value})
	}
	if len(records) == 0 {
		return nil
	}
	if err := b.Log.Append(ctx, records...); err != nil {
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	b.mended = ends
	return nil
}

func (b *Bridge) ends(ctx context.Context) (map[string]map[int]int64, error) {
	ends := map[string]map[int]int64{}
	for _, topic := range dataTopics {
		offsets, err := b.Log.Offsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		ends[topic] = map[int]int64{}
		for p, o := range offsets {
			ends[topic][p] = o.End
		}
	}
	return ends, nil
}

func texts(ends map[string]map[int]int64) map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	for topic, partitions := range ends {
		out[topic] = map[string]int64{}
		for p, o := range partitions {
			out[topic][strconv.Itoa(p)] = o
		}
	}
	return out
}

// recall learns at the start what Kafka has: from the checkpoints, then from the data behind them.
func (b *Bridge) recall(ctx context.Context) error {
	latest := map[string]checkpointed{}
	offsets, err := b.Log.Offsets(ctx, event.BridgeTopic)
	if err != nil {
		return err
	}
	for p, o := range offsets {
		err := b.Log.Scan(ctx, event.BridgeTopic, p, o.First, o.End, func(r broker.Record) error {
			var c checkpointed
			if err := json.Unmarshal(r.Value, &c); err != nil {
				b.Logger.Warn("a checkpoint can't be read and is passed over", "key", string(r.Key), "problem", err)
				return nil
			}
			latest[string(r.Key)] = c
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.mended = map[string]map[int]int64{}
	for _, c := range latest {
		b.adopt(c)
	}
	return b.recover(ctx)
}

// adopt takes in a checkpoint. Of several, the data behind the oldest is read.
func (b *Bridge) adopt(c checkpointed) {
	for edge, epochs := range c.Edges {
		for epoch, m := range epochs {
			s, err := m.seen()
			if err != nil {
				b.Logger.Warn("a checkpoint's bitmap can't be read; Kafka is read instead", "edge", edge, "problem", err)
				c.Offsets = nil
				continue
			}
			b.of(event.Item{Edge: edge, Epoch: epoch}).join(s)
		}
	}
	for _, topic := range dataTopics {
		if b.mended[topic] == nil {
			b.mended[topic] = map[int]int64{}
			for p, o := range c.Offsets[topic] {
				if n, err := strconv.Atoi(p); err == nil {
					b.mended[topic][n] = o
				}
			}
			continue
		}
		for p := range b.mended[topic] {
			o, ok := c.Offsets[topic][strconv.Itoa(p)]
			if !ok {
				o = 0
			}
			b.mended[topic][p] = min(b.mended[topic][p], o)
		}
	}
}

// recover reads the data topics from where all was known to their ends, and adds what is there. It
// serves at the start and after every write whose outcome is unknown.
func (b *Bridge) recover(ctx context.Context) error {
	for _, topic := range dataTopics {
		offsets, err := b.Log.Offsets(ctx, topic)
		if err != nil {
			return err
		}
		if b.mended[topic] == nil {
			b.mended[topic] = map[int]int64{}
		}
		for p, o := range offsets {
			from := max(o.First, min(b.mended[topic][p], o.End))
			err := b.Log.Scan(ctx, topic, p, from, o.End, func(r broker.Record) error {
				if i, err := r.Item(); err == nil && i.Seq > 0 && i.Epoch.Valid() && i.Seq < math.MaxUint64 {
					b.mu.Lock()
					s := b.edges[life{i.Edge, i.Epoch}]
					if s == nil {
						s = newSeen()
						b.edges[life{i.Edge, i.Epoch}] = s
					}
					s.add(i.Seq)
					b.mu.Unlock()
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("read topic %s from offset %d: %w", topic, from, err)
			}
			b.mended[topic][p] = o.End
		}
	}
	return nil
}
