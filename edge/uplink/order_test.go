package uplink

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/edge/uplink/uplinktest"
	"cloudcanvas/shared/event"
)

// slow is a buffer whose items take longer or shorter to load, and some of which can't be loaded the
// first time.
type slow struct {
	*uplinktest.Box
	mu      sync.Mutex
	refused map[uint64]bool
}

func (s *slow) Load(seq uint64) (event.Item, error) {
	for range rand.IntN(100) {
		runtime.Gosched()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq%97 == 0 && !s.refused[seq] {
		s.refused[seq] = true
		return event.Item{}, errors.New("not just now")
	}
	return s.Box.Load(seq)
}

// flapping is a link whose connection breaks now and then; what is on its way then may have arrived.
type flapping struct {
	*link
	left int
}

func (f *flapping) Send(ctx context.Context, i event.Item, handed func()) error {
	f.mu.Lock()
	if f.left--; f.left == 0 {
		f.left = 40
		if i.Seq%2 == 0 {
			f.sent = append(f.sent, sending{item: i})
		}
		f.up = make(chan struct{})
		up := f.up
		f.mu.Unlock()
		handed()
		time.AfterFunc(time.Millisecond, func() { close(up) })
		return errors.New("the connection is lost")
	}
	f.mu.Unlock()
	return f.link.Send(ctx, i, handed)
}

func TestReadingsLeaveInTheirOrderWhateverFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 400
		b := &slow{Box: uplinktest.NewBox(), refused: map[uint64]bool{}}
		for seq := uint64(1); seq <= n; seq++ {
			i := item(seq, event.Normal, int(seq*7919%50))
			i.Kind, i.Stream = event.Reading, []string{"boiler", "tank"}[seq%2]
			b.Add(i)
		}
		l := &flapping{link: newLink(), left: 40}
		_, stop := running(t, b, l, DefaultConfig(), Options{})
		defer stop()
		whole := map[uint64]bool{}
		newest := map[string]uint64{}
		for began := time.Now(); len(whole) < n; time.Sleep(100 * time.Millisecond) { // of the bubble's time
			if time.Since(began) > time.Hour {
				t.Fatalf("%d of %d came", len(whole), n)
			}
			r := event.Receipt{Epoch: "e"}
			for _, s := range l.went() {
				if i := s.item; !whole[i.Seq] {
					if whole[i.Seq] = true; i.Seq < newest[i.Stream] {
						t.Errorf("%d of %s came after %d", i.Seq, i.Stream, newest[i.Stream])
					}
					newest[i.Stream] = max(newest[i.Stream], i.Seq)
					r.Above = append(r.Above, event.Range{From: i.Seq, To: i.Seq})
				}
			}
			if len(r.Above) > 0 {
				l.receipts <- r
			}
		}
	})
}
