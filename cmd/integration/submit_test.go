package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// TestStoredScenesAreSubmittedOnceAndLiveOnesOvertakeThem submits a folder, is killed in the middle,
// submits again, and lets a device send a scene meanwhile.
func TestStoredScenesAreSubmittedOnceAndLiveOnesOvertakeThem(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	dir := t.TempDir()
	if code, out := run(t, "canvas", "simulate", "scene", "--out", dir, "--width", "2600", "--height", "2400", "--seed", "5"); code != 0 {
		t.Fatal(out)
	}
	stored := filepath.Join(t.TempDir(), "stored")
	if err := os.MkdirAll(stored, 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(dir, "scene.tif"), filepath.Join(stored, "large.tif"))
	copyFile(t, sample(t, "sentinel2.tif"), filepath.Join(stored, "small.tif"))
	write(t, filepath.Join(stored, "broken.tif"), "no scene")
	write(t, filepath.Join(stored, "photo.jpg"), "no photo")

	f := startFleet(t)
	k := f.kafka(t)
	until(t, 2*time.Minute, "the topics", func() bool { _, err := k.Offsets(t.Context(), event.WorkTopic); return err == nil })
	submit := []string{"--config", f.config, "submit", "--json", "--depth", "4", stored}
	first := start(t, "canvas-cloud", submit...)
	until(t, 2*time.Minute, "work", func() bool { return f.count(t, k, event.WorkTopic) >= 6 })
	first.kill(t)

	cmd := exec.Command(program(t, "canvas-cloud"), submit...)
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.device(t, "mast", fmt.Sprintf("scenes: [{name: live, path: %q}]\n", sample(t, "sentinel2.tif")))
	until(t, 2*time.Minute, "the live scene's product", func() bool { return there(f.products, "live/item.json") })
	if there(f.products, "large/item.json") {
		t.Error("the stored scene was done before the live one: nothing was overtaken")
	}
	err := cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Fatalf("exit code %d (%v)\n%s", code, err, complained.String())
	}
	var report struct {
		Submitted, Skipped, Items int
		Failed                    []struct{ File, Problem string }
	}
	if err := json.Unmarshal(said.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.Submitted != 2 || report.Skipped != 0 || len(report.Failed) != 2 || !strings.Contains(report.Failed[1].Problem, "worker.models") {
		t.Errorf("%+v", report)
	}
	until(t, 2*time.Minute, "the stored scenes' products", func() bool {
		return there(f.products, "large/item.json") && there(f.products, "small/item.json")
	})
	if !bytes.Equal(mask(t, f.products, "small"), mask(t, f.products, "live")) {
		t.Error("the same scene has another mask when it is submitted")
	}
	work := f.count(t, k, event.WorkTopic)
	if code, out := run(t, "canvas-cloud", submit...); code != 3 || !strings.Contains(out, `"skipped": 2`) || f.count(t, k, event.WorkTopic) != work {
		t.Errorf("submitted again: %d, %d more items\n%s", code, f.count(t, k, event.WorkTopic)-work, out)
	}
}
