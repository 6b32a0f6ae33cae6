package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// offsets are topic → partition → the offset of the next record.
type offsets map[string]map[int]int64

func (o offsets) clone() offsets {
	c := make(offsets, len(o))
	for topic, partitions := range o {
		c[topic] = maps.Clone(partitions)
	}
	return c
}

// lower takes, for each partition, the lower of two offsets; what one of them lacks is from the start.
func (o offsets) lower(other offsets) offsets {
	low := offsets{}
	for topic, partitions := range o {
		low[topic] = map[int]int64{}
		for p, at := range partitions {
			if there, ok := other[topic][p]; ok {
				low[topic][p] = min(at, there)
			}
		}
	}
	return low
}

// checkpoint is one record of canvas.bridge: what Kafka has of the edges of one slot, in all records
// below the offsets. The key is the slot's number.
type checkpoint struct {
	Slot    int                                     `json:"slot"`
	Epoch   coord.Epoch                             `json:"epoch"` // of the slot's lease
	Time    time.Time                               `json:"time"`
	Offsets offsets                                 `json:"offsets"`
	Edges   map[string]map[event.Epoch]savedAccount `json:"edges"`
}

type savedAccount struct {
	Through uint64    `json:"through"`
	Above   []byte    `json:"above,omitempty"` // a roaring bitmap of 64 bits, its portable form
	Used    time.Time `json:"used"`
	Stuck   time.Time `json:"stuck,omitzero"`
}

func slotKey(slot int) []byte { return fmt.Appendf(nil, "%d", slot) }

// checkpoint writes what the book holds, so that the next reading of the log can begin here. The
// commit loop calls it between batches, when everything this bridge has written is in the book. A
// checkpoint that fails costs time at the next start, and more the longer none succeeds.
func (s *shift) checkpoint(ctx context.Context) {
	s.checked = time.Now()
	if !s.dirty {
		return
	}
	if err := s.save(ctx); err != nil {
		if ctx.Err() == nil && s.setUnsaved(fmt.Errorf("what the bridge has seen can't be written to %s, so that its next start takes long: %w", event.BridgeTopic, err)) {
			s.Logger.Error("a checkpoint could not be written; the bridge goes on and tries again, but says that it is not ready", "error", err)
		}
		return
	}
	if s.setUnsaved(nil) {
		s.Logger.Info("checkpoints are written again")
	}
	s.dirty, s.written = false, 0
}

func (s *shift) save(ctx context.Context) error {
	ends := offsets{}
	for _, topic := range dataTopics {
		ranges, err := s.Log.Offsets(ctx, topic)
		if err != nil {
			return err
		}
		ends[topic] = map[int]int64{}
		for p, r := range ranges {
			ends[topic][p] = r.End
		}
	}
	records, err := s.book.save(s.tenure, ends)
	if err != nil {
		return err
	}
	if err := s.Log.Append(ctx, records...); err != nil {
		return err
	}
	s.ends = ends
	return nil
}

// save makes a record of each slot that is owned.
func (l *ledger) save(own tenure, ends offsets) ([]broker.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := make([]broker.Record, 0, Slots)
	for slot := range own.slots.All() {
		edges := l.slots[slot]
		c := checkpoint{Slot: slot, Epoch: own.epochs[slot], Time: l.now().UTC(), Offsets: ends, Edges: map[string]map[event.Epoch]savedAccount{}}
		for edge, epochs := range edges {
			c.Edges[edge] = map[event.Epoch]savedAccount{}
			for e, a := range epochs {
				saved := savedAccount{Through: a.through, Used: a.used.UTC(), Stuck: a.stuck.UTC()}
				if a.stuck.IsZero() {
					saved.Stuck = time.Time{}
				}
				if a.above != nil {
					a.above.RunOptimize()
					var err error
					if saved.Above, err = a.above.ToBytes(); err != nil {
						return nil, fmt.Errorf("saving what edge %s has sent: %w", edge, err)
					}
				}
				c.Edges[edge][e] = saved
			}
		}
		value, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("saving slot %d: %w", slot, err)
		}
		records = append(records, broker.Record{Topic: event.BridgeTopic, Key: slotKey(slot), Value: value})
	}
	return records, nil
}

// latestCheckpoints reads canvas.bridge. Of each slot the last one of the latest lease counts: a
// bridge that has lost its lease may write one late. What can't be read is handed to bad.
func latestCheckpoints(ctx context.Context, log Log, bad func(broker.Record, error)) (map[int]checkpoint, error) {
	ranges, err := log.Offsets(ctx, event.BridgeTopic)
	if err != nil {
		return nil, err
	}
	latest := map[int]checkpoint{}
	for p, r := range ranges {
		err := log.Scan(ctx, event.BridgeTopic, p, r.First, r.End, func(r broker.Record) error {
			if r.Value == nil {
				return nil
			}
			c, err := parseCheckpoint(r)
			if err != nil {
				bad(r, err)
				return nil
			}
			if c.Epoch >= latest[c.Slot].Epoch {
				latest[c.Slot] = c
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return latest, nil
}

// parseCheckpoint reads a record of canvas.bridge.
func parseCheckpoint(r broker.Record) (checkpoint, error) {
	var c checkpoint
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return c, fmt.Errorf("reading a checkpoint: %w", err)
	}
	if c.Slot < 0 || c.Slot >= Slots || string(slotKey(c.Slot)) != string(r.Key) {
		return c, fmt.Errorf("reading a checkpoint: it is of slot %d, its key is %.20q", c.Slot, r.Key)
	}
	return c, nil
}

// recent is how long after its last item an edge may still wait for a receipt. Later it has sent the
// item again, and is told then.
const recent = 10 * time.Minute

// load puts a checkpoint into the book.
func (l *ledger) load(c checkpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for edge, epochs := range c.Edges {
		if Slot(edge) != c.Slot {
			return fmt.Errorf("the checkpoint of slot %d names edge %.80q, whose slot is %d", c.Slot, edge, Slot(edge))
		}
		for epoch, saved := range epochs {
			was := seen{through: saved.Through}
			if len(saved.Above) > 0 {
				was.above = roaring64.New()
				if err := was.above.UnmarshalBinary(saved.Above); err != nil {
					return fmt.Errorf("the checkpoint of edge %.80q: %w", edge, err)
				}
				if err := was.above.Validate(); err != nil {
					return fmt.Errorf("the checkpoint of edge %.80q: %w", edge, err)
				}
			}
			a := l.account(edge, epoch)
			a.addAll(&was)
			a.used, a.stuck = saved.Used, saved.Stuck
			if l.now().Sub(a.used) < recent {
				l.owe(a) // the bridge before may have died with the receipt unsent
			}
		}
	}
	return nil
}
