package packet

import (
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const floor = 1024

// broker takes packets up to a size.
type broker struct {
	takes int64
	now   time.Time
	lost  int
}

// send sends the largest packet that may go of those up to a size, alone, and says whether it passed.
func (b *broker) send(l *Limit, size int64) bool {
	if m := l.Most(); m > 0 {
		size = min(size, m)
	}
	b.now = b.now.Add(time.Second)
	if size > b.takes {
		b.lost++
		l.Ended(b.now, size, l.Alone())
		return false
	}
	l.Acknowledged(b.now, size, true)
	l.Received(b.now, size)
	return true
}

func TestTheLimitIsFoundWithFewLosses(t *testing.T) {
	for _, takes := range []int64{2000, 10_000, 65_536, 100_000, 131_000} {
		l, b := Limit{Floor: floor}, broker{takes: takes, now: start}
		b.send(&l, 600)
		for range 40 {
			b.send(&l, 131_584)
		}
		k := l.Known()
		if !k.Settled || k.Passed > takes || float64(k.Passed)*closeEnough*1.01 < float64(min(takes, k.Refused)) || l.Alone() || b.lost > 9 {
			t.Errorf("%d: %+v, %d losses, alone %v", takes, k, b.lost, l.Alone())
		}
		if r := l.Reason("there:1883"); !strings.HasPrefix(r, "the broker at there:1883 takes no packets above about ") {
			t.Errorf("%q", r)
		}
	}
}

// picture sends the parts of a picture: all are of one size.
func (b *broker) picture(l *Limit, size int64) {
	for left := size; left > 0; {
		part := int64(131_584)
		if m := l.Most(); m > 0 {
			part = m
		}
		part = size / ((size + part - 1) / part)
		if b.send(l, part) {
			left -= part
		}
		l.Tick(b.now)
	}
}

func TestPicturesThatAreAlikeSettleTheLimitWithinSeconds(t *testing.T) {
	for _, size := range []int64{225_250, 300_000, 140_000} {
		l, b := Limit{Floor: floor}, broker{takes: 65_536, now: start}
		b.send(&l, 600)
		for b.now.Sub(start) < 20*time.Second {
			b.picture(&l, size)
		}
		if k := l.Known(); !k.Settled || l.Alone() || k.Passed > 65_536 || k.Passed < 40_000 || b.lost > 5 {
			t.Errorf("%d: %+v after %d losses, alone %v", size, k, b.lost, l.Alone())
		}
	}
}

func TestSmallItemsDoNotSettleTheLimit(t *testing.T) {
	l, b := Limit{Floor: floor}, broker{takes: 65_536, now: start}
	b.send(&l, 600)
	b.send(&l, 131_584)
	b.send(&l, 131_584)
	for range 30 {
		b.send(&l, 600)
		l.Tick(b.now)
	}
	if k := l.Known(); k.Settled || k.Refused != 131_584 {
		t.Errorf("%+v", k)
	}
}

func TestALoweredLimitIsLearntOfLossesThatAreFarApart(t *testing.T) {
	l := Limit{Floor: floor}
	l.Restore(start, Known{Passed: 60_000, Refused: 66_000, Way: Ends, Settled: true})
	b := broker{takes: 20_000, now: start}
	for range 20 {
		b.send(&l, 131_584)
		for range 20 { // the connection is not back at once
			b.now = b.now.Add(time.Second)
			l.Tick(b.now)
		}
	}
	if k := l.Known(); k.Passed > 20_000 || k.Passed < 10_000 {
		t.Errorf("%+v", k)
	}
}

func TestALinkThatIsLostNowAndThenHasNoLimit(t *testing.T) {
	l, now := Limit{Floor: floor}, start
	for range 50 {
		l.Ended(now, 131_584, false)
		if l.Most() != 0 || !l.Alone() {
			t.Fatalf("most %d, alone %v", l.Most(), l.Alone())
		}
		now = now.Add(time.Second)
		l.Acknowledged(now, 131_584, true)
		if l.Alone() {
			t.Fatal("still alone after the packet in doubt has passed")
		}
	}
	l.Ended(now, 131_584, false)
	l.Tick(now.Add(2 * patience)) // nothing of the size is there any more
	if l.Alone() || l.Reason("") != "" {
		t.Error("doubt for ever")
	}
}

func TestABrokerThatTakesNothingHasNoLimit(t *testing.T) {
	l, b := Limit{Floor: floor}, broker{now: start}
	for range 100 {
		b.send(&l, 131_584)
		if r := l.Reason(""); r != "" {
			t.Fatal(r)
		}
	}
}

func TestWhatNoSizeHelpsIsTheItemsOwn(t *testing.T) {
	l, b := Limit{Floor: floor}, broker{takes: 700, now: start}
	b.send(&l, 600)
	unfit := false
	for range 40 {
		size := int64(floor)
		if m := l.Most(); m == 0 {
			size = 131_584
		}
		b.now = b.now.Add(time.Second)
		if unfit = l.Ended(b.now, max(size, l.Most()), l.Alone()); unfit {
			break
		}
	}
	if !unfit || l.Most() != 0 {
		t.Errorf("unfit %v, %+v", unfit, l.Known())
	}
}

func TestALimitThatWasRaisedIsNoticedWithOneTry(t *testing.T) {
	l := Limit{Floor: floor}
	l.Restore(start, Known{Passed: 60_000, Refused: 66_000, Way: Ends, Settled: true})
	b := broker{takes: 65_536, now: start}
	b.send(&l, 131_584)
	b.now = start.Add(forgetsAfter)
	l.Tick(b.now)
	if b.send(&l, 131_584); b.lost != 1 || l.Most() != 60_000 {
		t.Fatalf("%d losses, %+v", b.lost, l.Known())
	}
	b.takes = 1 << 20
	b.now = b.now.Add(forgetsAfter)
	l.Tick(b.now)
	if b.send(&l, 131_584); l.Most() != 0 || b.lost != 1 {
		t.Errorf("%+v", l.Known())
	}
}

func TestALimitThatWasLoweredIsNoticed(t *testing.T) {
	l, b := Limit{Floor: floor}, broker{takes: 1 << 20, now: start}
	b.send(&l, 131_584)
	b.takes = 65_536
	for range 30 {
		b.send(&l, 131_584)
	}
	if k := l.Known(); !k.Settled || k.Passed > 65_536 || k.Passed < 32_000 {
		t.Errorf("%+v", k)
	}
}

func TestTheLimitOfABrokerThatDropsWhatItAcknowledgesIsFoundByReceipts(t *testing.T) {
	l, now := Limit{Floor: floor}, start
	l.Received(now, 600)
	for range 20 {
		now = now.Add(30 * time.Second)
		size := int64(131_584)
		if m := l.Most(); m > 0 {
			size = m
		}
		l.Acknowledged(now, size, true)
		if size <= 65_536 {
			l.Received(now, size)
		} else {
			l.Missing(now, size)
		}
		if l.Alone() {
			t.Error("that a packet is alone helps nothing here")
		}
	}
	if k := l.Known(); !k.Settled || k.Way != Drops || k.Passed > 65_536 || k.Passed < 50_000 {
		t.Errorf("%+v", k)
	}
}

func TestAMemoryThatMakesNoSenseIsNone(t *testing.T) {
	for _, k := range []Known{{Passed: -1, Refused: 5, Way: Ends, Settled: true}, {Passed: 9, Refused: 5, Way: Ends, Settled: true}, {Passed: 4, Refused: 5, Settled: true}, {Passed: 4, Refused: 5, Way: Ends}} {
		var l Limit
		if l.Restore(start, k); l.Most() != 0 {
			t.Errorf("%+v is taken", k)
		}
	}
}
