package schedule

import "time"

// aside is an item that the broker does not take: the others go on without it. It is tried again when
// larger packets are taken, or at a time, whichever comes first.
type aside struct {
	entry  entry
	series *seriesKey // its number may be another's by then; nil: it is in none
	until  time.Time  // zero: nothing but larger packets helps
}

// asideEvery is how often they are checked for those whose time has come.
const asideEvery = time.Minute

// fits says whether the broker takes the parts of an item.
func (i *item) fits(packet int64) bool {
	return packet == 0 || i.of == 1 && i.entry.bytes <= least || (int64(i.entry.bytes)+int64(i.of)-1)/int64(i.of)+Overhead <= packet
}

// shrink cuts begun items anew whose parts the broker does not take, whatever of them is with the cloud:
// it begins anew with the new cut. Those that no cut makes small enough go aside.
func (s *Scheduler) shrink(lim limits) {
	var large []*item
	for _, i := range s.begun {
		if i.fits(lim.packet) {
			continue
		}
		i.recut(cut(i.entry.bytes, lim.partBytes))
		if i.held = false; !i.fits(lim.packet) {
			large = append(large, i)
		}
	}
	for _, i := range large {
		s.putAside(i, time.Time{})
	}
}

func (s *Scheduler) putAside(i *item, until time.Time) {
	a := aside{entry: i.entry, until: until}
	if c := s.of(&i.entry); c != nil {
		key := c.key
		a.series = &key
	}
	s.release(i)
	s.aside[i.entry.seq] = a
}

// PutAside keeps an item from going until then: the broker takes others, and this one in no size.
func (s *Scheduler) PutAside(seq uint64, until time.Time) {
	if i, ok := s.out[seq]; ok {
		s.putAside(i, until)
		return
	}
	s.unfit[seq] = until // once its turn comes
}

// Aside is how many items the broker does not take.
func (s *Scheduler) Aside() int { return len(s.aside) }

// bringBack lets those wait again that may fit now.
func (s *Scheduler) bringBack(now time.Time, packet int64) {
	larger := packet != s.packet && (packet == 0 || s.packet != 0 && packet > s.packet)
	s.packet = packet
	if !larger && now.Sub(s.asideChecked) < asideEvery {
		return
	}
	s.asideChecked = now
	for seq, a := range s.aside {
		timely := !a.until.IsZero() && !now.Before(a.until)
		if s.box.Waits(seq) && !larger && !timely {
			continue
		}
		delete(s.aside, seq)
		if !s.box.Waits(seq) {
			continue
		}
		if a.series != nil {
			a.entry.series = s.find(*a.series)
		}
		s.push(a.entry)
	}
}
