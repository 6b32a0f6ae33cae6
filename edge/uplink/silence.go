package uplink

import "time"

// silence notices that the broker acknowledges what is sent while no receipt comes: what an access list
// that denies looks like from here, as MQTT 3.1.1 has no word for it.
type silence struct {
	first time.Time // the first PUBACK since the last receipt
	down  time.Time // since when there is no connection
	told  bool
}

// silentFor is after how many receipt timeouts it is told.
const silentFor = 4

func (s *silence) acked(now time.Time) {
	if s.first.IsZero() {
		s.first = now
	}
}

// disconnected notes that there is no connection, in which nothing can come.
func (s *silence) disconnected(now time.Time) {
	if s.down.IsZero() {
		s.down = now
	}
}

// connected begins anew after a longer time without a connection.
func (s *silence) connected(now time.Time, patience time.Duration) {
	if !s.down.IsZero() && now.Sub(s.down) > patience {
		s.first = time.Time{}
	}
	s.down = time.Time{}
}

// broken takes note of a receipt, and says whether it ends a silence that was told.
func (s *silence) broken() bool {
	told := s.told
	*s = silence{}
	return told
}

// lasts says, once, that the silence has become too long with so many items awaiting a receipt.
func (s *silence) lasts(now time.Time, awaiting int, patience time.Duration) bool {
	if awaiting == 0 && !s.told {
		s.first = time.Time{}
	}
	if s.told || s.first.IsZero() || !s.down.IsZero() || now.Sub(s.first) < silentFor*patience {
		return false
	}
	s.told = true
	return true
}
