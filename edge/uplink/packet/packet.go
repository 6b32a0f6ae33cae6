// Package packet learns the largest packet that the broker takes. MQTT 3.1.1 has no word for a limit: a
// broker ends the connection when a larger packet begins, or acknowledges it and throws it away. Either
// is distinguished from a bad link by trying again with less: packets above some size fail each time, while
// smaller ones pass.
//
// It is a computation only: no clock, no I/O.
package packet

import (
	"fmt"
	"time"
)

// Way is how a broker treats what it does not take.
type Way string

// The ways.
const (
	Ends  Way = "ends the connection"
	Drops Way = "acknowledges and drops them"
)

const (
	strikes      = 2           // failures of one size before it counts as refused
	moreStrikes  = 4           // of a size that had passed before: the broker was set anew
	closeEnough  = 1.25        // of refused to passed: then the limit is known
	patience     = time.Minute // for a packet of the size in doubt, before all go together again
	nearEnough   = 3           // of refused to passed, not settled: then the size in between is waited for so long only
	nearPatience = 5 * time.Second
	forgetsAfter = 6 * time.Hour // then a larger packet is tried once: the broker may have been set anew
)

// Known is what is known of the limit, to be kept over a restart. Sizes are those of whole packets.
type Known struct {
	Passed  int64     `json:"passed"`  // the largest that passed
	Refused int64     `json:"refused"` // the smallest that did not; 0: none
	Way     Way       `json:"way,omitempty"`
	Since   time.Time `json:"since,omitzero"` // of Refused
	Settled bool      `json:"settled"`        // the limit lies close above Passed
}

// Limit learns one broker's. One caller only.
type Limit struct {
	Floor int64 // the smallest packet that can be made; nothing below is tried

	known    Known
	doubt    int64     // the size that is being tested; 0: none
	doubted  time.Time // since when
	alone    bool      // what is in doubt goes by itself
	failures int       // of it, one after the other
	missed   int64     // the smallest packet that was acknowledged and has no receipt; 0: none
	missing  int       // how many times there was one
	probing  bool      // what was refused is tried once more
	probes   int       // how many times it was: in turn any size, for a limit that is gone, and the refused one
	probed   time.Time
	not      time.Time // until then failures are not taken for the size's: nothing passed, however small
}

// Restore takes up what an earlier run knew.
func (l *Limit) Restore(now time.Time, k Known) {
	if k.Passed <= 0 || k.Refused <= k.Passed || !k.Settled || k.Way != Ends && k.Way != Drops {
		return // it knew nothing for sure, or it makes no sense
	}
	l.known, l.probed = k, now
}

// Known is what is known now.
func (l *Limit) Known() Known { return l.known }

// Most is how large a packet may be now; 0: there is no bound.
func (l *Limit) Most() int64 {
	switch k := l.known; {
	case k.Refused == 0 || l.probing && l.probes%2 == 1:
		return 0
	case l.probing:
		return k.Refused
	case k.Settled:
		return max(k.Passed, l.Floor)
	default:
		return max((k.Passed+k.Refused)/2, l.Floor)
	}
}

// Alone says that packets go one at a time for now, so that it is known which one is at fault.
func (l *Limit) Alone() bool { return l.alone }

// InDoubt says that it must be seen what becomes of a packet before the next one goes. One that is far
// smaller than what is tested need not be waited for: whichever of the two ends the connection, the
// larger one does not pass.
func (l *Limit) InDoubt(size int64) bool {
	return l.alone && size > l.known.Passed && 2*size > l.doubt
}

// Ended notes that the broker ended the connection before it acknowledged packets, of which this was the
// largest; alone says that no other was under way. unfit is true where it is no matter of size: smaller
// ones pass, and this one can't be made smaller.
func (l *Limit) Ended(now time.Time, size int64, alone bool) (unfit bool) {
	if l.probing && size > l.known.Passed {
		l.settle() // as it was
		l.probed = now
		return false
	}
	l.alone = true
	if l.doubt == 0 {
		l.doubt, l.failures = size, 0
	}
	l.doubted, l.doubt = now, min(l.doubt, size)
	if enough := l.enough(size); !alone && (l.failures > 0 || enough == 1) {
		return false
	} else if l.failures++; l.failures < enough {
		return false
	}
	return l.refuse(now, size, Ends)
}

// Missing notes that a packet was acknowledged and has no receipt, while smaller ones that were sent
// after it have theirs.
func (l *Limit) Missing(now time.Time, size int64) {
	if size <= l.known.Passed {
		return // the broker lost one, as where its queue was full
	}
	if l.missed == 0 || size < l.missed {
		l.missed = size
	}
	if l.missing++; l.missing >= l.enough(size) {
		l.refuse(now, size, Drops)
	}
}

// enough is how many failures of a size prove it.
func (l *Limit) enough(size int64) int {
	switch k := l.known; {
	case size <= max(k.Passed, l.Floor):
		return moreStrikes
	case k.Refused > 0 && !k.Settled && k.Passed > 0 || l.probing:
		return 1 // that there is a limit is known
	}
	return strikes
}

// refuse takes a size for refused, and lets the next one be tried.
func (l *Limit) refuse(now time.Time, size int64, way Way) (unfit bool) {
	asBefore := l.probing && size >= l.known.Refused
	l.failures, l.missing, l.missed, l.probing, l.probed = 0, 0, 0, false, now
	switch {
	case asBefore:
		l.settle()
		return false
	case size <= l.Floor || now.Before(l.not):
		unfit = l.known.Passed > 0
		*l = Limit{Floor: l.Floor, known: Known{Passed: l.known.Passed}, not: now.Add(forgetsAfter)}
		return unfit
	case size <= l.known.Passed: // no longer
		l.known.Passed = 0
	}
	l.known.Refused, l.known.Way, l.known.Since, l.known.Settled = size, way, now, false
	if !l.close() {
		l.doubt, l.doubted, l.alone = l.Most(), now, way == Ends
	}
	return false
}

// Acknowledged notes that the broker has acknowledged a packet. receipted says that receipts tell what
// has passed; else nothing but its word does.
func (l *Limit) Acknowledged(now time.Time, size int64, receipted bool) {
	if l.doubt > 0 && size >= l.doubt && (l.known.Refused == 0 || l.known.Settled) {
		l.doubt, l.failures, l.alone = 0, 0, false // it was the link
	}
	if !receipted || l.known.Refused > 0 && l.known.Way == Ends {
		l.passed(now, size)
	}
}

// Received notes that a packet has reached the cloud.
func (l *Limit) Received(now time.Time, size int64) {
	if size >= l.missed {
		l.missing, l.missed = 0, 0
	}
	l.passed(now, size)
}

func (l *Limit) passed(now time.Time, size int64) {
	if size <= l.known.Passed {
		return
	}
	l.known.Passed = size
	switch {
	case l.known.Refused == 0:
	case size >= l.known.Refused: // it takes more than was thought, now
		*l = Limit{Floor: l.Floor, known: Known{Passed: size}}
	default:
		l.failures, l.doubted = 0, now
		l.close()
	}
}

// close settles the limit where it is known well enough.
func (l *Limit) close() bool {
	k := l.known
	if k.Passed == 0 || float64(k.Refused) > closeEnough*float64(k.Passed) {
		return false
	}
	l.settle()
	return true
}

func (l *Limit) settle() {
	l.known.Settled = true
	l.doubt, l.failures, l.missing, l.missed, l.alone, l.probing = 0, 0, 0, 0, false, false
}

// Tick ends what takes too long, and tries anew in the end.
func (l *Limit) Tick(now time.Time) {
	wait := patience
	switch k := l.known; {
	case k.Way == Drops:
		wait *= 10 // for a receipt
	case k.Refused > 0 && !k.Settled && k.Refused <= nearEnough*k.Passed:
		wait = nearPatience // parts of pictures that are alike all have one size: none in between may ever come
	}
	switch k := l.known; {
	case l.doubt > 0 && now.Sub(l.doubted) >= wait:
		l.doubt, l.failures, l.alone = 0, 0, false
		if k.Refused > 0 && k.Passed > 0 {
			l.settle() // nothing of a size in between is there: what passed is good enough
		}
	case k.Refused > 0 && k.Settled && !l.probing && now.Sub(l.probed) >= forgetsAfter:
		l.probing = true // until something is large enough
		l.probes++
	}
}

// Reason says what the limit is, for people; broker is its address. Empty where none is known.
func (l *Limit) Reason(broker string) string {
	if broker != "" {
		broker = " at " + broker
	}
	switch k := l.known; {
	case k.Refused == 0 || k.Passed == 0:
		return ""
	case !k.Settled:
		return fmt.Sprintf("the broker%s takes no packets of %d bytes (it %s); how large they may be is being found out", broker, k.Refused, k.Way)
	default:
		return fmt.Sprintf("the broker%s takes no packets above about %d bytes (it %s)", broker, k.Passed, k.Way)
	}
}
