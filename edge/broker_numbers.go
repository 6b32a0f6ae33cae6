package edge

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
)

// brokerNumbers watches the numbers under which the device's own broker sends messages. It counts on through
// the life of a session. Where it resumes one and counts again from a number that it has used, it has started
// from a save that is older than what it did before it died. What it had acknowledged to sensors since that
// save, and not sent, is lost, and nobody else would say so.
//
// A broker that takes the lowest number that is free, as none of the common ones does, is recognised by going
// back within a connection, and never judged.
type brokerNumbers struct {
	log *slog.Logger

	mu       sync.Mutex
	last     uint16 // of the newest message that came for the first time; 0: none yet
	rising   int    // messages in a row that had a higher one than the message before, up to enoughRising
	since    connected
	lowest   bool  // it doesn't count on
	wentBack int64 // times, since the agent's start
}

// connected is what became of the session at the last connection after which the numbers have not gone back.
type connected int

const (
	steady connected = iota // there was none
	resumed
	begunAnew
)

const (
	packetNumbers = 65535 // there are, from 1 on
	enoughRising  = 100
)

// sessionStarted takes whether the broker still knew the session. It is called before a message of it comes.
func (b *brokerNumbers) sessionStarted(kept bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since = begunAnew; kept {
		b.since = resumed
	}
}

// follows says whether a message that was sent later may have that number: numbers begin again at 1.
func follows(packet, before uint16) bool {
	return (int(before)-int(packet)+packetNumbers)%packetNumbers >= stale
}

// take looks at the number of a message that the broker has not marked as one that it sent before.
func (b *brokerNumbers) take(packet uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.last
	b.last = packet
	if last == 0 {
		return
	}
	if follows(packet, last) {
		b.rising = min(b.rising+1, enoughRising)
		return
	}
	b.lowest = b.lowest || b.since == steady
	if b.since == resumed && b.rising == enoughRising && !b.lowest {
		b.wentBack++
		b.log.Warn("the local broker has started from a save that is older than what it had sent. What sensors published after that save, and it acknowledged and had not sent, is lost; what waited in it may come twice. "+
			"Make it save more often (mosquitto: autosave_interval), or let sensors publish to the agent (local.embedded), which acknowledges only what is in the buffer",
			"sent_since_that_save", (int(last)-int(packet)+packetNumbers)%packetNumbers+1, "since_start", b.wentBack)
	}
	b.rising, b.since = 0, steady
}

// load takes up, of the messages of before a restart, those that are known.
func (b *brokerNumbers) load(known []seenMessage) {
	slices.SortFunc(known, func(x, y seenMessage) int { return cmp.Compare(x.serial, y.serial) })
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range known {
		if b.rising++; b.last == 0 || !follows(s.packet, b.last) {
			b.rising = 0
		}
		b.last = s.packet
	}
	b.rising = min(b.rising, enoughRising)
}

// times is how often it was seen since the agent's start.
func (b *brokerNumbers) times() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wentBack
}
