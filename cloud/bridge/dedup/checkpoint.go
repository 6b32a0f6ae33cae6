package dedup

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Offsets are topic → partition → the offset of the next record.
type Offsets map[string]map[int]int64

func (o Offsets) Clone() Offsets {
	c := make(Offsets, len(o))
	for topic, partitions := range o {
		c[topic] = maps.Clone(partitions)
	}
	return c
}

// Lower takes, for each partition, the lower of two offsets; what one of them lacks is from the start.
func (o Offsets) Lower(other Offsets) Offsets {
	low := Offsets{}
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

// Checkpoint is one record of canvas.bridge: what Kafka has of the edges of one slot, in all records
// below the offsets. A slot whose edges need more than a record lies in several, of which each holds
// some of its edges. The key is the slot's number, with "+" and the part's where it is not the first.
type Checkpoint struct {
	Slot    int                                   `json:"slot"`
	Part    int                                   `json:"part,omitempty"`
	Epoch   coord.Epoch                           `json:"epoch"` // of the slot's lease
	Time    time.Time                             `json:"time"`
	Offsets Offsets                               `json:"offsets"`
	Edges   map[string]map[event.Epoch]savedEpoch `json:"edges"`
	Devices map[string]savedDevice                `json:"devices,omitempty"`
}

type savedEpoch struct {
	Through uint64    `json:"through"`
	Above   []byte    `json:"above,omitempty"` // a roaring bitmap of 64 bits, its portable form
	Used    time.Time `json:"used"`
	Stuck   time.Time `json:"stuck,omitzero"`
	// Last is the item with the highest number, as far as its id is known.
	Last *savedKnown `json:"last,omitempty"`
	// Conflicts are the numbers under which another item came, and when the last one did.
	Conflicts []event.Known `json:"conflicts,omitempty"`
	Conflict  time.Time     `json:"conflict,omitzero"`
}

// savedKnown is which item stands under a number.
type savedKnown struct {
	Seq uint64    `json:"seq"`
	ID  ulid.ULID `json:"id"`
	Sum []byte    `json:"sum"` // how its sha256 begins
}

// savedDevice is what is known of an edge beside its epochs.
type savedDevice struct {
	Newer   bool          `json:"newer,omitempty"`   // its program reads conflicts
	Named   []event.Epoch `json:"named,omitempty"`   // in its latest status
	Twins   []event.Epoch `json:"twins,omitempty"`   // two that alternate
	Since   time.Time     `json:"since,omitzero"`    // they do
	Last    time.Time     `json:"last,omitzero"`     // they did
	Day     int64         `json:"day,omitempty"`     // since 1970, of which Stored is
	Refused refusals      `json:"refused,omitempty"` // messages over its bounds so far
	Stored  int64         `json:"stored,omitempty"`
}

func slotKey(slot int) []byte { return fmt.Appendf(nil, "%d", slot) }

func (c Checkpoint) key() []byte {
	if c.Part == 0 {
		return slotKey(c.Slot)
	}
	return fmt.Appendf(nil, "%d+%d", c.Slot, c.Part)
}

// Bounds of a record. Kafka takes a mebibyte; base64 lets bitmaps grow by a third.
const (
	maxRecord = 900 << 10
	maxAbove  = 480 << 10
	maxParts  = 256 // of a slot
)

// Save makes the records of each slot that is owned.
func (l *State) Save(own slots.Owned, ends Offsets) ([]kafka.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := make([]kafka.Record, 0, slots.Count)
	for slot := range own.Slots.All() {
		some, err := l.saveSlot(slot, Checkpoint{Slot: slot, Epoch: own.Epochs[slot], Time: l.now().UTC(), Offsets: ends})
		if err != nil {
			return nil, err
		}
		records = append(records, some...)
	}
	return records, nil
}

// saveSlot makes as many records as a slot needs: 1, 2, 4 … The last goes first. So whenever the
// writing of them ends half way, what was written and what stands there from before hold everything:
// where a slot is cut finer, the upper half is there before the lower ones are replaced by less.
func (l *State) saveSlot(slot int, c Checkpoint) ([]kafka.Record, error) {
	for ; ; l.cuts[slot]++ {
		parts := 1 << l.cuts[slot]
		records := make([]kafka.Record, 0, parts)
		fits := true
		for part := parts - 1; part >= 0 && fits; part-- {
			c.Part = part
			c.Edges, c.Devices = map[string]map[event.Epoch]savedEpoch{}, nil
			for edge, d := range l.slots[slot] {
				if partOf(edge, parts) != part {
					continue
				}
				var err error
				if c.Edges[edge], err = l.saveEpochs(d); err != nil {
					return nil, fmt.Errorf("saving what edge %s has sent: %w", edge, err)
				}
				if saved, any := d.save(); any {
					if c.Devices == nil {
						c.Devices = map[string]savedDevice{}
					}
					c.Devices[edge] = saved
				}
			}
			value, err := json.Marshal(c)
			if err != nil {
				return nil, fmt.Errorf("saving slot %d: %w", slot, err)
			}
			fits = len(value) <= maxRecord || len(c.Edges) == 1 || parts >= maxParts
			records = append(records, kafka.Record{Topic: event.BridgeTopic, Key: c.key(), Value: value})
		}
		if fits {
			return records, nil
		}
	}
}

// partOf is the part of a slot that an edge lies in, so that each part of so many becomes two of
// twice as many.
func partOf(edge string, parts int) int {
	if parts == 1 {
		return 0
	}
	h := fnv.New32()
	h.Write([]byte(edge))
	h.Write([]byte{'+'})
	return int(h.Sum32() % uint32(parts))
}

func (l *State) saveEpochs(d *device) (map[event.Epoch]savedEpoch, error) {
	epochs := make(map[event.Epoch]savedEpoch, len(d.epochs))
	room := uint64(maxAbove)
	for e, a := range d.epochs {
		saved := savedEpoch{Through: a.through, Used: a.used.UTC(), Conflicts: a.conflicts}
		if !a.stuck.IsZero() {
			saved.Stuck = a.stuck.UTC()
		}
		if len(a.conflicts) > 0 {
			saved.Conflict = a.conflict.UTC()
		}
		if a.last.Seq > 0 {
			saved.Last = &savedKnown{a.last.Seq, a.last.ID, a.last.sum[:]}
		}
		if a.above != nil {
			a.above.RunOptimize()
			above := within(a.above, room)
			if above != a.above {
				l.losing(a, "a checkpoint has no room for all numbers above the first that is missing")
			}
			var err error
			if saved.Above, err = above.ToBytes(); err != nil {
				return nil, err
			}
			room -= min(room, uint64(len(saved.Above)))
		}
		epochs[e] = saved
	}
	return epochs, nil
}

// within is a bitmap, or as many of its lowest numbers as fit into so many bytes. Only what came
// before there were bounds is larger; of what is left out a repeat is not recognised after a restart.
func within(b *roaring64.Bitmap, most uint64) *roaring64.Bitmap {
	for b.GetSerializedSizeInBytes() > most {
		half, err := b.Select(b.GetCardinality() / 2)
		if err != nil {
			return roaring64.New()
		}
		b = b.Clone()
		b.RemoveRange(half, math.MaxUint64)
		if b.IsEmpty() {
			break
		}
	}
	return b
}

func (d *device) save() (s savedDevice, any bool) {
	s = savedDevice{Newer: d.newer, Named: d.named, Day: d.day, Stored: d.stored, Refused: d.refused}
	if !d.twin.since.IsZero() {
		s.Twins, s.Since, s.Last = d.twin.pair[:], d.twin.since.UTC(), d.twin.last.UTC()
	}
	return s, d.newer || d.stored > 0 || len(d.refused) > 0 || s.Twins != nil
}
