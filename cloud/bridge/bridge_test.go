package bridge_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

func TestMain(m *testing.M) {
	if runAsChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

func TestItemsGoWhereTheyBelong(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.broker.send(t, reading("mast", 1), item("mast", 2, event.Tile, []byte("tile")), item("mast", 3, event.Result, []byte("{}")), item("vessel", 1, event.Alert, []byte("{}")))
	w.receipted("mast", 3)
	w.receipted("vessel", 1)
	for topic, want := range map[string]int{event.EventsTopic: 2, event.WorkTopic: 1, event.ResultsTopic: 1, event.DLQTopic: 0} {
		if got := w.log.records(topic); len(got) != want {
			t.Errorf("%s holds %d records, %d expected", topic, len(got), want)
		}
	}
	for _, r := range w.log.records(event.EventsTopic) {
		if i, err := r.Item(); err != nil || string(r.Key) != i.Edge {
			t.Errorf("key %q of %+v, %v", r.Key, i, err)
		}
		if !r.Time.IsZero() {
			t.Error("a record bears the edge's clock, which Kafka may refuse")
		}
	}
}

func TestPubackComesOnlyAfterKafkaHasIt(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	asked := make(chan struct{}, 100)
	w.log.fault = func(int, []kafka.Record) error { asked <- struct{}{}; <-release; return nil }
	w.start()
	w.broker.send(t, readings("mast", 1, 5)...)
	<-asked
	if n := w.broker.acknowledged(); n != 0 {
		t.Errorf("%d messages acknowledged before Kafka has confirmed", n)
	}
	if r, _ := w.receipts.of("mast"); r.Through != 0 {
		t.Errorf("a receipt through %d before Kafka has confirmed", r.Through)
	}
	close(release)
	w.receipted("mast", 5)
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 5 })
}

func TestPubacksKeepTheOrderOfArrival(t *testing.T) {
	w := newWorld(t)
	w.start()
	var want []string
	for _, i := range readings("mast", 1, 500) {
		payload, _ := i.MarshalMQTT()
		want = append(want, string(payload))
		w.broker.publish(event.Topic(i.Edge, i.Priority, i.Kind), payload)
	}
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 500 })
	if !slices.Equal(w.broker.acked, want) {
		t.Error("the order differs")
	}
	if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, numbers(1, 500)) {
		t.Error("the order in Kafka differs")
	}
}

func TestReceiptSaysOnlyWhatKafkaHas(t *testing.T) {
	w := newWorld(t)
	w.receipts.check = func(edge string, r event.Receipt) {
		have := map[uint64]bool{}
		for _, seq := range w.log.seqs(t, event.EventsTopic) {
			have[seq] = true
		}
		for seq := uint64(1); seq <= 40; seq++ {
			if r.Has(seq) && !have[seq] {
				t.Errorf("a receipt for %d, which Kafka does not have", seq)
			}
		}
	}
	w.start()
	for _, seq := range []uint64{2, 4, 3, 9, 8, 20} {
		w.broker.send(t, reading("mast", seq))
	}
	eventually(t, "a receipt with ranges", func() bool {
		r, _ := w.receipts.of("mast")
		return r.Through == 0 && slices.Equal(r.Above, []event.Range{{From: 2, To: 4}, {From: 8, To: 9}, {From: 20, To: 20}})
	})
	status := w.bridge.Status()
	if len(status) != 1 || status[0].Highest != 20 || status[0].Missing != 14 || status[0].Since.IsZero() || status[0].Gaps[0] != (event.Range{From: 1, To: 1}) {
		t.Errorf("status: %+v", status)
	}
	w.broker.send(t, readings("mast", 1, 20)...)
	w.receipted("mast", 20)
	if status := w.bridge.Status(); status[0].Missing != 0 || !status[0].Since.IsZero() {
		t.Errorf("status: %+v", status)
	}
}

func TestDuplicateIsAcknowledgedAndReceiptedAgainButNotWrittenAgain(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.broker.send(t, reading("mast", 1))
	w.receipted("mast", 1)
	_, before := w.receipts.of("mast")
	w.broker.send(t, reading("mast", 1), reading("mast", 1))
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 3 })
	eventually(t, "another receipt", func() bool { _, n := w.receipts.of("mast"); return n > before })
	if n := len(w.log.records(event.EventsTopic)); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestReceiptThatFailedIsSentAgain(t *testing.T) {
	w := newWorld(t)
	w.receipts.fails = 1
	w.start()
	w.broker.send(t, reading("mast", 1))
	w.receipted("mast", 1)
}

func TestUnknownOutcomeIsLookedForInTheLog(t *testing.T) {
	w := newWorld(t)
	w.log.fault = func(n int, records []kafka.Record) error {
		if n > 1 {
			return nil
		}
		return w.log.fail(records, func(n int) (kafka.Outcome, bool, error) {
			switch n % 3 {
			case 0:
				return kafka.Confirmed, true, nil
			case 1:
				return kafka.Unknown, true, errors.New("timed out, but it landed")
			default:
				return kafka.Unknown, false, errors.New("timed out")
			}
		})
	}
	for _, i := range readings("mast", 1, 30) {
		w.broker.send(t, i)
	}
	w.broker.send(t, item("mast", 31, event.Tile, []byte("tile")))
	w.start()
	w.receipted("mast", 31)
	seqs := append(w.log.seqs(t, event.EventsTopic), w.log.seqs(t, event.WorkTopic)...)
	slices.Sort(seqs)
	if !slices.Equal(seqs, numbers(1, 31)) {
		t.Errorf("Kafka has %v", seqs)
	}
}

func TestKafkaAwayMeansNoPubackAndAnIntakeThatLeavesAndComesBack(t *testing.T) {
	w := newWorld(t)
	w.cfg.LeaveAfter = 30 * time.Millisecond
	w.cfg.QueueMessages, w.cfg.BatchMessages = 64, 32
	var back bool
	w.log.fault = func(_ int, records []kafka.Record) error {
		if back {
			return nil
		}
		return w.log.fail(records, func(int) (kafka.Outcome, bool, error) {
			return kafka.Refused, false, errors.New("connection refused")
		})
	}
	w.broker.send(t, readings("mast", 1, 300)...)
	w.start()
	eventually(t, "the intake comes and leaves", func() bool { return w.broker.hasRun() && !w.broker.isRunning() })
	if n := w.broker.acknowledged(); n != 0 {
		t.Errorf("%d messages acknowledged", n)
	}
	w.log.mu.Lock()
	back = true
	w.log.mu.Unlock()
	w.receipted("mast", 300)
	if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, numbers(1, 300)) {
		t.Errorf("Kafka has %v", got)
	}
}

func TestRestartKnowsWhatKafkaHas(t *testing.T) {
	for name, settle := range map[string]func(w *world){
		"WithACheckpoint": func(w *world) {
			eventually(w.t, "a checkpoint", func() bool { return len(w.log.records(event.BridgeTopic)) > 0 })
		},
		"WithoutOne": func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if name == "WithoutOne" {
				w.cfg.CheckpointEvery = time.Minute
			}
			w.start()
			report, _ := json.Marshal(event.DropReport{Drops: []event.Drop{{Seq: 7, Kind: event.Tile, Reason: "quota"}, {Seq: 8, Kind: event.Tile, Reason: "quota"}}})
			w.broker.send(t, readings("mast", 1, 5)...)
			w.broker.send(t, item("mast", 6, event.Tile, []byte("tile")), item("mast", 9, event.Ack, report), reading("mast", 12))
			w.receipted("mast", 9)
			settle(w)
			w.stop()
			if name == "WithoutOne" { // as after SIGKILL: the last one was not written either
				w.log.topics[event.BridgeTopic] = make([][]kafka.Record, 1)
			}
			w.broker = newMQTTBroker()
			w.receipts = &sentReceipts{latest: map[string]event.Receipt{}}
			w.start()
			w.broker.send(t, readings("mast", 1, 13)...)
			w.receipted("mast", 13)
			seqs := w.log.seqs(t, event.EventsTopic)
			if want := []uint64{1, 2, 3, 4, 5, 9, 12, 10, 11, 13}; !slices.Equal(seqs, want) {
				t.Errorf("Kafka's events are %v, not %v", seqs, want)
			}
		})
	}
}

func TestReceiptThatDiedWithTheBridgeIsSentByTheNext(t *testing.T) {
	w := newWorld(t)
	w.receipts.fails = 1 << 30
	w.start()
	w.broker.send(t, readings("mast", 1, 5)...)
	eventually(t, "a checkpoint", func() bool { return len(w.log.records(event.BridgeTopic)) > 0 })
	w.stop()
	w.receipts = &sentReceipts{latest: map[string]event.Receipt{}}
	w.start()
	w.receipted("mast", 5)
}

var errAway = errors.New("no route to the store")

func TestStoreAwayMeansNoPuback(t *testing.T) {
	w := newWorld(t)
	w.objects.break_(errAway)
	w.start()
	w.broker.send(t, item("mast", 1, event.Tile, make([]byte, 600<<10)))
	eventually(t, "the bridge is at it", func() bool { return w.broker.isRunning() })
	if w.broker.acknowledged() != 0 || len(w.log.records(event.WorkTopic)) != 0 {
		t.Error("it went on without the store")
	}
	w.objects.break_(nil)
	w.receipted("mast", 1)
}

func TestDropReportAccountsForWhatWillNeverCome(t *testing.T) {
	w := newWorld(t)
	w.start()
	report, _ := json.Marshal(event.DropReport{Drops: []event.Drop{{Seq: 2}, {Seq: 3}}})
	w.broker.send(t, reading("mast", 1), item("mast", 4, event.Ack, report))
	w.receipted("mast", 4)
}

func TestOneBridgeWorksAtATime(t *testing.T) {
	w := newWorld(t)
	space := local.NewSpace()
	first, second := space.Coordinator("first"), space.Coordinator("second")
	defer first.Close()
	defer second.Close()
	run := func(c slots.Leases) (*bridge.Bridge, *mqttBroker, func()) {
		mail := newMQTTBroker()
		b, err := bridge.New(w.cfg, bridge.Parts{Intake: mail, Log: w.log, Objects: w.objects, Receipts: w.receipts, Leases: c})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := newContext()
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Run(ctx)
		}()
		return b, mail, func() { cancel(); <-done }
	}
	_, mailA, stopA := run(first)
	eventually(t, "the first works", mailA.isRunning)
	b, mailB, stopB := run(second)
	defer stopB()
	mailA.send(t, readings("mast", 1, 3)...)
	w.receipted("mast", 3)
	if mailB.isRunning() {
		t.Error("both work")
	}
	eventually(t, "the second says that it stands by", func() bool { return errors.Is(b.Ready(), bridge.ErrStandingBy) })
	stopA()
	mailB.send(t, readings("mast", 2, 4)...)
	w.receipted("mast", 4)
	if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, numbers(1, 4)) {
		t.Errorf("Kafka has %v", got)
	}
}

func TestEveryMistakeInTheConfigurationIsTold(t *testing.T) {
	var fields []string
	c := bridge.DefaultConfig()
	c.ClientID, c.QueueMessages, c.InlineBytes, c.ReceiptEvery, c.LeaveAfter = "a/b", -1, 1<<30, -1, 100*time.Hour
	c.Edges = []string{"mast-*", "[", ""}
	c.Problems(func(field, message, hint string) { fields = append(fields, field) })
	if got := strings.Join(fields, " "); got != "client_id queue_messages inline_bytes receipt_every leave_after batch_messages edges.1 edges.2" {
		t.Errorf("told %s", got)
	}
	bridge.DefaultConfig().Problems(func(field, message, _ string) { t.Errorf("the default %s %s", field, message) })
	bridge.Config{}.Problems(func(field, message, _ string) { t.Errorf("the zero %s %s", field, message) })
}
