package integration

import (
	"strings"
	"testing"
	"time"
)

// TestAFullDiskLosesNothingThatWasCommitted fills the device's filesystem while the link is cut and
// readings come in. Capture sheds, the process stays, and with the link back all that was committed
// arrives and the device goes on, although the disk is as full as before.
func TestAFullDiskLosesNothingThatWasCommitted(t *testing.T) {
	s := newSite(t)
	d := mountTmpfs(t, s.data, "96m")
	l := s.newLink()
	s.run("")
	load := s.readings(400, 3)
	until(t, 20*time.Second, "items that are received", func() bool { return s.must().received > 20 })
	load.stop()
	l.cut()
	d.fill(3 << 20)
	load = s.readings(400, 250)
	until(t, time.Minute, "a full disk", func() bool {
		log := s.edge.log.String()
		return strings.Contains(log, "disk is full") || strings.Contains(log, "disk I/O error") || s.must().dropped > 0
	})
	time.Sleep(time.Second) // readings go on coming while it is full
	full := s.must()
	if full.waiting == 0 {
		t.Error("nothing waits")
	}
	l.mend()
	until(t, time.Minute, "what was committed before the disk was full", func() bool { return s.must().received >= full.committed-s.must().dropped })
	until(t, time.Minute, "readings that come after it", func() bool { return s.must().committed > full.committed+100 })
	load.stop()
	c, _ := s.balance(time.Minute)
	t.Logf("committed %d when the disk was full, %d in the end, %d dropped", full.committed, c.committed, c.dropped)
}
