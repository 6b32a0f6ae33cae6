package bridge_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// other is another item under the same number.
func other(edge string, seq uint64) event.Item {
	return item(edge, seq, event.Reading, fmt.Appendf(nil, `{"other":%d}`, seq))
}

// under is the same item under another number.
func under(i event.Item, epoch event.Epoch, seq uint64) event.Item {
	i.Epoch, i.Seq = epoch, seq
	return i
}

// online posts what an edge says of itself when it comes online.
func (w *world) online(edge string, connection uint64, epochs ...event.Epoch) {
	w.t.Helper()
	s := event.Status{Status: event.Online, Edge: edge, Epoch: epochs[0], Version: "test", Connection: connection}
	for _, e := range epochs {
		s.Epochs = append(s.Epochs, event.EpochReport{Epoch: e})
	}
	payload, err := json.Marshal(s)
	if err != nil {
		w.t.Fatal(err)
	}
	w.broker.publish(event.StatusTopic(edge), payload)
}

// ofEpoch is the latest receipt of an epoch.
func (p *sentReceipts) ofEpoch(edge string, e event.Epoch) event.Receipt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epochs[edge+" "+string(e)]
}

// forgetsCheckpoints lets the next bridge find an empty canvas.bridge, as after a SIGKILL in its first seconds.
func (w *world) forgetsCheckpoints() {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.log.topics[event.BridgeTopic] = make([][]kafka.Record, 1)
}

func TestAnotherItemUnderANumberIsNeverTakenForTheOneThatKafkaHas(t *testing.T) {
	for name, restart := range map[string]func(w *world){
		"SameBridge":             func(*world) {},
		"NextBridge":             func(w *world) { w.stop(); w.broker = newMQTTBroker(); w.start() },
		"NextBridgeFromLogAlone": func(w *world) { w.stop(); w.forgetsCheckpoints(); w.broker = newMQTTBroker(); w.start() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			w.online("mast", 1, epoch)
			w.broker.send(t, readings("mast", 1, 9)...)
			w.receipted("mast", 9)
			restart(w)
			w.online("mast", 1, epoch)
			w.broker.send(t, other("mast", 7), reading("mast", 8))
			eventually(t, "a receipt names what Kafka has", func() bool {
				r := w.receipts.ofEpoch("mast", epoch)
				return len(r.Conflicts) == 1 && r.Conflicts[0] == event.Known{Seq: 7, ID: reading("mast", 7).ID} &&
					r.Last != nil && *r.Last == event.Known{Seq: 9, ID: reading("mast", 9).ID}
			})
			if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, numbers(1, 9)) {
				t.Errorf("Kafka has %v", got)
			}
			if n := len(w.log.records(event.DLQTopic)); n != 0 {
				t.Errorf("%d dead letters", n)
			}
			// The device begins a new epoch and sends it again.
			w.broker.send(t, under(other("mast", 7), "e2", 1))
			eventually(t, "a receipt of the new epoch", func() bool { return w.receipts.ofEpoch("mast", "e2").Through == 1 })
			if n := len(w.log.records(event.EventsTopic)); n != 10 {
				t.Errorf("%d records", n)
			}
		})
	}
}

func TestWhatADeviceOfAnEarlierProgramSendsUnderAnUsedNumberGoesToTheDeadLetters(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.broker.publish(event.StatusTopic("mast"), []byte(`{"status":"online","edge":"mast","epoch":"`+string(epoch)+`","version":"1"}`))
	w.broker.send(t, readings("mast", 1, 3)...)
	w.receipted("mast", 3)
	w.broker.send(t, other("mast", 2), other("mast", 2))
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 6 })
	deadLetters := w.log.records(event.DLQTopic)
	if len(deadLetters) != 1 {
		t.Fatalf("%d dead letters", len(deadLetters))
	}
	if reason := header(deadLetters[0], deadletter.HeadReason); !strings.Contains(reason, "number 2 of epoch "+string(epoch)+" is another item than Kafka has") || header(deadLetters[0], deadletter.HeadException) != "bridge.Conflict" {
		t.Errorf("the reason is %q", reason)
	}
	if i, err := event.UnmarshalMQTT(deadLetters[0].Value); err != nil || i.ID != other("mast", 2).ID {
		t.Errorf("the dead letter is not whole: %v", err)
	}
}

func TestItemThatIsSentAgainUnderANewNumberIsNotWrittenTwice(t *testing.T) {
	for name, restart := range map[string]func(w *world){
		"SameBridge":             func(*world) {},
		"NextBridge":             func(w *world) { w.stop(); w.broker = newMQTTBroker(); w.start() },
		"NextBridgeFromLogAlone": func(w *world) { w.stop(); w.forgetsCheckpoints(); w.broker = newMQTTBroker(); w.start() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			w.broker.send(t, readings("mast", 1, 5)...)
			w.receipted("mast", 5)
			restart(w)
			// No receipt may cover the new numbers before a checkpoint does: the log will never tell of them.
			w.receipts.mu.Lock()
			w.receipts.check = func(edge string, r event.Receipt) {
				if r.Epoch == "e2" && w.savedThrough(edge, "e2") < min(r.Through, 5) {
					t.Errorf("a receipt through %d of numbers that no checkpoint has", r.Through)
				}
			}
			w.receipts.mu.Unlock()
			for seq := uint64(1); seq <= 5; seq++ {
				w.broker.send(t, under(reading("mast", seq), "e2", seq))
			}
			eventually(t, "a receipt of the new epoch", func() bool { return w.receipts.ofEpoch("mast", "e2").Through == 5 })
			w.stop()
			w.broker = newMQTTBroker()
			w.start()
			w.broker.send(t, under(reading("mast", 6), "e2", 6))
			eventually(t, "the next bridge knows them", func() bool { return w.receipts.ofEpoch("mast", "e2").Through == 6 })
			if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, numbers(1, 6)) {
				t.Errorf("Kafka has %v", got)
			}
		})
	}
}

// savedThrough is the watermark in the latest checkpoint.
func (w *world) savedThrough(edge string, e event.Epoch) (through uint64) {
	for _, r := range w.log.records(event.BridgeTopic) {
		var c struct {
			Edges map[string]map[event.Epoch]struct{ Through uint64 }
		}
		if err := json.Unmarshal(r.Value, &c); err != nil {
			w.t.Error(err)
		}
		if a, ok := c.Edges[edge][e]; ok {
			through = a.Through
		}
	}
	return through
}

func TestOnlineIsAnsweredForEachEpochThatIsKnown(t *testing.T) {
	w := newWorld(t)
	w.start()
	for n, e := range []event.Epoch{"e1", "e2", "e3"} {
		for seq := range uint64(n + 1) {
			w.broker.send(t, under(reading("mast", uint64(10*n)+seq), e, seq+1))
		}
	}
	eventually(t, "receipts", func() bool { return w.receipts.ofEpoch("mast", "e3").Through == 3 })
	w.receipts.clear()
	w.online("mast", 1, "e9", "e3", "e1", "e8")
	eventually(t, "receipts for what is known, and for the current epoch", func() bool {
		return w.receipts.ofEpoch("mast", "e3").Through == 3 && w.receipts.ofEpoch("mast", "e1").Through == 1 && w.receipts.ofEpoch("mast", "e9").Epoch == "e9"
	})
	if r := w.receipts.ofEpoch("mast", "e8"); r.Epoch != "" {
		t.Errorf("a receipt for an epoch that was never heard of: %+v", r)
	}
}

func TestTwinsAreTold(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.online("mast", 1, "e1")
	w.online("mast", 1, "e2")
	w.online("mast", 1, "e1") // retained, or delivered again
	w.broker.send(t, under(reading("mast", 1), "e2", 1))
	eventually(t, "a receipt", func() bool { return w.receipts.ofEpoch("mast", "e2").Through == 1 })
	if r := w.receipts.ofEpoch("mast", "e2"); r.Twin != "" {
		t.Errorf("a restart is taken for a twin: %+v", r)
	}
	w.online("mast", 2, "e1")
	eventually(t, "both are told", func() bool {
		return w.receipts.ofEpoch("mast", "e1").Twin == "e2" && w.receipts.ofEpoch("mast", "e2").Twin == "e1"
	})
	twins := 0
	for _, s := range w.bridge.Status() {
		if s.Twin != "" {
			twins++
		}
	}
	if twins != 2 {
		t.Errorf("the status names %d", twins)
	}
}

func TestDropsOfEarlierEpochsCountForThem(t *testing.T) {
	for name, restart := range map[string]bool{"SameBridge": false, "FromTheLogAlone": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			report, _ := json.Marshal(event.DropReport{Drops: []event.Drop{{Seq: 1}}, Earlier: []event.EpochDrops{{Epoch: "e0", Drops: []event.Drop{{Seq: 1}, {Seq: 2}}}}})
			w.broker.send(t, item("mast", 2, event.Ack, report))
			w.receipted("mast", 2)
			if restart {
				w.stop()
				w.forgetsCheckpoints()
				w.broker = newMQTTBroker()
				w.start()
			}
			w.online("mast", 1, epoch, "e0")
			eventually(t, "a receipt of the earlier epoch", func() bool { return w.receipts.ofEpoch("mast", "e0").Through == 2 })
		})
	}
}
