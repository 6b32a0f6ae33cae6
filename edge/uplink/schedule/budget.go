package schedule

import (
	"time"

	"cloudcanvas/edge/uplink/contact"
)

// Budget bounds the bytes on the link, all that is sent counted, envelopes and what goes again too.
type Budget struct {
	BytesPerDay     int64   `yaml:"bytes_per_day" desc:"bytes from midnight to midnight UTC, at least one part; 0: no bound"`
	BytesPerContact int64   `yaml:"bytes_per_contact" desc:"bytes of each contact window, at least one part; 0: no bound"`
	UrgentShare     float64 `yaml:"urgent_share" desc:"the part that is kept for alerts until the end, 0 to below 1"`
}

// Quota bounds what the streams that match a pattern take together. Urgent items are counted in it
// and not held back by it.
type Quota struct {
	Streams         string  `yaml:"streams" desc:"a stream's name, or a pattern: camera-*"`
	Share           float64 `yaml:"share" desc:"share of the day's bytes while others wait; 0: no bound. All shares together are 1 at most" range:"0..1"`
	BytesPerDay     int64   `yaml:"bytes_per_day" desc:"bytes a day, at least one part; 0: no bound"`
	BytesPerContact int64   `yaml:"bytes_per_contact" desc:"bytes of each contact window, at least one part; 0: no bound"`
}

// spending is what was sent today and in this window.
type spending struct {
	Day           int64 `json:"day"`
	Contact       int64 `json:"contact"`
	OthersDay     int64 `json:"others_day"` // without what was urgent
	OthersContact int64 `json:"others_contact"`
}

func (sp *spending) add(bytes int64, urgent bool) {
	sp.Day += bytes
	sp.Contact += bytes
	if !urgent {
		sp.OthersDay += bytes
		sp.OthersContact += bytes
	}
}

const day = 24 * time.Hour

// roll begins to count anew with each day and each window.
func (s *Scheduler) roll(now time.Time, w contact.Window) {
	if today := now.UTC().Truncate(day); !today.Equal(s.today) {
		s.today = today
		s.spent.Day, s.spent.OthersDay = 0, 0
		for i := range s.queues {
			s.queues[i].spent.Day, s.queues[i].spent.OthersDay = 0, 0
		}
	}
	if !w.From.Equal(s.window) {
		s.window = w.From
		s.spent.Contact, s.spent.OthersContact = 0, 0
		for i := range s.queues {
			s.queues[i].spent.Contact, s.queues[i].spent.OthersContact = 0, 0
		}
	}
}

// budgetLeft is how many bytes may still go, for urgent items and for others.
func (s *Scheduler) budgetLeft() (urgent, other int64) {
	urgent, other = unending, unending
	bound := func(most, spent, othersSpent int64) {
		if most > 0 {
			urgent = min(urgent, most-spent)
			other = min(other, most-spent, int64(float64(most)*(1-s.rules.Budget.UrgentShare))-othersSpent)
		}
	}
	bound(s.rules.Budget.BytesPerDay, s.spent.Day, s.spent.OthersDay)
	bound(s.rules.Budget.BytesPerContact, s.spent.Contact, s.spent.OthersContact)
	return max(urgent, 0), max(other, 0)
}

// allowed says whether a queue's quota lets so many bytes go.
func (s *Scheduler) allowed(l *quotaQueue, e *entry, wire int64, lim limits) bool {
	q := l.quota
	if q == nil || e.urgent() {
		return true
	}
	if q.BytesPerDay > 0 && l.spent.Day+wire > q.BytesPerDay || q.BytesPerContact > 0 && l.spent.Contact+wire > q.BytesPerContact {
		return false
	}
	return !lim.shares || q.Share == 0 ||
		float64(l.spent.OthersDay+wire) <= q.Share*float64(s.spent.OthersDay+wire)+float64(s.rules.PartBytes)
}

// spend counts a part that goes.
func (s *Scheduler) spend(l *quotaQueue, wire int64, urgent, old bool) {
	s.spent.add(wire, urgent)
	l.spent.add(wire, urgent)
	if urgent {
		return
	}
	s.owed += s.rules.OldestShare * float64(wire)
	if old {
		s.owed = max(s.owed-float64(wire), 0)
	}
}

// Remaining is what may still go today and in this window; -1: there is no bound.
type Remaining struct {
	Day     int64 `json:"day"`
	Contact int64 `json:"contact"`
}

// Remaining is what remains of the budget at now.
func (s *Scheduler) Remaining(now time.Time) Remaining {
	if w, open := s.contacts.At(now); open {
		s.roll(now, w)
	}
	left := Remaining{-1, -1}
	if most := s.rules.Budget.BytesPerDay; most > 0 {
		left.Day = max(most-s.spent.Day, 0)
	}
	if most := s.rules.Budget.BytesPerContact; most > 0 {
		left.Contact = max(most-s.spent.Contact, 0)
	}
	return left
}

// Usage is what was spent, to be kept over a restart.
type Usage struct {
	Today  time.Time           `json:"today"`
	Window time.Time           `json:"window"`
	Spent  spending            `json:"spent"`
	Quotas map[string]spending `json:"quotas,omitempty"` // by their streams
}

// Usage is what was spent so far.
func (s *Scheduler) Usage() Usage {
	a := Usage{Today: s.today, Window: s.window, Spent: s.spent, Quotas: map[string]spending{}}
	for _, l := range s.queues {
		if l.quota != nil {
			a.Quotas[l.quota.Streams] = l.spent
		}
	}
	return a
}

// Restore takes up the usage of an earlier run.
func (s *Scheduler) Restore(a Usage) {
	s.today, s.window, s.spent = a.Today, a.Window, a.Spent
	for i := range s.queues {
		if q := s.queues[i].quota; q != nil {
			s.queues[i].spent = a.Quotas[q.Streams]
		}
	}
}
