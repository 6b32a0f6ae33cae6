package worker

import (
	"encoding/json"

	"cloudcanvas/cloud/coord"
)

type lease = coord.Lease

// note is what a worker leaves beside its lease, so that the next owner knows whether the one
// before crashed, and what it then had in hand. Native code runs on bytes from outside, and one item
// that kills its worker must not kill every worker in turn.
//
// A note is written once when work begins under a lease and cleared when the lease is given back.
// An owner that finds a note took over from one that crashed: it is careful with the entries that may
// have been in hand then (up to Until), one at a time and with nothing else in hand, each noted (At)
// before it is touched. Most of them are harmless, and most workers are killed from outside: so an entry
// that is still noted at the next crash is given up only where the worker that crashed has reported, when
// it started again, that it crashed on that one (exit.go). Where it has not reported yet, the entry is tried
// alone again. A process that is frozen for longer than its session counts as crashed until it speaks
// again: nobody can tell the two apart. So the coordinator is written to when owners change, not for each
// message.
type note struct {
	Run   string   `json:"run"`             // the process that wrote it
	From  int64    `json:"from"`            // entries from here on are being worked on
	At    *int64   `json:"at,omitempty"`    // the one entry in hand, while careful
	Until int64    `json:"until,omitempty"` // careful below this offset
	Tries []string `json:"tries,omitempty"` // processes that ended with At in hand before, and nobody knows how
}

// suspicion is what a new owner concludes from the note of the one before.
type suspicion struct {
	until int64    // careful below this offset; 0: nobody crashed
	at    int64    // alone in hand at a crash; -1: none
	runs  []string // that ended so
	run   string   // that left the note
}

// note is the note of an owner that leaves in good order at an offset before the suspicion is settled:
// the next owner has the same one.
func (s suspicion) note(from int64) note {
	n := note{Run: s.run, From: from, Until: s.until}
	if s.at >= from {
		n.At = &s.at
		for _, run := range s.runs {
			if run != s.run {
				n.Tries = append(n.Tries, run)
			}
		}
	}
	return n
}

// suspect reads the note that was left. committed is where the partition stands; window bounds the
// entries that a worker has in hand at once. A note of this very process is no crash: it has only
// lost the lease.
func suspect(left, run string, committed, window int64) suspicion {
	s := suspicion{at: -1}
	var n note
	if left == "" || json.Unmarshal([]byte(left), &n) != nil || n.Run == run {
		return s
	}
	s.run, s.until = n.Run, committed+window
	if n.Until > 0 {
		s.until = max(n.Until, committed)
	}
	if n.At != nil && *n.At >= committed {
		s.at = *n.At
		s.runs = append(n.Tries[:min(len(n.Tries), maxUnknown)], n.Run)
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
