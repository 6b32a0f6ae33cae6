package integration

import (
	"testing"
	"time"
)

// TestABrokerThatLosesItsMemoryLosesNothing kills the cloud's mosquitto with SIGKILL in the middle of
// the load. It comes back without its sessions and without what it had acknowledged.
func TestABrokerThatLosesItsMemoryLosesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("")
	load := s.readings(200, 2)
	for range rounds(3, 20) {
		before := s.must().received
		until(t, 2*time.Minute, "items that are received", func() bool {
			c, err := s.counts()
			return err == nil && c.received > before+50
		})
		s.mqtt.Kill()
		time.Sleep(300 * time.Millisecond) // items gather meanwhile
		s.mqtt.Restart()
	}
	sent := load.stop()
	c, l := s.balance(time.Minute)
	// One may be on its way when the sensor is told to stop.
	if n := len(l.readingNumbers(t)); n < sent || n > sent+1 || c.dropped != 0 {
		t.Errorf("%d readings were sent, %d are in Kafka, %d in the ledger", sent, n, c.dropped)
	}
}
