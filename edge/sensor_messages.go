package edge

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/rules"
	"cloudcanvas/shared/event"
)

// seenMessages knows the messages that have become items and may come again: the broker repeats what
// was not acknowledged when a connection ended or the agent died. MQTT gives messages no identity, but
// what comes again has the mark of a duplicate, and its packet's number of before. Together with a
// digest of what it says that tells it from every other, as long as the number was not used anew since.
//
// What is known is kept as marks in the buffer, in the transaction of the items.
type seenMessages struct {
	mu         sync.Mutex
	slots      map[uint16]seenMessage // by the packet's number modulo capture.MostReadings
	serial     uint64                 // of the newest
	newSession bool                   // the broker has begun another session
}

type seenMessage struct {
	packet uint16
	serial uint64 // how many were noted before it
	digest capture.Digest
}

const (
	seenPrefix   = "reading/"
	windowPrefix = "window/"
	seenBytes    = 2 + 8 + len(capture.Digest{})
	// stale is how many messages later one of the same number is another one: so many are never on
	// their way at once, and the broker uses its 65,535 numbers in turn.
	stale = 2 * capture.MostReadings
)

func newSeenMessages() *seenMessages { return &seenMessages{slots: map[uint16]seenMessage{}} }

// contains says whether a message has become what it becomes already.
func (k *seenMessages) contains(s capture.ReceivedReading) bool {
	if !s.Again || s.Packet == 0 {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.slots[s.Packet%capture.MostReadings]
	return ok && known.packet == s.Packet && known.digest == s.Digest && k.serial-known.serial < stale
}

// note takes a message as seen, and gives the mark to commit with what it becomes. A message without a
// number has none.
func (k *seenMessages) note(s capture.ReceivedReading) (outbox.Mark, bool) {
	if s.Packet == 0 {
		return outbox.Mark{}, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.serial++
	slot := s.Packet % capture.MostReadings
	k.slots[slot] = seenMessage{s.Packet, k.serial, s.Digest}
	value := binary.BigEndian.AppendUint16(make([]byte, 0, seenBytes), s.Packet)
	value = binary.BigEndian.AppendUint64(value, k.serial)
	return outbox.Mark{Name: fmt.Sprintf("%s%04d", seenPrefix, slot), Value: append(value, s.Digest[:]...)}, true
}

// sessionStarted takes whether the broker still knew the session. If not, numbers begin again and nothing of
// before can come again.
func (k *seenMessages) sessionStarted(kept bool) {
	if kept {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.slots)
	k.serial += stale
	k.newSession = true
}

// load takes up the marks of before the restart, and gives the messages that are known. One that makes no
// sense is passed over.
func (k *seenMessages) load(marks []outbox.Mark) []seenMessage {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range marks {
		if len(m.Value) != seenBytes {
			continue
		}
		s := seenMessage{packet: binary.BigEndian.Uint16(m.Value), serial: binary.BigEndian.Uint64(m.Value[2:])}
		copy(s.digest[:], m.Value[10:])
		if k.serial = max(k.serial, s.serial+1); !k.newSession {
			k.slots[s.packet%capture.MostReadings] = s
		}
	}
	if k.newSession {
		k.serial += stale
	}
	return slices.Collect(maps.Values(k.slots))
}

// readingOutput is what a reading became.
type readingOutput struct {
	rules.Output
	of capture.ReceivedReading // the message; without a packet's number where there was none, or many
}

// withoutMessage are outputs that are of no single message.
func withoutMessage(all []rules.Output) []readingOutput {
	found := make([]readingOutput, len(all))
	for i, f := range all {
		found[i].Output = f
	}
	return found
}

// id is that of the item, where it is of one message that may come again: if the buffer loses what it
// has of it, the cloud can still tell that it has the item (decisions/0010). Zero elsewhere.
func (f readingOutput) id() (id ulid.ULID) {
	if f.of.Packet == 0 || f.Reading != nil && !f.Reading.From.IsZero() {
		return id
	}
	var what []string
	if f.Alert != nil {
		what = []string{f.Alert.Value, f.Alert.Side, f.Alert.State}
	} else {
		what = slices.Sorted(maps.Keys(f.Reading.Values))
	}
	return event.MessageID(time.Now(), binary.BigEndian.AppendUint16(nil, f.of.Packet), f.of.Digest[:], []byte(strings.Join(what, "/")))
}

// windowMarks keep windows that have not ended; what was committed needs none.
func windowMarks(windows []rules.Window) (marks []outbox.Mark) {
	for _, w := range windows {
		m := outbox.Mark{Name: windowPrefix + w.Sensor + "/" + w.Value}
		if w.Count > 0 {
			m.Value, _ = json.Marshal(w) // finite numbers and texts: it does not fail
		}
		marks = append(marks, m)
	}
	return marks
}

// resume takes up what a crash left: the messages that may come again, and the windows that had not
// ended. What of those is due at once is returned.
func (p *sensorPipeline) resume() ([]rules.Output, error) {
	seen, err := p.buffer.Marks(seenPrefix)
	if err != nil {
		return nil, fmt.Errorf("read from the buffer which readings it has: %w", err)
	}
	p.numbers.load(p.seen.load(seen))
	windows, err := p.buffer.Marks(windowPrefix)
	if err != nil {
		return nil, fmt.Errorf("read from the buffer the windows that had not ended: %w", err)
	}
	kept := make([]rules.Window, len(windows))
	for i, m := range windows {
		if err := json.Unmarshal(m.Value, &kept[i]); err != nil {
			kept[i] = rules.Window{}
		}
	}
	return p.rules.Resume(kept, time.Now()), nil
}
