// Package pace keeps a link full without flooding it. It learns from acknowledgements how fast the
// link delivers and how long an empty one takes, and lets as many bytes be under way as the link
// holds in that time and a little more:
//
//	bytes under way ≤ delivery rate × (least round trip + target)
//
// A link with room to spare answers more bytes with a higher rate, so the bound grows by itself; a
// full one answers with delay, at most target of it. The measurements are those of BBR (Cardwell et
// al., ACM Queue 14, 2016), the bounded queue is the idea of Vegas (Brakmo et al., SIGCOMM 1994).
//
// It has no clock and does no I/O: all times come in.
package pace

import (
	"math"
	"time"
)

const (
	// keep is how long a rate that was measured holds: long enough for a few round trips of a link
	// of 1 kB/s, short enough to follow a link that fades.
	keep = 10 * time.Second
	// remeasure is how long the least round trip holds. Then the link is emptied once, for the
	// bytes under way hide what an empty one takes.
	remeasure = 30 * time.Second
	// burst is by how much a fixed rate may be run ahead.
	burst = 50 * time.Millisecond
	// headroom is by how much sending may outrun the measured rate, so that a faster link is noticed.
	headroom = 1.25
)

// Pace measures one link. One caller only.
type Pace struct {
	target time.Duration
	fixed  float64 // bytes per second at most; 0: as the link takes it
	hint   float64 // expected, until something is measured

	flying      int64
	delivered   int64     // acknowledged so far
	deliveredAt time.Time // when the last acknowledgement came, or sending began anew
	firstSent   time.Time // of those under way since then
	idleUntil   int64     // what is delivered below this was sent with room to spare

	rates   []rate // descending by rate, ascending by time: the first is the most
	least   time.Duration
	leastAt time.Time
	last    time.Duration
	probing bool
	growing int    // rounds without growth; below 3 the bound is doubled
	grown   rate   // what growth is measured from
	free    bucket // of the fixed rate
	paced   bucket // of the measured one: an empty link is not filled at one stroke
}

// bucket is when what was sent has gone at a certain rate.
type bucket struct{ until time.Time }

func (b *bucket) take(now time.Time, bytes int64, rate float64) {
	if b.until.Before(now) {
		b.until = now
	}
	b.until = b.until.Add(time.Duration(min(float64(bytes)/rate, 3600) * float64(time.Second)))
}

// full says since when more may follow, where it is not yet.
func (b *bucket) full(now time.Time, ahead time.Duration) (until time.Time, full bool) {
	return b.until.Add(-ahead), b.until.After(now.Add(ahead))
}

type rate struct {
	at    time.Time
	bytes float64 // per second
}

// New makes a pace that lets about target of delay build up, and never sends faster than fixed bytes
// per second (0: no limit).
func New(target time.Duration, fixed float64) *Pace { return &Pace{target: target, fixed: fixed} }

// Sending is one message under way.
type Sending struct {
	bytes       int64
	sent        time.Time
	delivered   int64
	deliveredAt time.Time
	firstSent   time.Time
	spare       bool // the link had room for more
	alone       bool // nothing else was under way
}

// Expect says how fast the link should be, where nothing has been measured yet.
func (p *Pace) Expect(bytesPerSecond float64) { p.hint = bytesPerSecond }

// Sent takes note of a message that goes out now.
func (p *Pace) Sent(now time.Time, bytes int64) Sending {
	s := Sending{bytes, now, p.delivered, p.deliveredAt, p.firstSent, p.delivered < p.idleUntil, p.flying == 0}
	if s.alone {
		p.deliveredAt, p.firstSent = now, now
		s.deliveredAt, s.firstSent = now, now
	}
	p.flying += bytes
	if p.fixed > 0 {
		p.free.take(now, bytes, p.fixed)
	}
	if r := p.measured(); r > 0 {
		p.paced.take(now, bytes, r*headroom*p.gain())
	}
	return s
}

// Acked learns from a message's acknowledgement.
func (p *Pace) Acked(now time.Time, s Sending) {
	p.flying -= s.bytes
	p.delivered += s.bytes
	p.deliveredAt, p.firstSent = now, s.sent
	trip := max(now.Sub(s.sent), time.Microsecond)
	p.last = trip
	if p.least == 0 || trip <= p.least || p.probing && s.alone {
		p.least, p.leastAt, p.probing = trip, now, false
	}
	// The slower of sending and acknowledging, so that acknowledgements that come in a bunch do not
	// pretend a fast link.
	took := max(now.Sub(s.deliveredAt), s.sent.Sub(s.firstSent), time.Microsecond)
	seen := float64(p.delivered-s.delivered) / took.Seconds()
	if s.spare && seen <= p.measured() {
		return // the link could do more than it was given
	}
	p.learn(rate{now, seen})
	p.grow(now)
}

// learn keeps the highest rate of the last keep, or of three round trips of a slow link.
func (p *Pace) learn(r rate) {
	old := r.at.Add(-max(keep, 3*p.last))
	for len(p.rates) > 0 && p.rates[0].at.Before(old) {
		p.rates = p.rates[1:]
	}
	for len(p.rates) > 0 && p.rates[len(p.rates)-1].bytes <= r.bytes {
		p.rates = p.rates[:len(p.rates)-1]
	}
	p.rates = append(p.rates, r)
}

// grow ends the start when the rate has not risen by a quarter for three round trips, or when delay
// builds up.
func (p *Pace) grow(now time.Time) {
	if p.growing >= 3 {
		return
	}
	switch {
	case p.last > p.least+p.target:
		p.growing = 3
	case p.measured() >= 1.25*p.grown.bytes:
		p.growing, p.grown = 0, rate{now, p.measured()}
	case now.Sub(p.grown.at) >= p.least:
		p.growing++
		p.grown.at = now
	}
}

// Lost takes note of a message whose fate is not known.
func (p *Pace) Lost(s Sending) { p.flying -= s.bytes }

// Reconnected forgets how long a round trip takes: the way may be another one.
func (p *Pace) Reconnected() { p.least, p.last, p.growing, p.grown = 0, 0, 0, rate{} }

// Idle says that there was room and nothing to send: what is under way says little about the link.
func (p *Pace) Idle() { p.idleUntil = p.delivered + max(p.flying, 1) }

func (p *Pace) measured() float64 {
	if len(p.rates) == 0 {
		return 0
	}
	return p.rates[0].bytes
}

// Rate is how fast the link delivers, in bytes per second; 0: not known.
func (p *Pace) Rate() float64 {
	r := p.measured()
	if r == 0 {
		r = p.hint
	}
	if p.fixed > 0 && (r == 0 || r > p.fixed) {
		r = p.fixed
	}
	return r
}

// Room is how many more bytes may go out now; one message may exceed it. When it is zero for want of
// time, wake is when to ask again; otherwise an acknowledgement makes room.
func (p *Pace) Room(now time.Time) (bytes int64, wake time.Time) {
	if until, full := p.free.full(now, burst); full {
		return 0, until
	}
	if p.flying == 0 {
		return max(p.bound(), 1), time.Time{}
	}
	if p.least > 0 && now.Sub(p.leastAt) > remeasure {
		p.probing = true
	}
	if p.probing {
		return 0, time.Time{} // until the link is empty; then one message measures it
	}
	if until, full := p.paced.full(now, p.target/2); full {
		return 0, until
	}
	return max(p.bound()-p.flying, 0), time.Time{}
}

// gain is by how much the bound is raised while the link is being discovered.
func (p *Pace) gain() float64 {
	if p.growing < 3 && p.measured() > 0 {
		return 2
	}
	return 1
}

func (p *Pace) bound() int64 {
	r := p.Rate()
	if r == 0 || p.least == 0 {
		return 0
	}
	return int64(min(r*p.gain()*(p.least+p.target).Seconds(), math.MaxInt64/2))
}

// Flying is how many bytes are under way.
func (p *Pace) Flying() int64 { return p.flying }

// Trip is how long the last message took to be acknowledged, and the least that any took.
func (p *Pace) Trip() (last, least time.Duration) { return p.last, p.least }
