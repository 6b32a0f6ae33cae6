package uplink

import "time"

// silence notices that the broker acknowledges what is sent while no receipt comes: what an access list
// that denies looks like on the device, as MQTT 3.1.1 has no word for it.
type silence struct {
	first  time.Time // the first PUBACK since the last receipt
	down   time.Time // since when there is no connection
	logged bool
}

// silentFor is after how many receipt timeouts it is logged.
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

// receiptCame takes note of a receipt, and says whether it ends a silence that was logged.
func (s *silence) receiptCame() bool {
	logged := s.logged
	*s = silence{}
	return logged
}

// tooLong says, once, that the silence has become too long with so many items awaiting a receipt.
func (s *silence) tooLong(now time.Time, awaiting int, patience time.Duration) bool {
	if awaiting == 0 && !s.logged {
		s.first = time.Time{}
	}
	if s.logged || s.first.IsZero() || !s.down.IsZero() || now.Sub(s.first) < silentFor*patience {
		return false
	}
	s.logged = true
	return true
}
