package link

import (
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/signed"
	"cloudcanvas/shared/telemetry"
)

// Why a message from the cloud was refused, as metrics and displays have it.
const (
	refusedUnsigned = "unsigned"
	refusedKey      = "unknown_key"
	refusedForged   = "forged"
	refusedSession  = "other_session"
	refusedReplayed = "replayed"
	refusedRepeated = "repeated"
)

// reasons say for each what it looks like and what to do; those without words happen on a sound link.
var reasons = []struct {
	err  error
	name string
	text string
}{
	{signed.ErrUnsigned, refusedUnsigned, "messages that are not signed come down from the broker, and are refused: the cloud does not sign (set signing.key_file in cloud.yaml, and let every bridge have it), or somebody else speaks for it"},
	{signed.ErrUnknown, refusedKey, "messages come down that are signed by a key which this device does not trust, and are refused: the cloud signs with another key (add its public key to cloud.trusted_keys), or somebody else speaks for it"},
	{signed.ErrForged, refusedForged, "messages come down whose signature is not for their bytes, this device and their topic, and are refused: somebody changes them on the way, or publishes what was meant for others; look at who may write canvas/v1/+/down/# at the broker"},
	{signed.ErrReplayed, refusedReplayed, "messages come down that are older than what has come already, and are refused: somebody publishes old ones again, or two bridges have clocks that differ; look at the clocks, and at who may write canvas/v1/+/down/# at the broker"},
	{signed.ErrSession, refusedSession, ""},
	{signed.ErrRepeated, refusedRepeated, ""},
}

const (
	// tellEvery is how often the log says that messages are still refused.
	tellEvery = time.Hour
	// troubleFor is how long the status says it after the last one.
	troubleFor = time.Hour
)

// trust lets messages through that holders of trusted keys have signed, and counts the others.
type trust struct {
	verifier *signed.Verifier
	log      *slog.Logger
	announce func() // publishes the status
	now      func() time.Time

	mu      sync.Mutex
	counts  map[string]int64 // by reason
	told    map[string]time.Time
	trouble *event.Trouble // the latest
	last    time.Time      // when it was refused
}

func newTrust(v *signed.Verifier, log *slog.Logger, announce func()) *trust {
	return &trust{verifier: v, log: log, announce: announce, now: time.Now, counts: map[string]int64{}, told: map[string]time.Time{}}
}

// open gives the message without its signature; ok is false where it is refused. A nil trust lets all through.
func (t *trust) open(what string, payload []byte) (message []byte, ok bool) {
	if t == nil {
		return payload, true
	}
	message, announce, err := t.verifier.Open(what, payload)
	if err == nil {
		return message, true
	}
	if t.refuse(what, err) || announce {
		t.announce()
	}
	return nil, false
}

// refuse counts a message that is not believed, and says whether the status has something new to say.
func (t *trust) refuse(what string, err error) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, r := range reasons {
		if !errors.Is(err, r.err) {
			continue
		}
		t.counts[r.name]++
		if r.text == "" {
			return false
		}
		told, before := t.told[r.name]
		if news = !before || now.Sub(told) >= tellEvery; news { // no more often, whatever is sent
			t.told[r.name] = now
			t.log.Error(r.text, "topic", what, "refused", t.counts[r.name], telemetry.Err, err)
		}
		t.last = now
		if kind := "refused_" + r.name; t.trouble == nil || t.trouble.Kind != kind {
			t.trouble = &event.Trouble{Kind: kind, Text: r.text, Since: now.UTC()}
		}
		t.trouble.Items = uint64(t.counts[r.name])
		return news
	}
	return false
}

// Refused is what the status says of messages that were refused; nil where none was for a while.
func (l *Link) Refused() *event.Trouble {
	t := l.trust
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trouble != nil && t.now().Sub(t.last) >= troubleFor {
		t.trouble = nil
	}
	if t.trouble == nil {
		return nil
	}
	trouble := *t.trouble
	return &trouble
}

// Signatures is what displays say of the keys that are trusted and of what was refused.
type Signatures struct {
	Keys    []string         `json:"keys"`    // ids of the keys; none: everything is believed
	Refused map[string]int64 `json:"refused"` // messages by reason, since the agent began
}

// Signatures says how it stands.
func (l *Link) Signatures() Signatures {
	s := Signatures{Keys: []string{}, Refused: map[string]int64{}}
	if t := l.trust; t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		s.Keys, s.Refused = t.verifier.Keys(), maps.Clone(t.counts)
	}
	return s
}
