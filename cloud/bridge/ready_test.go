package bridge_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/shared/kafka"
)

func TestReadyTellsWhyNothingIsCarried(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	w.log.fault = func(_ int, records []kafka.Record) error {
		select {
		case <-release:
			return nil
		default:
			return w.log.fail(records, func(int) (kafka.Outcome, bool, error) {
				return kafka.Refused, false, errors.New("no leader")
			})
		}
	}
	w.start()
	eventually(t, "it is ready", func() bool { return w.bridge.Ready() == nil })
	w.broker.send(t, reading("mast", 1))
	eventually(t, "it tells of Kafka", func() bool {
		err := w.bridge.Ready()
		return err != nil && strings.Contains(err.Error(), "no leader")
	})
	close(release)
	w.receipted("mast", 1)
	eventually(t, "it is ready again", func() bool { return w.bridge.Ready() == nil })
	b := w.bridge
	w.stop()
	if b.Ready() == nil {
		t.Error("a bridge that has stopped says that it is ready")
	}
}

func TestStatusCountsWhatCameOfEachEdge(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.broker.send(t, readings("mast", 1, 5)...)
	w.receipted("mast", 5)
	w.broker.send(t, readings("mast", 2, 4)...)
	payload, _ := reading("mast", 6).MarshalMQTT()
	w.broker.publish("canvas/v1/mast/up/2/reading", bytes.Replace(payload, []byte(`{"n":6}`), []byte(`{"n":7}`), 1))
	w.broker.send(t, reading("vessel", 1))
	w.broker.publish("canvas/v1/stranger/up/2/reading", []byte("hello"))
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 11 })
	w.receipted("vessel", 1)
	want := map[string]dedup.Counts{"mast": {Written: 5, Duplicates: 3, Poison: 1}, "vessel": {Written: 1}}
	eventually(t, "the counts stand", func() bool {
		all := w.bridge.Status()
		for _, s := range all {
			if s.Counts != want[s.Edge] {
				return false
			}
		}
		return len(all) == len(want)
	})
}
