package dedup

import (
	"slices"
	"time"

	"cloudcanvas/shared/event"
)

// twin tells two agents that speak under one name: a card that was copied into a second device. Every
// start of an agent begins an epoch of its own, so one that is heard again after another has spoken
// in between has not been restarted: both are there, and throw each other out of the MQTT broker. A
// status that only comes again, retained or delivered twice, does not count: a new connection has a
// higher number. Programs before that say no number, and can't be told apart.
type twin struct {
	heard []voice // the one heard last in front
	pair  [2]event.Epoch
	since time.Time // the pair alternates; zero: there is none
	last  time.Time // when it last did
}

// voice is one agent.
type voice struct {
	epoch      event.Epoch
	connection uint64
}

const (
	voicesKept = 4
	twinFor    = time.Hour // after which a pair that alternates no more is taken for parted
)

// hear takes in a status, and gives a pair that begins to alternate with it.
func (t *twin) hear(epoch event.Epoch, connection uint64, now time.Time) (pair []event.Epoch) {
	at := slices.IndexFunc(t.heard, func(v voice) bool { return v.epoch == epoch })
	switch {
	case at < 0:
		t.heard = slices.Insert(t.heard, 0, voice{epoch, connection})
		t.heard = t.heard[:min(len(t.heard), voicesKept)]
		return nil
	case connection <= t.heard[at].connection:
		return nil
	case at == 0:
		t.heard[0].connection = connection
		return nil
	}
	other := t.heard[0].epoch
	t.heard = slices.Insert(slices.Delete(t.heard, at, at+1), 0, voice{epoch, connection})
	known := t.of(epoch, now) == other
	t.last = now
	if known {
		return nil
	}
	t.pair, t.since = [2]event.Epoch{other, epoch}, now
	return t.pair[:]
}

// of gives the twin of an epoch, if it has one.
func (t *twin) of(epoch event.Epoch, now time.Time) event.Epoch {
	switch {
	case !t.there(now):
		return ""
	case epoch == t.pair[0]:
		return t.pair[1]
	case epoch == t.pair[1]:
		return t.pair[0]
	}
	return ""
}

func (t *twin) there(now time.Time) bool { return !t.since.IsZero() && now.Sub(t.last) < twinFor }
