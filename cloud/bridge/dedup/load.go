package dedup

import (
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Log is Kafka, as far as it is read.
type Log interface {
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
}

// Latest reads canvas.bridge. Of each part of a slot the last one of the latest lease
// counts: a bridge that has lost its lease may write one late. bad is called with what can't be read.
func Latest(ctx context.Context, log Log, bad func(kafka.Record, error)) (map[int][]Checkpoint, error) {
	ranges, err := log.Offsets(ctx, event.BridgeTopic)
	if err != nil {
		return nil, err
	}
	latest := map[string]Checkpoint{}
	for p, r := range ranges {
		err := log.Scan(ctx, event.BridgeTopic, p, r.First, r.End, func(r kafka.Record) error {
			if r.Value == nil {
				return nil
			}
			c, err := parseCheckpoint(r)
			if err != nil {
				bad(r, err)
				return nil
			}
			if c.Epoch >= latest[string(r.Key)].Epoch {
				latest[string(r.Key)] = c
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slots := map[int][]Checkpoint{}
	for _, c := range latest {
		slots[c.Slot] = append(slots[c.Slot], c)
	}
	return slots, nil
}

// parseCheckpoint reads a record of canvas.bridge.
func parseCheckpoint(r kafka.Record) (Checkpoint, error) {
	var c Checkpoint
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return c, fmt.Errorf("reading a checkpoint: %w", err)
	}
	if c.Slot < 0 || c.Slot >= slots.Count || c.Part < 0 || c.Part >= maxParts || string(c.key()) != string(r.Key) {
		return c, fmt.Errorf("reading a checkpoint: it is of slot %d, its key is %.20q", c.Slot, r.Key)
	}
	return c, nil
}

// receiptWindow is how long after its last item an edge may still wait for a receipt. Later it has sent the
// item again, and gets one then.
const receiptWindow = 10 * time.Minute

// Load puts a checkpoint into the state.
func (l *State) Load(c Checkpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cuts[c.Slot] = max(l.cuts[c.Slot], bits.Len(uint(c.Part)))
	for edge, epochs := range c.Edges {
		if slots.Of(edge) != c.Slot {
			return fmt.Errorf("the checkpoint of slot %d names edge %.80q, whose slot is %d", c.Slot, edge, slots.Of(edge))
		}
		for epoch, saved := range epochs {
			if err := l.loadEpoch(edge, epoch, saved); err != nil {
				return fmt.Errorf("the checkpoint of edge %.80q: %w", edge, err)
			}
		}
		if saved, ok := c.Devices[edge]; ok {
			l.device(edge).load(saved)
		}
	}
	return nil
}

func (l *State) loadEpoch(edge string, epoch event.Epoch, saved savedEpoch) error {
	was := seen{through: saved.Through}
	if len(saved.Above) > 0 {
		was.above = roaring64.New()
		if err := was.above.UnmarshalBinary(saved.Above); err != nil {
			return err
		}
		if err := was.above.Validate(); err != nil {
			return err
		}
	}
	fresh := l.find(edge, epoch) == nil
	a := l.epoch(edge, epoch)
	a.addAll(&was)
	a.weigh(weighEvery)
	if fresh || saved.Used.After(a.used) {
		a.used = saved.Used
	}
	a.stuck = saved.Stuck
	if k := saved.Last; k != nil && k.Seq >= a.last.Seq {
		a.last = Known{Seq: k.Seq, ID: k.ID}
		copy(a.last.sum[:], k.Sum)
	}
	if saved.Conflict.After(a.conflict) {
		a.conflict, a.conflicts = saved.Conflict, saved.Conflicts[max(0, len(saved.Conflicts)-event.MaxConflicts):]
	}
	if l.now().Sub(a.used) < receiptWindow {
		l.owe(a) // the bridge before may have died with the receipt unsent
	}
	return nil
}

func (d *device) load(s savedDevice) {
	d.newer, d.named = s.Newer, s.Named[:min(len(s.Named), event.MaxEpochs)]
	d.day, d.stored = s.Day, s.Stored
	for why, n := range s.Refused {
		if len(why) < 32 && len(d.refused) < maxBounds {
			d.refuse(why, n)
		}
	}
	if len(s.Twins) == 2 {
		d.twin.pair, d.twin.since, d.twin.last = [2]event.Epoch{s.Twins[0], s.Twins[1]}, s.Since, s.Last
	}
}
