package uplink

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/edge/uplink/uplinktest"
	"cloudcanvas/shared/event"
)

func TestAcknowledgementsWithoutReceiptsAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		b, l := uplinktest.NewBox(item(1, event.Normal, 10)), newLink()
		u, err := New(b, l, DefaultConfig(), Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- u.Run(ctx) }()
		time.Sleep(119 * time.Second)
		synctest.Wait()
		if u.Plan().Silent {
			t.Error("reported too soon")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if !u.Plan().Silent {
			t.Error("not reported")
		}
		l.receipts <- event.Receipt{Epoch: "e", Through: 1}
		synctest.Wait()
		if u.Plan().Silent {
			t.Error("a receipt does not end it")
		}
		time.Sleep(time.Hour) // nothing waits any more
		synctest.Wait()
		cancel()
		<-done
		if n := strings.Count(said.String(), "no receipt comes"); n != 1 || !strings.Contains(said.String(), "receipts come again") {
			t.Errorf("logged %d times:\n%s", n, &said)
		}
	})
}

func TestALongTimeWithoutAConnectionIsNoSilence(t *testing.T) {
	var s silence
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	s.acked(now)
	s.disconnected(now.Add(time.Second))
	if s.tooLong(now.Add(time.Hour), 3, 30*time.Second) {
		t.Error("reported without a connection")
	}
	s.connected(now.Add(90*time.Minute), 30*time.Second)
	s.acked(now.Add(90 * time.Minute))
	if s.tooLong(now.Add(91*time.Minute), 3, 30*time.Second) {
		t.Error("the time before the connection counts")
	}
	// A broker that ends the connection at each message that it denies is away for moments only.
	for at := 92 * time.Minute; at < 95*time.Minute; at += 5 * time.Second {
		s.disconnected(now.Add(at))
		s.connected(now.Add(at+4*time.Second), 30*time.Second)
		s.acked(now.Add(at + 4*time.Second))
	}
	if !s.tooLong(now.Add(95*time.Minute), 3, 30*time.Second) {
		t.Error("a broker that throws everything away is not reported")
	}
}
