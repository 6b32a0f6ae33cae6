package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/edge/uplink/uplinktest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// strict is a link to a broker that takes packets up to a size, and answers what is whole with a receipt.
type strict struct {
	*link
	takes    int64
	silently bool // what is larger is acknowledged and dropped
	mute     bool // nobody is there who gives receipts
	parts    map[uint64]map[uint32]bool
	of       map[uint64]uint32
	cuts     atomic.Int64
}

func newStrict(takes int64, silently bool) *strict {
	return &strict{link: newLink(), takes: takes, silently: silently, parts: map[uint64]map[uint32]bool{}, of: map[uint64]uint32{}}
}

func (s *strict) Send(_ context.Context, i event.Item, handed func()) error {
	handed()
	time.Sleep(20 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.up:
	default:
		return fmt.Errorf("%w: %w", mqtt.ErrConnectionLost, io.EOF)
	}
	if int64(len(i.Data)+schedule.Overhead) > s.takes {
		if s.silently {
			return nil
		}
		s.cuts.Add(1)
		up := make(chan struct{})
		s.up = up
		time.AfterFunc(time.Second, func() { close(up) })
		return fmt.Errorf("%w: %w", mqtt.ErrConnectionLost, io.EOF)
	}
	if i.Kind == event.Part {
		if s.of[i.Seq] != i.Attrs.Parts {
			s.of[i.Seq], s.parts[i.Seq] = i.Attrs.Parts, map[uint32]bool{}
		}
		if s.parts[i.Seq][i.Attrs.Part] = true; len(s.parts[i.Seq]) < int(i.Attrs.Parts) {
			return nil
		}
	}
	if s.mute {
		return nil
	}
	s.receipts <- event.Receipt{Epoch: "e", Above: []event.Range{{From: i.Seq, To: i.Seq}}}
	return nil
}

// life brings a small item each second for so long.
func life(b *uplinktest.Box, from uint64, seconds int) {
	for n := range seconds {
		i := item(from+uint64(n), event.High, 20)
		i.Kind, i.Stream = event.Reading, "wind"
		b.Add(i)
		time.Sleep(time.Second)
		synctest.Wait()
	}
}

func TestEverythingPassesABrokerWithALimit(t *testing.T) {
	for _, silently := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b, l := uplinktest.NewBox(), newStrict(65_536, silently)
			u, stop := running(t, b, l, DefaultConfig(), Options{Broker: "there:1883"})
			defer stop()
			for n := range uint64(20) {
				b.Add(item(n+1, event.Normal, 3<<20))
				life(b, 100+100*n, 60)
			}
			synctest.Wait()
			if b.Waiting() != 0 {
				t.Errorf("silently %v: %d of them do not pass: %+v", silently, b.Waiting(), u.Plan().Limit)
			}
			p := u.Plan().Limit
			if p == nil || p.Passed > 65_536 || p.Passed < 16<<10 || !strings.HasPrefix(p.Reason, "the broker at there:1883 takes no packets ") || l.cuts.Load() > 10 {
				t.Errorf("silently %v: %+v after %d cuts", silently, p, l.cuts.Load())
			}
		})
	}
}

func TestWithoutReceiptsReadingsGoOnWhileTheLimitIsLearnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := uplinktest.NewBox(), newStrict(65_536, false)
		l.mute = true
		c := DefaultConfig()
		c.Receipts = ReceiptsPUBACK
		u, stop := running(t, b, l, c, Options{Broker: "there:1883"})
		defer stop()
		b.Add(item(1, event.Normal, 60<<10), item(2, event.Normal, 60<<10)) // the rate becomes known
		life(b, 100, 5)
		b.Add(item(3, event.Normal, 225_250))
		life(b, 200, 20)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if b.Waiting() != 0 {
			t.Errorf("%d of them wait still", b.Waiting())
		}
		if p := u.Plan().Limit; p == nil || !p.Settled || p.Passed > 65_536 || l.cuts.Load() > 5 {
			t.Errorf("%+v after %d cuts", p, l.cuts.Load())
		}
	})
}

func TestSmallItemsOfManySizesDoNotHoldUpPictures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := uplinktest.NewBox(), newStrict(65_536, false)
		l.mute = true
		c := DefaultConfig()
		c.Receipts = ReceiptsPUBACK
		_, stop := running(t, b, l, c, Options{})
		defer stop()
		for n := range uint64(200) { // the rate becomes known
			b.Add(item(1000+n, event.High, 1000))
		}
		time.Sleep(3 * time.Second)
		b.Add(item(3, event.Normal, 225_250))
		time.Sleep(2 * time.Second)
		for n := range uint64(30) {
			b.Add(item(100+n, event.High, 1000+50*int(n)))
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if b.Waits(3) {
			t.Errorf("the picture and %d others wait", b.Waiting()-1)
		}
	})
}

func TestWhatCantBeCutSmallEnoughIsHeldAndTheOthersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := uplinktest.NewBox(), newStrict(1500, false)
		u, stop := running(t, b, l, DefaultConfig(), Options{})
		defer stop()
		b.Add(item(1, event.Normal, 32<<20), item(2, event.Normal, 100<<10)) // 4096 parts of 8 KiB are the most
		life(b, 100, 300)
		if !b.Waits(1) || b.Waiting() != 1 {
			t.Errorf("%d wait", b.Waiting())
		}
		if v := u.Plan(); v.Limit == nil || v.Limit.Held != 1 || v.Waiting != 1 || v.Hold != schedule.TooLarge {
			t.Errorf("%+v, %+v", v, v.Limit)
		}
		l.mu.Lock()
		l.takes = 1 << 20
		l.mu.Unlock()
		time.Sleep(6 * time.Hour)
		life(b, 1000, 300)
		if b.Waiting() != 0 {
			t.Errorf("%d wait although the limit is gone: %+v", b.Waiting(), u.Plan().Limit)
		}
	})
}

func TestAnItemThatIsTakenInNoSizeIsHeldForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := uplinktest.NewBox(), &denying{newStrict(1<<20, false)}
		u, stop := running(t, b, l, DefaultConfig(), Options{})
		defer stop()
		b.Add(item(1, event.Normal, 100<<10))
		life(b, 100, 300)
		if !b.Waits(1) || b.Waiting() != 1 {
			t.Errorf("%d wait", b.Waiting())
		}
		if p := u.Plan().Limit; p == nil || p.Held != 1 || p.Reason != "" {
			t.Errorf("%+v", p)
		}
		before := l.cuts.Load()
		life(b, 1000, 240)
		if l.cuts.Load() != before {
			t.Error("it still ends connections")
		}
	})
}

// denying ends the connection at tiles and their parts.
type denying struct{ *strict }

func (d *denying) Send(ctx context.Context, i event.Item, handed func()) error {
	if i.Kind == event.Tile || i.Attrs.PartOf == event.Tile {
		i.Data = make([]byte, 2<<20)
	}
	return d.strict.Send(ctx, i, handed)
}

func TestWithoutReceiptsARowIsFreedWhenTheConnectionHasOutlastedItsPUBACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.Receipts = ReceiptsPUBACK
		b, l := uplinktest.NewBox(item(1, event.Normal, 10)), newLink()
		_, stop := running(t, b, l, c, Options{})
		time.Sleep(100 * time.Millisecond)
		l.mu.Lock()
		up := make(chan struct{})
		l.up = up
		l.mu.Unlock()
		time.Sleep(5 * time.Second)
		if !b.Waits(1) {
			t.Error("freed although the broker ended the connection at once")
		}
		close(up)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		if b.Waits(1) || len(l.went()) != 2 {
			t.Errorf("waits %v, sent %d times", b.Waits(1), len(l.went()))
		}
	})
}

func TestOnlyTheOtherSideEndsAConnectionOverSize(t *testing.T) {
	if mqtt.Ended(context.Canceled) || mqtt.Ended(errors.New("pingresp not received, disconnecting")) || !mqtt.Ended(io.EOF) {
		t.Error("who ended it is not reported")
	}
}
