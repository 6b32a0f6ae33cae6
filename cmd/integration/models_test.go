package integration

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// modelFolder is a model as people publish it: the manifest and golden case of the project's heavy
// model with the weights of that model or another.
func modelFolder(t *testing.T, weights string) string {
	t.Helper()
	const name = "ukis_csmask_6b_l1c"
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Join(dir, "1"), 0o755); err != nil {
		t.Fatal(err)
	}
	onnx, err := os.ReadFile(filepath.Join(root(t), ".deps", "models", weights, "1", "model.onnx"))
	if err != nil {
		t.Skip("the heavy models are not here: run make setup")
	}
	manifest, err := os.ReadFile(filepath.Join(root(t), "models", name, "model.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for line := range strings.Lines(string(manifest)) {
		if strings.HasPrefix(line, "sha256:") {
			line = fmt.Sprintf("sha256: %x\n", sha256.Sum256(onnx))
		}
		lines.WriteString(line)
	}
	write(t, filepath.Join(dir, "model.yaml"), "%s", lines.String())
	write(t, filepath.Join(dir, "1", "model.onnx"), "%s", onnx)
	copyFile(t, filepath.Join(root(t), "models", name, "golden.json"), filepath.Join(dir, "golden.json"))
	return dir
}

// TestAModelIsChangedUnderLoadAndABrokenOneTakenBack publishes the model again, lets it see a share of
// the tiles and then all, and then one whose golden case does not match, while scenes come in.
func TestAModelIsChangedUnderLoadAndABrokenOneTakenBack(t *testing.T) {
	t.Parallel()
	const name = "ukis_csmask_6b_l1c"
	f := startFleet(t)
	inbox := filepath.Join(f.dir, "scenes")
	if err := os.MkdirAll(inbox, 0o755); err != nil {
		t.Fatal(err)
	}
	f.device(t, "mast", fmt.Sprintf("scenes: [{name: inbox, folder: %q}]\n", inbox))
	made := 0
	load := func() {
		copyFile(t, sample(t, "sentinel2.tif"), filepath.Join(inbox, fmt.Sprintf("field-%d.tif", made)))
		made++
	}
	models := func(args ...string) string {
		t.Helper()
		code, out := run(t, "canvas-cloud", append([]string{"--config", f.config, "models"}, args...)...)
		if code != 0 {
			t.Fatalf("models %q: %d\n%s", args, code, out)
		}
		return out
	}
	type row struct {
		Name    string
		Running map[string]int
		Desired string
		Canary  *struct{ Version string }
		Changes []struct{ What, Version, By, Reason string }
	}
	state := func() (r row) {
		t.Helper()
		var rows []row
		decodeJSON(t, []byte(models("ls", "--json")), &rows)
		for _, r := range rows {
			if r.Name == name {
				return r
			}
		}
		return r
	}
	while := func(what string, met func(row) bool) {
		t.Helper()
		until(t, 2*time.Minute, what, func() bool {
			load()
			time.Sleep(500 * time.Millisecond) // the rate of the load
			return met(state())
		})
	}

	seenBy := func(version string) bool {
		for n := range made {
			tiles, _ := os.ReadFile(filepath.Join(f.products, fmt.Sprintf("field-%d", n), "tiles.json"))
			if bytes.Contains(tiles, fmt.Appendf(nil, "%q", name+" "+version)) {
				return true
			}
		}
		return false
	}

	while("tiles that the shipped version saw", func(row) bool { return seenBy("1") })
	models("publish", modelFolder(t, name))
	models("canary", "--version", "2", "--share", "0.5", name)
	while("tiles that the canary saw", func(row) bool { return seenBy("2") })
	models("promote", name)
	while("the new version alone", func(r row) bool { return r.Desired == "2" && r.Running["2"] == len(f.workers) })

	models("publish", "--untried", modelFolder(t, "ukis_csmask_6b_l2a"))
	models("canary", "--version", "3", "--share", "0.5", name)
	while("the broken version taken back", func(r row) bool {
		last := r.Changes[len(r.Changes)-1]
		return r.Canary == nil && last.What == "rollback" && last.Version == "3" && strings.Contains(last.Reason, "golden")
	})

	until(t, 2*time.Minute, "every product", func() bool {
		for n := range made {
			if !there(f.products, fmt.Sprintf("field-%d/item.json", n)) {
				return false
			}
		}
		return true
	})
	want := mask(t, f.products, "field-0")
	for n := range made {
		if !bytes.Equal(mask(t, f.products, fmt.Sprintf("field-%d", n)), want) {
			t.Errorf("the mask of field-%d is another one", n)
		}
	}
	if n := f.count(t, f.kafka(t), event.DLQTopic); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	t.Logf("%d scenes while the model changed; %+v", made, state().Changes)
}
