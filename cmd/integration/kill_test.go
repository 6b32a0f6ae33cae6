package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// TestTheDeviceIsKilledAtRandomMomentsUnderLoad kills canvas-edge with SIGKILL while readings come in
// and scenes are cut: what was committed arrives once, scenes are read again, and the ledger is exact.
func TestTheDeviceIsKilledAtRandomMomentsUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	scenes := filepath.Join(s.dir, "scenes")
	os.MkdirAll(scenes, 0o755)
	lines := fmt.Sprintf("scenes: [{name: inbox, folder: %q}]\n", scenes)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))

	s.run(lines)
	load := s.readings(400, 3)
	kills := rounds(6, 200)
	sceneEvery := max(1, kills/6)
	made := 0
	for kill := range kills {
		if kill%sceneEvery == 0 {
			copyFile(t, sample(t, "sentinel2.tif"), filepath.Join(scenes, fmt.Sprintf("field-%d.tif", made)))
			made++
		}
		time.Sleep(time.Duration(random.Int64N(int64(700 * time.Millisecond)))) // the random moment itself
		before, err := s.counts()
		if err != nil {
			before = counts{}
		}
		s.edge.kill(t)
		s.run(lines)
		if after := s.must(); after.committed < before.committed || after.received < before.received {
			t.Fatalf("kill %d: it had committed %d and received %d, now %d and %d", kill+1, before.committed, before.received, after.committed, after.received)
		}
	}
	sent := load.stop()
	until(t, 2*time.Minute, "every scene in the buffer", func() bool { return len(manifests(s)) == made })
	c, l := s.balance(time.Minute)
	if n := len(s.inKafka()); n > kills+1 {
		t.Errorf("%d starts began %d epochs", kills+1, n)
	}
	if c.quarantined != 0 {
		t.Errorf("%d inputs were quarantined: none is to blame", c.quarantined)
	}
	pieces := map[string]int{}
	for _, i := range l.items {
		if i.Kind == event.Tile || i.Kind == event.Scene {
			pieces[i.Subject]++
		}
	}
	for what, n := range pieces {
		if n != 1 {
			t.Errorf("%s came %d times", what, n)
		}
	}
	numbers := l.readingNumbers(t)
	t.Logf("%d kills; %d readings sent, %d of them captured; %d scenes in %d pieces", kills, sent, len(numbers), made, len(pieces))
	if len(numbers) == 0 || len(pieces) < 2*made {
		t.Error("there was no load")
	}
}

// copyFile copies a file that is at its place whole or not at all.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to+".part", data, 0o644)
	}
	if err == nil {
		err = os.Rename(to+".part", to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func manifests(s *site) (ids []string) {
	for _, l := range s.inKafka() {
		for _, i := range l.items {
			if i.Kind == event.Scene {
				ids = append(ids, i.Subject)
			}
		}
	}
	return ids
}
