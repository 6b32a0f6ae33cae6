package worker

import (
	"encoding/json"
	"errors"

	"cloudcanvas/cloud/coord"
)

type lease = coord.Lease

// note is what a worker leaves beside its lease, so that the next owner knows whether the one
// before died, and what it then had in hand. Native code runs on bytes from outside, and one item
// that kills its worker must not kill every worker in turn.
//
// A note is written once when work begins under a lease and cleared when the lease is given back.
// An owner that finds a note took over from a dead one: it is careful with the entries that may
// have been in hand then (up to Until), one at a time and with nothing else in hand, each noted (At)
// before it is touched. An entry that is still noted at the next death was in hand at two, and alone
// at the second: it goes to the dead letters. A process that is frozen for longer than its session
// counts as dead: nobody can tell the two apart.
// So the coordinator hears of changes of owners, not of messages.
type note struct {
	Run   string `json:"run"`             // the process that wrote it
	From  int64  `json:"from"`            // entries from here on are being worked on
	At    *int64 `json:"at,omitempty"`    // the one entry in hand, while careful
	Until int64  `json:"until,omitempty"` // careful below this offset
}

// suspicion is what a new owner concludes from the note of the one before.
type suspicion struct {
	until  int64  // careful below this offset; 0: nobody died
	doomed int64  // in hand at two deaths; -1: none
	dead   string // the life that ended
}

// left is the note of an owner that leaves in good order at an offset before the suspicion is settled:
// the next owner has the same one.
func (s suspicion) left(from int64) note {
	n := note{Run: s.dead, From: from, Until: s.until}
	if s.doomed >= from {
		n.At = &s.doomed
	}
	return n
}

// suspect reads the note that was left. committed is where the partition stands; window bounds the
// entries that a worker has in hand at once. A note of this very process is no death: it has only
// lost the lease.
func suspect(left, run string, committed, window int64) suspicion {
	s := suspicion{doomed: -1}
	var n note
	if left == "" || json.Unmarshal([]byte(left), &n) != nil || n.Run == run {
		return s
	}
	s.dead, s.until = n.Run, committed+window
	if n.Until > 0 {
		s.until = max(n.Until, committed)
	}
	if n.At != nil && *n.At >= committed {
		s.doomed = *n.At
	}
	return s
}

func (n note) String() string {
	b, err := json.Marshal(n)
	if err != nil {
		return ""
	}
	return string(b)
}

// errTwoDeaths is the reason of the dead letter.
var errTwoDeaths = errors.New("it was in hand when two workers died, and is not tried a third time")
