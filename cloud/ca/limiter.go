package ca

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of failed attempts. A token has 160 bits, so this is not what keeps a guess from being right: it
// keeps strangers from the disk and the log.
const (
	maxFailures  = 10
	failuresLast = 10 * time.Minute
	maxAddresses = 10_000
)

// limiter counts the failed attempts of each address; an attempt counts as failed until it has succeeded,
// so that many at a time are no way around.
type limiter struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[string]*failures
}

type failures struct {
	count int
	since time.Time
	told  bool
}

// network is what counts as one address: of IPv6 the 64 bits that a site has.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// begin says how long an address has to wait; 0: it may try. first is whether that is said for the first time.
func (l *limiter) begin(address string) (wait time.Duration, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, at := l.now(), network(address)
	if l.of == nil {
		l.of = map[string]*failures{}
	}
	f := l.of[at]
	if f != nil && now.Sub(f.since) >= failuresLast {
		f = nil
	}
	if f == nil {
		l.room(now)
		f = &failures{since: now}
		l.of[at] = f
	}
	if f.count >= maxFailures {
		first, f.told = !f.told, true
		return failuresLast - now.Sub(f.since), first
	}
	f.count++
	return 0, false
}

// succeed takes an attempt back.
func (l *limiter) succeed(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.of[network(address)]; f != nil && f.count > 0 {
		f.count--
	}
}

// room forgets those whose time is over, and where all are fresh the oldest.
func (l *limiter) room(now time.Time) {
	if len(l.of) < maxAddresses {
		return
	}
	oldest := ""
	for at, f := range l.of {
		if now.Sub(f.since) >= failuresLast {
			delete(l.of, at)
		} else if oldest == "" || f.since.Before(l.of[oldest].since) {
			oldest = at
		}
	}
	if len(l.of) >= maxAddresses {
		delete(l.of, oldest)
	}
}
