package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAFullDiskLosesNothingThatWasCommitted fills the device's filesystem while the link is cut and
// readings come in. The process stays and sheds what it can't commit. With a ballast file it delivers
// although the disk is as full as before, and in any case once there is room again.
func TestAFullDiskLosesNothingThatWasCommitted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := mountTmpfs(t, s.data, "128m")
	l := s.newLink()
	scenes := filepath.Join(s.dir, "scenes")
	os.MkdirAll(scenes, 0o755)
	s.run(fmt.Sprintf("scenes: [{name: inbox, folder: %q}]\n", scenes))
	load := s.readings(400, 3)
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > 20 })
	load.stop()
	ballast, _ := filepath.Glob(filepath.Join(s.data, "outbox", "*ballast*"))
	l.cut()
	d.fill(3 << 20)
	copyFile(t, sample(t, "sentinel2.tif"), filepath.Join(scenes, "field.tif"))
	load = s.readings(400, 250)
	shedding := func() bool { c := s.must(); return c.shed+c.dropped > 50 }
	until(t, 2*time.Minute, "a device that sheds", shedding)
	full := s.must()
	if full.waiting == 0 {
		t.Error("nothing waits")
	}
	l.mend()
	if len(ballast) == 0 {
		d.tidy()
	}
	until(t, 2*time.Minute, "what was committed before the disk was full", func() bool {
		c := s.must()
		return c.received+c.dropped >= full.committed
	})
	until(t, 2*time.Minute, "readings that come after it", func() bool { return s.must().committed > full.committed+100 })
	load.stop()
	until(t, 2*time.Minute, "the scene that came when the disk was full", func() bool { return len(manifests(s)) == 1 })
	c, _ := s.balance(time.Minute)
	t.Logf("ballast %v; committed %d when the disk was full, %d in the end; %d dropped with an entry in the ledger, %d never committed",
		len(ballast) > 0, full.committed, c.committed, c.dropped, c.shed)
}
