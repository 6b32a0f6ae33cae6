package integration

import (
	"testing"
	"time"
)

// TestWhatTheQuotaDropsIsInTheLedgerToTheLastNumber cuts the link until the quota is full and more:
// what was committed is what the cloud received and what the ledger holds, on both sides.
func TestWhatTheQuotaDropsIsInTheLedgerToTheLastNumber(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	lines := "outbox: {quota_bytes: 8388608, quota_rows: 300}\n"
	s.run(lines)
	load := s.readings(400, 3)
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > 50 })
	for range rounds(1, 20) {
		l.cut()
		before := s.must().dropped
		until(t, 2*time.Minute, "drops", func() bool { return s.must().dropped > before+200 })
		s.edge.kill(t) // the ledger survives, too
		s.run(lines)
		l.mend()
		until(t, 2*time.Minute, "a buffer with room", func() bool { return s.must().waiting < 200 })
	}
	load.stop()
	if c, _ := s.balance(time.Minute); c.dropped < 200 {
		t.Errorf("%d drops", c.dropped)
	}
}
