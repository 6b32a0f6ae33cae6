package integration

import (
	"errors"
	"maps"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// ledgers are what Kafka knows of one epoch of a device's buffer.
type ledgers struct {
	times   map[uint64]int // how often each number came
	dropped map[uint64]bool
	items   []event.Item
}

// inKafka reads everything of the device's, by the buffer's epoch.
func (s *site) inKafka() map[event.Epoch]*ledgers {
	s.t.Helper()
	all := map[event.Epoch]*ledgers{}
	of := func(epoch event.Epoch) *ledgers {
		if all[epoch] == nil {
			all[epoch] = &ledgers{times: map[uint64]int{}, dropped: map[uint64]bool{}}
		}
		return all[epoch]
	}
	for _, i := range s.arrived() {
		l := of(i.Epoch)
		l.times[i.Seq]++
		l.items = append(l.items, i)
		if i.Kind != event.Ack {
			continue
		}
		report, err := event.ParseDropReport(i)
		if err != nil {
			s.t.Fatal(err)
		}
		for epoch, d := range report.Each(i.Epoch) {
			of(epoch).dropped[d.Seq] = true
		}
	}
	return all
}

// arrived are the device's items in Kafka, those of one topic in the order of their offsets: all have one
// key, and so one partition.
func (s *site) arrived() (items []event.Item) {
	s.t.Helper()
	for _, topic := range countedTopics {
		offsets, err := s.kafka.Offsets(s.t.Context(), topic)
		if errors.Is(err, kafkago.UnknownTopicOrPartition) {
			continue // the bridge has not made it yet
		}
		if err != nil {
			s.t.Fatal(err)
		}
		for p, o := range offsets {
			err := s.kafka.Scan(s.t.Context(), topic, p, max(o.First, s.began[topic][p]), o.End, func(r kafka.Record) error {
				i, err := r.Item()
				if err == nil && i.Edge == s.name && i.Seq > 0 {
					items = append(items, i)
				}
				return err
			})
			if err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return items
}

// settle waits until nothing waits on the device any more and its drops are told.
func (s *site) settle(limit time.Duration) counts {
	s.t.Helper()
	var c counts
	var last uint64
	since := time.Now()
	defer func() {
		if s.t.Failed() {
			s.t.Logf("at the end %+v", c)
		}
	}()
	until(s.t, limit, "an empty buffer", func() bool {
		var err error
		if c, err = s.counts(); err != nil {
			return false
		}
		if c.committed != last || c.waiting != 0 {
			last, since = c.committed, time.Now()
		}
		return time.Since(since) > 2500*time.Millisecond // drops are reported every two seconds
	})
	return c
}

// epoch is the one in which the device commits now, as its status tells it.
func (s *site) epoch() (e event.Epoch) {
	s.t.Helper()
	topic := event.StatusTopic(s.name)
	ear := listen(s.t, s.mqtt.URL, topic)
	until(s.t, 2*time.Minute, "the device's status", func() bool {
		var status event.Status
		if ear.has(topic) {
			decodeJSON(s.t, []byte(ear.payload(topic)), &status)
		}
		e = status.Epoch
		return e != ""
	})
	return e
}

// balance counts ids at both ends once the buffer is empty: every number of every epoch is in Kafka
// once, or in the ledger; no number and no id is there twice; and together they are what the device
// has committed. What it gives are the items of all epochs.
func (s *site) balance(limit time.Duration) (c counts, l *ledgers) {
	s.t.Helper()
	var all map[event.Epoch]*ledgers
	for end := time.Now().Add(limit); ; { // a busy device tells its drops later
		c, all = s.settle(limit), s.inKafka()
		told := uint64(0)
		for _, each := range all {
			told += uint64(len(each.dropped))
		}
		if told == c.dropped || time.Now().After(end) {
			break
		}
	}
	if c.committed != c.received+c.dropped {
		s.t.Errorf("committed %d, received %d, ledger %d", c.committed, c.received, c.dropped)
	}
	s.once(all)
	if len(all) == 0 {
		s.t.Fatal("nothing of the buffer is in Kafka")
	}
	s.compare(c, all)
	l = &ledgers{}
	for _, each := range all {
		l.items = append(l.items, each.items...)
	}
	return c, l
}

// once sees to it that no number and no id came twice.
func (s *site) once(all map[event.Epoch]*ledgers) {
	s.t.Helper()
	ids := map[string]int{}
	for epoch, each := range all {
		doubled := 0
		for _, n := range each.times {
			if n > 1 {
				doubled++
			}
		}
		for _, i := range each.items {
			if ids[i.ID.String()]++; ids[i.ID.String()] > 1 {
				doubled++
			}
		}
		if doubled > 0 {
			s.t.Errorf("epoch %s: %d numbers or ids are in Kafka more than once", epoch, doubled)
		}
	}
}

// compare holds the device's counts, which go over all epochs, against Kafka's.
func (s *site) compare(c counts, all map[event.Epoch]*ledgers) {
	s.t.Helper()
	received, dropped, gaps := uint64(0), uint64(0), uint64(0)
	for _, l := range all {
		dropped += uint64(len(l.dropped))
		for seq := uint64(1); seq <= largest(l); seq++ {
			switch {
			case l.dropped[seq]:
			case l.times[seq] > 0:
				received++
			default:
				gaps++
			}
		}
	}
	lost := int64(c.committed) - int64(received) - int64(dropped)
	if lost != 0 || gaps != 0 || received != c.received || dropped != c.dropped {
		s.t.Errorf("the device says committed %d, received %d, ledger %d; Kafka says received %d, ledger %d in %d epochs; lost %d, %d gaps",
			c.committed, c.received, c.dropped, received, dropped, len(all), lost, gaps)
	}
	s.t.Logf("committed %d = received %d + ledger %d in %d epochs; lost %d", c.committed, c.received, c.dropped, len(all), lost)
}

// largest is the highest number that is known in any way.
func largest(l *ledgers) (seq uint64) {
	for n := range maps.Keys(l.times) {
		seq = max(seq, n)
	}
	for n := range maps.Keys(l.dropped) {
		seq = max(seq, n)
	}
	return seq
}

// readingNumbers are the numbers that the sensors gave their readings, and how often each came.
func (l *ledgers) readingNumbers(t testing.TB) map[int]int {
	t.Helper()
	numbers := map[int]int{}
	for _, i := range l.items {
		if i.Kind != event.Reading {
			continue
		}
		var d event.ReadingData
		decodeJSON(t, i.Data, &d)
		numbers[int(d.Values["n"])]++
	}
	return numbers
}
