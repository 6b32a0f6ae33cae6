package uplink

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/edge/uplink/uplinktest"
	"cloudcanvas/shared/event"
)

func TestUrgentItemsGoFirstAndLargeOnesInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.Window, c.PartBytes = 1, 1024
		b, l := uplinktest.NewBox(item(1, event.Low, 10), item(2, event.Normal, 2500), item(3, event.Urgent, 10)), newLink()
		_, stop := running(t, b, l, c, Options{})
		synctest.Wait()
		stop()
		var whole []byte
		for _, s := range l.went() {
			if i := s.item; i.Seq == 2 {
				if i.Kind != event.Part || i.Attrs.Parts != 3 || i.Attrs.PartOf != event.Tile || int(i.Attrs.Part) != (len(whole)+1)*3/2500 {
					t.Errorf("part %+v", i.Attrs)
				}
				whole = append(whole, i.Data...)
			}
		}
		if order := l.seqs(); !slices.Equal(order, []uint64{3, 2, 2, 2, 1}) {
			t.Errorf("sent in the order %v", order)
		}
		if !bytes.Equal(whole, item(2, event.Normal, 2500).Data) {
			t.Error("the parts are not the whole")
		}
	})
}

func TestWithoutAReceiptAnItemGoesAgainAndLaterEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := uplinktest.NewBox(item(1, event.Normal, 10)), newLink()
		_, stop := running(t, b, l, DefaultConfig(), Options{})
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {29 * time.Second, 1}, {3 * time.Second, 2}, {57 * time.Second, 2}, {5 * time.Second, 3}} {
			time.Sleep(step.after)
			synctest.Wait()
			if got := len(l.went()); got != step.want {
				t.Fatalf("after %s more: sent %d times, not %d", step.after, got, step.want)
			}
		}
		l.receipts <- event.Receipt{Epoch: "e", Through: 1}
		time.Sleep(time.Hour)
		synctest.Wait()
		stop()
		if len(l.went()) != 3 || b.Waits(1) {
			t.Errorf("sent %d times, waits %v", len(l.went()), b.Waits(1))
		}
	})
}

func TestOnlyThePartsThatTheCloudLacksGoAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.PartBytes = 1024
		b, l := uplinktest.NewBox(item(1, event.Normal, 8*1024)), newLink()
		_, stop := running(t, b, l, c, Options{})
		synctest.Wait()
		if n := len(l.went()); n != 8 {
			t.Fatalf("%d parts", n)
		}
		if b.Loads() != 1 {
			t.Errorf("the item was read %d times for its 8 parts", b.Loads())
		}
		l.receipts <- event.Receipt{Epoch: "e", Parts: []event.PartsHeld{{Seq: 1, Of: 8, Have: []event.Range{{From: 0, To: 4}, {From: 6, To: 7}}}}}
		time.Sleep(32 * time.Second)
		stop()
		if went := l.went(); len(went) != 9 || went[8].item.Attrs.Part != 5 {
			t.Errorf("%d sent, the last %+v", len(went), went[len(went)-1].item.Attrs)
		}
		// A new life of the device asks the buffer.
		b.Add(item(1, event.Normal, 8*1024))
		again := newLink()
		_, stop = running(t, b, again, DefaultConfig(), Options{})
		synctest.Wait()
		stop()
		if went := again.went(); len(went) != 1 || went[0].item.Attrs.Part != 5 || went[0].item.Attrs.Parts != 8 {
			t.Errorf("after a restart %d parts went", len(went))
		}
	})
}

// elsewhere is a buffer whose own numbers are others than the cloud's.
type elsewhere struct{ *uplinktest.Box }

func (e elsewhere) Load(seq uint64) (event.Item, error) {
	i, err := e.Box.Load(seq)
	i.Epoch, i.Seq = "old", seq-100
	return i, err
}

func (e elsewhere) Number(epoch event.Epoch, seq uint64) uint64 {
	if epoch != "old" {
		return 0
	}
	return seq + 100
}

func (e elsewhere) Receive(ctx context.Context, r event.Receipt) (int, error) {
	if r.Epoch != "old" {
		return 0, nil
	}
	r.Above, r.Parts = slices.Clone(r.Above), slices.Clone(r.Parts)
	for n := range r.Above {
		r.Above[n].From, r.Above[n].To = r.Above[n].From+100, r.Above[n].To+100
	}
	for n := range r.Parts {
		r.Parts[n].Seq += 100
	}
	return e.Box.Receive(ctx, r)
}

func TestReceiptsAndPUBACKsGoByTheCloudsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.PartBytes = 1024
		b, l := uplinktest.NewBox(item(101, event.Normal, 8*1024)), newLink()
		_, stop := running(t, elsewhere{b}, l, c, Options{})
		synctest.Wait()
		l.receipts <- event.Receipt{Epoch: "old", Parts: []event.PartsHeld{{Seq: 1, Of: 8, Have: []event.Range{{From: 1, To: 7}}}}}
		l.receipts <- event.Receipt{Epoch: "another", Parts: []event.PartsHeld{{Seq: 1, Of: 8, Have: []event.Range{{From: 0, To: 7}}}}}
		time.Sleep(32 * time.Second)
		stop()
		if went := l.went(); len(went) != 9 || went[8].item.Attrs.Part != 0 || went[8].item.Seq != 1 || went[8].item.Epoch != "old" {
			t.Errorf("%d sent, the last %+v", len(went), went[len(went)-1].item)
		}
		c.Receipts = ReceiptsPUBACK
		b, l = uplinktest.NewBox(item(101, event.Normal, 10)), newLink()
		_, stop = running(t, elsewhere{b}, l, c, Options{})
		time.Sleep(2 * time.Second)
		stop()
		if b.Waits(101) {
			t.Error("still waits")
		}
	})
}

func TestALinkThatRefusesIsTriedAgainAndOneThatIsDownIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := uplinktest.NewBox(item(1, event.Normal, 10), item(2, event.Normal, 300<<10)), newLink()
		l.refuse = errors.New("no")
		_, stop := running(t, b, l, DefaultConfig(), Options{})
		time.Sleep(5 * time.Second)
		l.mu.Lock()
		l.refuse = nil
		l.mu.Unlock()
		time.Sleep(10 * time.Second)
		stop()
		seen := map[[3]uint64]bool{}
		for _, s := range l.went() {
			key := [3]uint64{s.item.Seq, uint64(s.item.Attrs.Part), uint64(s.item.Attrs.Parts)}
			if seen[key] {
				t.Errorf("%v was sent twice", key)
			}
			seen[key] = true
		}
		if !seen[[3]uint64{1, 0, 0}] || len(seen) < 4 {
			t.Errorf("%d messages", len(seen))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b, l := uplinktest.NewBox(item(1, event.Normal, 10)), newLink()
		l.up = make(chan struct{})
		_, stop := running(t, b, l, DefaultConfig(), Options{})
		time.Sleep(time.Hour)
		if len(l.went()) != 0 {
			t.Error("sent without a connection")
		}
		close(l.up)
		synctest.Wait()
		stop()
		if len(l.went()) != 1 {
			t.Error("not sent when the connection came")
		}
	})
}

func TestWithAPlainBrokerThePUBACKFrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.Receipts = ReceiptsPUBACK
		b, l := uplinktest.NewBox(item(1, event.Normal, 10), item(2, event.Normal, 10)), newLink()
		_, stop := running(t, b, l, c, Options{})
		time.Sleep(2 * time.Second)
		stop()
		if b.Waits(1) || b.Waits(2) {
			t.Error("still waits")
		}
	})
}

func TestAnAlertPassesABacklogWithinASecond(t *testing.T) {
	for name, c := range map[string]struct {
		rate  float64
		delay time.Duration
		most  time.Duration // until the alert has left, its own time on the link aside
	}{
		"1 kB/s":        {1000, 200 * time.Millisecond, 2 * time.Second},
		"10 kB/s":       {10_000, 600 * time.Millisecond, time.Second},
		"a megabit":     {125_000, 100 * time.Millisecond, time.Second},
		"100 megabit":   {12.5e6, 20 * time.Millisecond, time.Second},
		"geostationary": {250_000, 600 * time.Millisecond, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			b, l := uplinktest.NewBox(item(1, event.Normal, int(min(c.rate*800, 20e6))), item(2, event.Normal, 30_000)), newLink()
			l.rate, l.delay = c.rate, c.delay
			_, stop := running(t, b, l, DefaultConfig(), Options{})
			time.Sleep(60 * time.Second)
			for n := range uint64(5) {
				b.Add(item(100+n, event.Urgent, 300))
				born := time.Now()
				time.Sleep(7 * time.Second)
				synctest.Wait()
				went := l.went()
				i := slices.IndexFunc(went, func(s sending) bool { return s.item.Seq == 100+n })
				if i < 0 {
					t.Errorf("%s: the alert is still here", name)
					continue
				}
				own := time.Duration(812 / c.rate * float64(time.Second))
				if took := went[i].left.Sub(born) - own; took > c.most {
					t.Errorf("%s: the alert left after %s", name, took)
				}
			}
			sum := 0.0
			for _, s := range l.went() {
				sum += float64(len(s.item.Data) + 512)
			}
			if fill := sum / c.rate / time.Since(l.went()[0].at).Seconds(); fill < 0.75 && c.rate < 1e6 {
				t.Errorf("%s: %.2f of the link is used", name, fill)
			}
			stop()
		})
	}
}

func TestNothingGoesOutsideTheWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := uplinktest.NewBox(item(1, event.Urgent, 10), item(2, event.Normal, 40<<10)), newLink()
		l.rate = 10_000
		c := DefaultConfig()
		start := time.Now().Add(time.Hour).UTC()
		c.Contacts.List = []contact.Entry{
			{From: start.Format(time.RFC3339), To: start.Add(2 * time.Second).Format(time.RFC3339), BytesPerSecond: 10_000},
			{From: start.Add(time.Hour).Format(time.RFC3339), To: start.Add(2 * time.Hour).Format(time.RFC3339), BytesPerSecond: 10_000},
		}
		u, stop := running(t, b, l, c, Options{})
		time.Sleep(59 * time.Minute)
		v := u.Next(3)
		if len(l.went()) > 0 || v.Open || v.Window == nil || !v.Window.From.Equal(start) || len(v.Next) != 2 || v.Next[0].Seq != 1 || len(v.Coming) != 2 {
			t.Errorf("before the window: %+v", v)
		}
		time.Sleep(30 * time.Minute)
		during := len(l.went())
		for _, s := range l.went() {
			if s.at.Before(start) || s.left.After(start.Add(2*time.Second)) {
				t.Errorf("a part went from %s to %s", s.at, s.left)
			}
		}
		if during < 3 {
			t.Errorf("%d messages in two seconds", during)
		}
		time.Sleep(time.Hour)
		v = u.Plan()
		stop()
		if len(l.went()) <= during || !v.Open || len(v.Past) != 1 || v.Waiting != 0 {
			t.Errorf("in the second window: %d messages, %+v", len(l.went()), v)
		}
	})
}

func TestTheBudgetOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.PartBytes, c.Budget.BytesPerDay = 10_000, 50_000
		memory := filepath.Join(t.TempDir(), "uplink.json")
		b, l := uplinktest.NewBox(), newLink()
		for seq := range uint64(20) {
			b.Add(item(seq+1, event.Normal, 9000))
		}
		_, stop := running(t, b, l, c, Options{StateFile: memory})
		time.Sleep(time.Minute)
		stop()
		first := len(l.went())
		b.Add(item(100, event.Normal, 9000))
		u, stop := running(t, b, l, c, Options{StateFile: memory})
		time.Sleep(time.Minute)
		if first == 0 || len(l.went()) != first {
			t.Errorf("%d messages went, %d after a restart", first, len(l.went())-first)
		}
		if left := u.Plan().Budget.Day; left < 5000 || left > 15_000 {
			t.Errorf("%d bytes are left", left)
		}
		time.Sleep(25 * time.Hour)
		stop()
		if len(l.went()) == first {
			t.Error("nothing went the next day")
		}
	})
}
