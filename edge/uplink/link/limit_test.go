package link_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloudcanvas/edge/uplink"
	"cloudcanvas/edge/uplink/link"
	"cloudcanvas/edge/uplink/uplinktest"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

const edge = "boat"

// box is a buffer of one epoch.
type box struct{ *uplinktest.Box }

func (box) Epoch() event.Epoch          { return "first" }
func (box) Epochs() []event.EpochReport { return nil }
func (box) Troubles() []event.Trouble   { return nil }

// cloud answers each item that is whole with a receipt, as the bridge does.
func cloud(t *testing.T, url string, answers bool, largest *atomic.Int64, came *sync.Map) {
	c, err := mqtt.Dial(t.Context(), mqtt.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	type whole struct {
		of   uint32
		seen map[uint32]bool
	}
	parts := map[uint64]*whole{}
	stands := make(chan struct{})
	var once sync.Once
	c.SubscribeThen("canvas/v1/"+edge+"/up/#", 1, func(m mqtt.Message) {
		if l := int64(len(m.Payload)); l > largest.Load() {
			largest.Store(l)
		}
		i, err := event.UnmarshalMQTT(m.Payload)
		if err != nil {
			t.Error(err)
			return
		}
		if i.Kind == event.Part {
			w := parts[i.Seq]
			if w == nil || w.of != i.Attrs.Parts {
				w = &whole{i.Attrs.Parts, map[uint32]bool{}}
				parts[i.Seq] = w
			}
			if w.seen[i.Attrs.Part] = true; len(w.seen) < int(w.of) {
				return
			}
		}
		if came.Store(i.Seq, true); !answers {
			return
		}
		answer, err := event.Receipt{Epoch: i.Epoch, Above: []event.Range{{From: i.Seq, To: i.Seq}}}.Item(edge, time.Now())
		if err != nil {
			t.Error(err)
		}
		r, err := answer.MarshalMQTT()
		if err != nil {
			t.Error(err)
		}
		go c.Publish(context.Background(), event.ReceiptsTopic(edge), 1, false, r)
	}, func() { once.Do(func() { close(stands) }) })
	t.Cleanup(c.Close)
	<-stands
}

// said is a log that tests read while it is written.
type said struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.String()
}

// send runs an uplink to a broker until nothing waits.
func send(t *testing.T, url, receipts, memory string, b box, log *said) (u *uplink.Uplink, stop func()) {
	t.Helper()
	out := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(t.Context())
	l, err := link.Dial(ctx, link.Options{URL: url, Edge: edge, Buffer: b, Log: out})
	if err != nil {
		t.Fatal(err)
	}
	c := uplink.DefaultConfig()
	c.ReceiptTimeout, c.Receipts = 2*time.Second, receipts
	if u, err = uplink.New(b, l, c, uplink.Options{Log: out, StateFile: memory, Broker: "there:1883"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	return u, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		l.Close()
	})
}

func tile(seq uint64, size int) event.Item {
	data := bytes.Repeat([]byte{byte(seq)}, size)
	return event.Item{ID: event.NewID(time.Now()), SHA256: event.Sum(data), Seq: seq, Epoch: "first", Edge: edge, Stream: "yard", Subject: "yard", Time: time.Now(), Priority: event.Normal, Kind: event.Tile,
		Type: "application/octet-stream", Data: data}
}

func reading(seq uint64) event.Item {
	i := tile(seq, 20)
	i.Kind, i.Stream, i.Priority = event.Reading, "wind", event.High
	return i
}

func TestTheBrokersLimitIsLearntAndEverythingArrives(t *testing.T) {
	for limit, receipts := range map[string]string{"max_packet_size 65536": uplink.ReceiptsBridge, "message_size_limit 65536": uplink.ReceiptsBridge,
		"max_packet_size 65537": uplink.ReceiptsPUBACK, "message_size_limit 65537": uplink.ReceiptsPUBACK} {
		t.Run(limit+" "+receipts, func(t *testing.T) {
			t.Parallel()
			m := brokertest.StartMosquitto(t, limit)
			var largest atomic.Int64
			var came sync.Map
			cloud(t, m.URL, receipts == uplink.ReceiptsBridge, &largest, &came)
			b := box{uplinktest.NewBox()}
			log, memory := new(said), t.TempDir()+"/uplink.json"
			u, stop := send(t, m.URL, receipts, memory, b, log)
			defer stop()
			b.Add(reading(1), tile(2, 60<<10)) // the rate becomes known
			wait(t, log, func() bool { return !b.Waits(1) && !b.Waits(2) })
			b.Add(tile(3, 3<<20), tile(4, 1<<20))
			seq := uint64(10)
			wait(t, log, func() bool {
				seq++
				b.Add(reading(seq)) // life goes on
				return !b.Waits(3) && !b.Waits(4)
			})
			for seq = 100; seq < 140 && !strings.Contains(log.String(), "takes no packets above"); seq++ {
				b.Add(tile(seq, 2<<20))
				wait(t, log, func() bool { return !b.Waits(seq) })
				time.Sleep(500 * time.Millisecond)
			}
			p := u.Plan().Limit
			if p == nil || !p.Settled || p.Passed < 40<<10 || p.Passed > 67<<10 || !strings.Contains(p.Reason, "the broker at there:1883 takes no packets above about ") {
				t.Fatalf("%+v\n%s", p, log)
			}
			if n := strings.Count(log.String(), "takes no packets above"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, log)
			}
			t.Logf("%+v, the largest that came %d, connections %d", *p, largest.Load(), strings.Count(log.String(), "connected to the MQTT"))
			for n := range seq {
				if _, ok := came.Load(n); !ok && (n > 0 && n < 5 || n >= 100) {
					t.Errorf("%d is freed and did not come", n)
				}
			}
			// Another life knows it.
			stop()
			var again said
			_, stop = send(t, m.URL, receipts, memory, b, &again)
			defer stop()
			b.Add(tile(200, 2<<20))
			wait(t, &again, func() bool { return !b.Waits(200) })
			if n := strings.Count(again.String(), "connected to the MQTT"); n != 1 {
				t.Errorf("%d connections:\n%s", n, &again)
			}
		})
	}
}

// wait gives up on what never comes: how long the limit is looked for is the waits between the
// connections, which grow while the broker ends them.
func wait(t *testing.T, log *said, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not arrive\n%s", log)
		}
	}
}
