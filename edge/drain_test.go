package edge

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/uplink"
	"cloudcanvas/shared/event"
)

// swift is a link that takes everything, and a cloud that says so.
type swift struct {
	up       chan struct{}
	receipts chan event.Receipt
	alert    chan struct{} // closed when one comes

	mu   sync.Mutex
	seqs []uint64
	once sync.Once
}

func newSwift() *swift {
	s := &swift{up: make(chan struct{}), receipts: make(chan event.Receipt, 64), alert: make(chan struct{})}
	close(s.up)
	return s
}

func (s *swift) Send(_ context.Context, i event.Item, _ func()) error {
	if i.Kind == event.Alert {
		s.once.Do(func() { close(s.alert) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seqs = append(s.seqs, i.Seq); len(s.seqs) < 500 && i.Kind != event.Alert {
		return nil
	}
	slices.Sort(s.seqs)
	r := event.Receipt{Epoch: i.Epoch}
	for _, seq := range slices.Compact(s.seqs) {
		if n := len(r.Above); n > 0 && r.Above[n-1].To+1 == seq {
			r.Above[n-1].To = seq
		} else {
			r.Above = append(r.Above, event.Range{From: seq, To: seq})
		}
	}
	s.seqs = nil
	s.receipts <- r
	return nil
}
func (s *swift) Up() <-chan struct{}            { return s.up }
func (s *swift) Receipts() <-chan event.Receipt { return s.receipts }

// BenchmarkDrain sends a backlog of readings through the real buffer and the real scheduler, and holds
// its rate against that of a buffer that is empty but for what has just been committed. An alert in
// the middle must not wait for the backlog.
func BenchmarkDrain(b *testing.B) {
	for b.Loop() {
		empty, _ := drained(b, 0)
		full, alert := drained(b, 500_000)
		b.ReportMetric(empty, "items/s-empty")
		b.ReportMetric(full, "items/s-backlog")
		b.ReportMetric(full/empty, "ratio")
		b.ReportMetric(alert.Seconds()*1000, "alert-ms")
	}
}

// drained gives the items a second that go with such a backlog, and how long an alert waits in it.
func drained(b *testing.B, backlog int) (rate float64, alert time.Duration) {
	const counted = 30_000
	box, err := outbox.Open(b.TempDir(), "mast", outbox.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer box.Close()
	commit := func(n int) {
		answers := make([]<-chan outbox.Answer, n)
		for i := range answers {
			answers[i] = box.Submit(b.Context(), outbox.Draft{Kind: event.Reading, Stream: "s", Subject: "s", Priority: event.Normal, Value: 0.5, Data: make([]byte, 1000)})
		}
		for _, a := range answers {
			if a := <-a; a.Err != nil {
				b.Fatal(a.Err)
			}
		}
	}
	for n := 0; n < backlog; n += 1000 {
		commit(1000)
	}
	link := newSwift()
	up, err := uplink.New(box, link, uplink.DefaultConfig(), uplink.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	start := time.Now()
	go func() { ended <- up.Run(ctx) }()
	if backlog == 0 {
		for range counted/1000 + 1 {
			commit(1000)
		}
	} else {
		for box.Stats().Received < counted/2 {
			time.Sleep(time.Millisecond)
		}
		at := time.Now()
		<-box.Submit(ctx, outbox.Draft{Kind: event.Alert, Stream: "s", Subject: "s", Priority: event.Urgent, Value: 1, Data: []byte("{}")})
		<-link.alert
		alert = time.Since(at)
	}
	for box.Stats().Received < counted {
		time.Sleep(time.Millisecond)
	}
	rate = float64(box.Stats().Received) / time.Since(start).Seconds()
	cancel()
	<-ended
	return rate, alert
}
