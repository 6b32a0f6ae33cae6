package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/telemetry"
)

// recover learns from Kafka what Kafka has: from the checkpoints, and from the log behind them.
func (s *session) recover(ctx context.Context) error {
	began := time.Now()
	return s.retry(ctx, "reading the checkpoints and the log behind them", func() error {
		// Each try begins anew: half of a checkpoint must not count.
		s.dedup, s.ends = dedup.New(time.Now), dedup.Offsets{}
		s.ids = dedup.NewIDs(dedup.MostIDs)
		s.dedup.OnLoss = s.logLoss
		if err := s.loadCheckpoints(ctx); err != nil {
			return err
		}
		if err := s.recallPoison(ctx); err != nil {
			return err
		}
		s.recallItems(ctx)
		s.dedup.EachLast(s.ids.Put)
		if err := s.catchUp(ctx); err != nil {
			return err
		}
		s.surveyParts(ctx)
		s.checked = time.Now()
		s.Logger.Info("the bridge knows what Kafka has", "edges", len(s.dedup.Status()), "seconds", time.Since(began).Seconds())
		return nil
	})
}

// loadCheckpoints begins dedup with the checkpoints of the slots that are owned.
func (s *session) loadCheckpoints(ctx context.Context) error {
	latest, err := dedup.Latest(ctx, s.Log, func(r kafka.Record, err error) {
		s.Logger.Error("a checkpoint is not readable; the bridge reads the log instead", "offset", r.Offset, telemetry.Err, err)
	})
	if err != nil {
		return err
	}
	s.ends = nil
	for slot := range s.Slots.All() {
		parts := latest[slot]
		for _, c := range parts {
			if err := s.dedup.Load(c); err != nil {
				s.Logger.Error("a checkpoint is not usable; the bridge reads the log instead", "slot", slot, telemetry.Err, err)
				parts = nil
				break
			}
		}
		if len(parts) == 0 {
			parts = []dedup.Checkpoint{{}} // then the log is read from its beginning
		}
		for _, c := range parts {
			if s.ends == nil {
				s.ends = c.Offsets.Clone()
			} else {
				s.ends = s.ends.Lower(c.Offsets)
			}
		}
	}
	return nil
}

// recalledDeadLetters is how many of the last dead letters of a partition are recognised after a restart. Poison
// comes again within the edge's timeout or with the MQTT session, so few are enough; each may have
// half a mebibyte.
const recalledDeadLetters = 128

// recallPoison reads the dead letters that stand below the checkpoint's offsets: checkpoints hold
// numbers, not fingerprints. catchUp reads those above.
func (s *session) recallPoison(ctx context.Context) error {
	ranges, err := s.Log.Offsets(ctx, event.DLQTopic)
	if err != nil {
		return err
	}
	for p, r := range ranges {
		to := min(s.ends[event.DLQTopic][p], r.End)
		from := max(r.First, to-recalledDeadLetters)
		if from >= to {
			continue
		}
		err := s.Log.Scan(ctx, event.DLQTopic, p, from, to, func(r kafka.Record) error {
			s.poison.add(fingerprintOf(r))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// How much of the log below the checkpoint's offsets is read to learn which items stand under the
// last numbers: so many records of each partition, as far as they come within that time.
const (
	recalledItems       = 1024
	recallItemsPatience = 500 * time.Millisecond
	recallsAtOnce       = 4
)

// recallItems learns which items stand under the last numbers. Checkpoints hold numbers, and of each
// epoch the last id.
func (s *session) recallItems(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, recallItemsPatience)
	defer cancel()
	var (
		mu  sync.Mutex
		all errgroup.Group
	)
	all.SetLimit(recallsAtOnce)
	for _, topic := range [...]string{event.EventsTopic, event.WorkTopic, event.ResultsTopic} {
		ranges, err := s.Log.Offsets(ctx, topic)
		if err != nil {
			break
		}
		for p, r := range ranges {
			to := min(s.ends[topic][p], r.End)
			from := max(r.First, to-recalledItems)
			if from >= to {
				continue
			}
			all.Go(func() error {
				return s.Log.Scan(ctx, topic, p, from, to, func(r kafka.Record) error {
					if id, k, _ := dedup.NumberOf(r); !k.ID.IsZero() && s.carriesNumber(id) {
						mu.Lock()
						s.ids.Put(id.Edge, id.Epoch, k)
						mu.Unlock()
					}
					return nil
				})
			})
		}
	}
	if err := all.Wait(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.Logger.Warn("the ids of the last items can't be read from Kafka; those that come again are recognised by number alone", telemetry.Err, err)
	}
}

// surveyPatience is how long the store may take to list its parts. What it does not list is
// looked for when the next part of an item comes.
const surveyPatience = 10 * time.Second

// surveyParts finds the unfinished items whose parts a former life of the bridge left in the store,
// and removes what it did not come to removing. Items that need no store do not wait for it.
func (s *session) surveyParts(ctx context.Context) {
	s.parts = parts.New(s.Objects, s.cfg.PartsBytes, s.cfg.ItemBytes)
	ctx, cancel := context.WithTimeout(ctx, surveyPatience)
	defer cancel()
	keys, err := s.partKeys(ctx)
	if err != nil {
		s.Logger.Warn("the object store can't list the parts that it holds; those of an item are looked for when more of it comes", telemetry.Err, err)
		s.parts.Unsurveyed()
		return
	}
	found, stale := s.parts.Survey(keys)
	s.remove(ctx, stale...)
	for _, a := range found {
		if s.dedup.Has(a.ID.Edge, a.ID.Epoch, a.ID.Seq) {
			s.discard(ctx, a.ID)
			continue
		}
		if some := a.Parts(); len(some) > 0 {
			s.dedup.Hold(a, some[0])
		}
	}
}

// maxConcurrentListings is how many prefixes of the store are listed at a time.
const maxConcurrentListings = 8

// partKeys lists the parts of the slots that are owned.
func (s *session) partKeys(ctx context.Context) (keys []string, err error) {
	if s.Slots == slots.Every {
		return s.Objects.Keys(ctx, "parts/")
	}
	var mu sync.Mutex
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(maxConcurrentListings)
	for slot := range s.Slots.All() {
		all.Go(func() error {
			some, err := s.Objects.Keys(ctx, parts.Under(slot))
			mu.Lock()
			defer mu.Unlock()
			keys = append(keys, some...)
			return err
		})
	}
	return keys, all.Wait()
}

// catchUp reads the data topics from where dedup ends to where they end.
func (s *session) catchUp(ctx context.Context) error {
	ends := dedup.Offsets{}
	for _, topic := range dataTopics {
		ranges, err := s.Log.Offsets(ctx, topic)
		if err != nil {
			return err
		}
		ends[topic] = map[int]int64{}
		for p, r := range ranges {
			from, known := s.ends[topic][p]
			if !known || from > r.End { // the topic was made anew
				from = r.First
			}
			if from < r.End {
				if err := s.Log.Scan(ctx, topic, p, from, r.End, s.recordFound); err != nil {
					return err
				}
			}
			ends[topic][p] = r.End
		}
	}
	s.ends = ends
	return nil
}

// recordFound takes a record that is in Kafka into dedup.
func (s *session) recordFound(r kafka.Record) error {
	if r.Topic == event.DLQTopic {
		s.poison.add(fingerprintOf(r))
	}
	id, k, kind := dedup.NumberOf(r)
	if !s.carriesNumber(id) {
		return nil
	}
	s.dedup.Add(id.Edge, id.Epoch, id.Seq)
	if !k.ID.IsZero() {
		s.ids.Put(id.Edge, id.Epoch, k)
		if first, ok := s.ids.At(id.Edge, id.Epoch, id.Seq); ok {
			s.dedup.SetLast(id.Edge, id.Epoch, first)
		}
	}
	if kind == ackType && r.Topic == event.EventsTopic {
		for epoch, seqs := range s.dropped(r, id.Epoch) {
			s.dedup.Add(id.Edge, epoch, seqs...)
		}
	}
	s.dirty = true
	return nil
}

// carriesNumber says whether that is a number of an edge that is carried. What a worker or a stranger
// wrote has none.
func (s *session) carriesNumber(id parts.Identity) bool {
	return s.Slots.Carries(id.Edge) && event.CheckName(id.Edge) == nil && id.Epoch.Valid() && id.Seq > 0 && id.Seq <= parts.MaxSeq
}

const ackType = "io.cloudcanvas." + string(event.Ack) + ".v1"

// dropped are the numbers, by epoch, that a drop report in the log accounts for; own is its epoch.
func (s *session) dropped(r kafka.Record, own event.Epoch) map[event.Epoch][]uint64 {
	value := r.Value
	for _, h := range r.Headers {
		if h.Key == "ce_dataref" {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			var err error
			if value, err = s.Objects.Get(ctx, string(h.Value)); err != nil {
				s.Logger.Error("a drop report in the object store can't be read; its edge will send it again", "object", string(h.Value), telemetry.Err, err)
				return nil
			}
		}
	}
	var report event.DropReport
	if json.Unmarshal(value, &report) != nil {
		return nil
	}
	seqs := map[event.Epoch][]uint64{}
	for epoch, d := range report.Each(own) {
		if epoch.Valid() && d.Seq > 0 && d.Seq < math.MaxUint64 {
			seqs[epoch] = append(seqs[epoch], d.Seq)
		}
	}
	return seqs
}
