package dedup

import (
	"slices"
	"time"

	"cloudcanvas/shared/event"
)

// twin notices two agents that use one name: a card that was copied into a second device. Every
// start of an agent begins an epoch of its own, so one that comes again after another has come
// in between has not been restarted: both are there, and throw each other out of the MQTT broker. A
// status that only comes again, retained or delivered twice, does not count: a new connection has a
// higher number. Programs before that say no number, and can't be told apart.
type twin struct {
	agents []agent // the latest in front
	pair   [2]event.Epoch
	since  time.Time // the pair alternates; zero: there is none
	last   time.Time // when it last did
}

// agent is one of them.
type agent struct {
	epoch      event.Epoch
	connection uint64
}

const (
	agentsKept = 4
	twinFor    = time.Hour // after which a pair that alternates no more is taken for parted
)

// observe takes in a status, and gives a pair that begins to alternate with it.
func (t *twin) observe(epoch event.Epoch, connection uint64, now time.Time) (pair []event.Epoch) {
	at := slices.IndexFunc(t.agents, func(v agent) bool { return v.epoch == epoch })
	switch {
	case at < 0:
		t.agents = slices.Insert(t.agents, 0, agent{epoch, connection})
		t.agents = t.agents[:min(len(t.agents), agentsKept)]
		return nil
	case connection <= t.agents[at].connection:
		return nil
	case at == 0:
		t.agents[0].connection = connection
		return nil
	}
	other := t.agents[0].epoch
	t.agents = slices.Insert(slices.Delete(t.agents, at, at+1), 0, agent{epoch, connection})
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
