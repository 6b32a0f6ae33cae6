package pace

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// pipe is a link of a rate and a delay that sends messages one after the other, in virtual time.
type pipe struct {
	rate  func(at time.Duration) float64
	delay time.Duration // there and back
	now   time.Time
	busy  time.Time // until then it sends what it was given
	acks  []ack
	queue []time.Duration // how long each message waited for those before it
	bytes int64
}

type ack struct {
	at time.Time
	s  Sending
}

// drive sends messages of size bytes for so long, as much as p allows.
func (l *pipe) drive(p *Pace, size func() int64, lasts time.Duration) {
	end := l.now.Add(lasts)
	for l.now.Before(end) {
		wake := end
		for {
			room, again := p.Room(l.now)
			if room <= 0 {
				if !again.IsZero() && again.Before(wake) {
					wake = again
				}
				break
			}
			n := size()
			start := l.now
			if l.busy.After(start) {
				start = l.busy
			}
			l.queue = append(l.queue, start.Sub(l.now))
			l.busy = start.Add(time.Duration(float64(n) / l.rate(start.Sub(epoch)) * float64(time.Second)))
			l.acks = append(l.acks, ack{l.busy.Add(l.delay), p.Sent(l.now, n)})
			l.bytes += n
		}
		if len(l.acks) > 0 && !l.acks[0].at.After(wake) {
			l.now = l.acks[0].at
			p.Acked(l.now, l.acks[0].s)
			l.acks = l.acks[1:]
			continue
		}
		l.now = wake
	}
}

func steady(rate float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate }
}

func worst(d []time.Duration) (w time.Duration) {
	for _, x := range d {
		w = max(w, x)
	}
	return w
}

func TestTheLinkIsFilledAndTheQueueStaysShort(t *testing.T) {
	for name, c := range map[string]struct {
		rate  float64
		delay time.Duration
		size  int64
		fill  float64
	}{
		"a thin link":              {1000, 100 * time.Millisecond, 900, 0.9},
		"a thin link far away":     {1000, 600 * time.Millisecond, 900, 0.85},
		"4G":                       {1e6, 50 * time.Millisecond, 64 << 10, 0.9},
		"geostationary":            {250_000, 600 * time.Millisecond, 32 << 10, 0.9},
		"a wire":                   {100e6, time.Millisecond, 128 << 10, 0.9},
		"a broad link, far away":   {12.5e6, 600 * time.Millisecond, 128 << 10, 0.85},
		"readings over a far link": {50_000, 600 * time.Millisecond, 700, 0.85},
	} {
		p := New(250*time.Millisecond, 0)
		l := &pipe{rate: steady(c.rate), delay: c.delay, now: epoch}
		size := func() int64 { return c.size }
		l.drive(p, size, 20*time.Second) // the start
		l.bytes, l.queue = 0, nil
		l.drive(p, size, 100*time.Second)
		fill := float64(l.bytes) / 100 / c.rate
		one := time.Duration(float64(c.size) / c.rate * float64(time.Second))
		if q := worst(l.queue); q > 350*time.Millisecond+one {
			t.Errorf("%s: a message waited %s for others", name, q)
		}
		if fill < c.fill {
			t.Errorf("%s: %.2f of the link is used", name, fill)
		}
		if r := p.Rate() / c.rate; r < 0.85 || r > 1.15 {
			t.Errorf("%s: the rate is taken for %.2f of what it is", name, r)
		}
	}
}

func TestALinkThatFadesIsFollowed(t *testing.T) {
	p := New(250*time.Millisecond, 0)
	l := &pipe{delay: 80 * time.Millisecond, now: epoch, rate: func(at time.Duration) float64 {
		if at < 30*time.Second {
			return 100_000
		}
		return 10_000
	}}
	size := func() int64 { return max(512, min(4096, int64(p.Rate()*0.4))) }
	l.drive(p, size, 60*time.Second)
	l.queue = nil
	l.drive(p, size, 60*time.Second)
	if q := worst(l.queue); q > time.Second {
		t.Errorf("half a minute after the link has faded a message still waits %s", q)
	}
}

func TestAFixedRateIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fixed := rapid.Float64Range(500, 1e6).Draw(t, "fixed")
		p := New(250*time.Millisecond, fixed)
		l := &pipe{rate: steady(10e6), delay: 20 * time.Millisecond, now: epoch}
		most := int64(0)
		l.drive(p, func() int64 {
			n := rapid.Int64Range(100, 20_000).Draw(t, "bytes")
			most = max(most, n)
			return n
		}, 20*time.Second)
		if allowed := fixed*(20+burst.Seconds()) + float64(most); float64(l.bytes) > allowed {
			t.Fatalf("%d bytes went in 20 s at %.0f bytes/s", l.bytes, fixed)
		}
		if float64(l.bytes) < fixed*20*0.9-float64(most) {
			t.Fatalf("only %d bytes went in 20 s at %.0f bytes/s", l.bytes, fixed)
		}
	})
}

func TestWhatIsSentWithRoomToSpareSaysNothingAgainstTheLink(t *testing.T) {
	p := New(250*time.Millisecond, 0)
	l := &pipe{rate: steady(1e6), delay: 600 * time.Millisecond, now: epoch}
	l.drive(p, func() int64 { return 64 << 10 }, 30*time.Second)
	for len(l.acks) > 0 {
		l.now = l.acks[0].at
		p.Acked(l.now, l.acks[0].s)
		l.acks = l.acks[1:]
	}
	p.Idle()
	for range 100 { // a small reading a second
		s := p.Sent(l.now, 600)
		p.Idle()
		p.Acked(l.now.Add(601*time.Millisecond), s)
		p.Idle()
		l.now = l.now.Add(time.Second)
	}
	if r := p.Rate(); r < 0.9e6 {
		t.Errorf("the link is taken for %.0f bytes/s", r)
	}
}

func TestBytesUnderWayAreCountedWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := New(250*time.Millisecond, 0)
		now := epoch
		var under []Sending
		sum := int64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "passes")))
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				if room, _ := p.Room(now); room > 0 {
					n := rapid.Int64Range(1, 1<<20).Draw(t, "bytes")
					under, sum = append(under, p.Sent(now, n)), sum+n
				}
			case 2:
				if len(under) > 0 {
					p.Acked(now, under[0])
					sum -= under[0].bytes
					under = under[1:]
				}
			case 3:
				if len(under) > 0 {
					p.Lost(under[0])
					sum -= under[0].bytes
					under = under[1:]
				}
			case 4:
				p.Idle()
			}
			room, _ := p.Room(now)
			if p.Flying() != sum || room < 0 || sum == 0 && room == 0 || p.Rate() < 0 || math.IsNaN(p.Rate()) {
				t.Fatalf("%d bytes fly, not %d; room %d, rate %g", p.Flying(), sum, room, p.Rate())
			}
		}
	})
}
