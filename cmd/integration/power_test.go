package integration

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAPowerCutLosesNothingThatWasCommitted cuts the power of the device's ext4 at random moments
// under load: what was not synced is gone, the journal is replayed, and the device starts again.
func TestAPowerCutLosesNothingThatWasCommitted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := mountExt4(t, s.data)
	s.run("")
	load := s.readings(400, 3)
	gone := 0
	cuts := rounds(4, 100)
	for cut := range cuts {
		canary := filepath.Join(s.data, "unsynced")
		if err := os.WriteFile(canary, make([]byte, 8192), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(700 * time.Millisecond)) // the random moment itself
		before := s.must()
		d.cutPower()
		s.edge.cmd.Process.Kill() // it may have ended by itself: nothing on its disk can be read or written
		<-s.edge.done
		d.replug()
		if info, err := os.Stat(canary); err != nil || info.Size() == 0 {
			gone++
		}
		os.Remove(canary)
		s.run("")
		if after := s.must(); after.committed < before.committed || after.received < before.received {
			t.Fatalf("cut %d: it had committed %d and received %d, now %d and %d", cut+1, before.committed, before.received, after.committed, after.received)
		}
	}
	load.stop()
	if gone == 0 {
		t.Error("a file that was not synced survived every cut: these were no power cuts")
	}
	c, _ := s.balance(time.Minute)
	if n := len(s.inKafka()); n > cuts+1 || c.quarantined != 0 {
		t.Errorf("%d epochs of %d starts, %d quarantined", n, cuts+1, c.quarantined)
	}
	if troubles := s.troubles(); len(troubles) > 0 {
		t.Errorf("a power cut is taken for damage: %+v", troubles)
	}
}
