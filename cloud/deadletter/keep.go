package deadletter

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/telemetry"
)

// KeeperLease is owned by the process that holds dead letters within their bounds.
const KeeperLease = "dlq-keeper"

// Quarantine is where the bytes of dead letters rest in the object store.
const Quarantine = "quarantine/"

// keepEvery is how often the store is looked through. An object that no dead letter names at two looks in a
// row has no dead letter any more: its dead letter follows it within moments.
const keepEvery = 15 * time.Minute

// Quarantined is the part of the object store that a Keeper needs.
type Quarantined interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, data []byte) error
	Delete(ctx context.Context, key string) error
	Keys(ctx context.Context, prefix string) ([]string, error)
}

// Keeper deletes quarantined objects: with their dead letters, and the oldest where they take too much.
type Keeper struct {
	Log     Log
	Objects Quarantined
	Limits  Limits
	Logger  *slog.Logger
	Every   time.Duration // 0: every 15 minutes

	named  map[string]named // objects by key that dead letters name
	next   map[int]int64    // the next offset to read, by partition
	orphan map[string]bool  // not named at the last look
	sizes  map[string]int64 // of objects, as far as they are known
}

// named is the newest dead letter of an object.
type named struct {
	at    Place
	time  time.Time
	bytes int64 // 0 where the dead letter does not say
}

// Run looks again and again until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	every := cmp.Or(k.Every, keepEvery)
	k.named, k.next, k.orphan, k.sizes = map[string]named{}, map[int]int64{}, map[string]bool{}, map[string]int64{}
	for {
		if err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
			k.Logger.Warn("the dead letters in the object store can't be listed; the next look comes later", telemetry.Err, err)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Sweep does it once.
func (k *Keeper) Sweep(ctx context.Context) error {
	if k.named == nil {
		k.named, k.next, k.orphan, k.sizes = map[string]named{}, map[int]int64{}, map[string]bool{}, map[string]int64{}
	}
	if err := k.readOn(ctx); err != nil {
		return err
	}
	keys, err := k.Objects.Keys(ctx, Quarantine)
	if err != nil {
		return err
	}
	orphans := map[string]bool{}
	for _, key := range keys {
		if _, ok := k.named[key]; !ok {
			orphans[key] = true
		}
	}
	gone := 0
	for key := range orphans {
		if k.orphan[key] {
			deleted, err := k.delete(ctx, key)
			if err != nil {
				return err
			}
			if deleted {
				gone++
				delete(orphans, key)
			}
		}
	}
	k.orphan = orphans
	over, err := k.bound(ctx, keys)
	if gone+over > 0 {
		k.Logger.Info("bytes of dead letters were deleted from the object store", "without_dead_letter", gone, "beyond_bound", over)
	}
	return err
}

// readOn learns which objects the dead letters name that came since the last time, and forgets those of
// dead letters that Kafka has deleted.
func (k *Keeper) readOn(ctx context.Context) error {
	ranges, err := k.Log.Offsets(ctx, event.DLQTopic)
	if err != nil {
		return err
	}
	for partition, r := range ranges {
		if k.next[partition] > r.End { // the topic was made anew
			k.next[partition] = 0
		}
		err := k.Log.Scan(ctx, event.DLQTopic, partition, max(r.First, k.next[partition]), r.End, func(r kafka.Record) error {
			if key := Header(r.Headers, HeadQuarantine); strings.HasPrefix(key, Quarantine) {
				bytes, _ := strconv.ParseInt(Header(r.Headers, HeadQuarantineBytes), 10, 64)
				k.named[key] = named{Place{r.Partition, r.Offset}, r.Time, bytes}
			}
			return nil
		})
		if err != nil {
			return err
		}
		k.next[partition] = r.End
	}
	for key, n := range k.named {
		if n.at.Offset < ranges[n.at.Partition].First {
			delete(k.named, key)
		}
	}
	return nil
}

// delete removes an object, and puts it back where a dead letter named it meanwhile.
func (k *Keeper) delete(ctx context.Context, key string) (bool, error) {
	data, err := k.Objects.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		data = nil // too large to be held: its dead letter would say that its bytes are gone
	}
	if err := k.Objects.Delete(ctx, key); err != nil {
		return false, err
	}
	delete(k.sizes, key)
	if err := k.readOn(ctx); err != nil {
		if data != nil {
			err = errors.Join(err, k.Objects.Put(ctx, key, data))
		}
		return false, err
	}
	if _, named := k.named[key]; named && data != nil {
		return false, k.Objects.Put(ctx, key, data)
	}
	return true, nil
}

// bound deletes the objects of the oldest dead letters until the rest is within the bound. The dead letters stay,
// and say that their bytes are gone when they are asked for.
func (k *Keeper) bound(ctx context.Context, keys []string) (gone int, err error) {
	total := int64(0)
	for _, key := range keys {
		if _, known := k.sizes[key]; !known {
			k.sizes[key] = k.sizeOf(ctx, key)
		}
		total += k.sizes[key]
	}
	slices.SortFunc(keys, func(a, b string) int { return k.named[a].time.Compare(k.named[b].time) })
	for _, key := range keys {
		if total <= k.Limits.ObjectBytes {
			break
		}
		if _, named := k.named[key]; !named {
			continue
		}
		total -= k.sizes[key]
		if err := k.Objects.Delete(ctx, key); err != nil {
			return gone, err
		}
		delete(k.sizes, key)
		gone++
	}
	return gone, nil
}

// sizeOf is what a dead letter says of its object; of an earlier program's, what is there.
func (k *Keeper) sizeOf(ctx context.Context, key string) int64 {
	if n := k.named[key].bytes; n > 0 {
		return n
	}
	data, err := k.Objects.Get(ctx, key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unknownBytes
	}
	return int64(len(data))
}

// unknownBytes is what an object counts that can't be read: as much as the largest item.
const unknownBytes = 256 << 20
