package edge

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
)

func writeFile(t testing.TB, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// TestTheCloudAsksAnAgentOverMosquittoForAnUnchangedTile has the same ground in two scenes: of the
// second nothing is sent but its description, until a tile is asked for.
func TestTheCloudAsksAnAgentOverMosquittoForAnUnchangedTile(t *testing.T) {
	site := brokertest.StartMosquitto(t)
	dir := t.TempDir()
	cloud, err := mqtt.Dial(t.Context(), mqtt.Options{URL: site.URL, ClientID: "cloud", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	items := make(chan event.Item, 100)
	cloud.Subscribe(event.UpFilter, 1, func(m mqtt.Message) {
		if i, err := event.UnmarshalMQTT(m.Payload); err == nil {
			items <- i
		}
	})
	next := func(what string, is func(event.Item) bool) event.Item {
		t.Helper()
		for limit := time.After(2 * time.Minute); ; {
			select {
			case i := <-items:
				if is(i) {
					return i
				}
			case <-limit:
				t.Fatalf("no %s came", what)
			}
		}
	}
	run := func(path, name string) (stop func()) {
		t.Helper()
		c := DefaultConfig()
		c.Edge, c.Data, c.Cloud.URL = "mast", filepath.Join(dir, "data"), site.URL
		c.Screen.Scenes.Change = 0.005
		c.Scenes = []SceneSource{{Name: name, Path: path, CloudModel: Spectral, SceneOptions: sceneOptions}}
		return runAgent(t, c)
	}
	manifest := func(id string) event.Manifest {
		t.Helper()
		m, err := event.ParseManifest(next("manifest of "+id, func(i event.Item) bool { return i.Kind == event.Scene && i.Subject == id }))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	stop := run(scene(t, filepath.Join(dir, "may.tif"), 500_000, 1, 0), "may")
	if got := decisions(manifest("may")); !slices.Equal(got, slices.Repeat([]string{"sent "}, 4)) {
		t.Fatalf("%q", got)
	}
	stop()
	stop = run(scene(t, filepath.Join(dir, "june.tif"), 500_000, 0.95, 0), "june")
	defer stop()
	if got := decisions(manifest("june")); !slices.Equal(got, slices.Repeat([]string{"dropped unchanged"}, 4)) {
		t.Fatalf("%q", got)
	}
	for range 2 {
		if err := cloud.Publish(t.Context(), event.DownTopic("mast", event.DownQuery), 1, false, []byte(`{"id":"q7","scene":"june","tile":"1_1","what":"full"}`)); err != nil {
			t.Fatal(err)
		}
	}
	tile := next("tile of june", func(i event.Item) bool { return i.Kind == event.Tile && i.Attrs.Scene == "june" })
	if tile.Attrs.Tile != "1_1" || tile.Priority != event.High {
		t.Errorf("%s of priority %d", tile.Subject, tile.Priority)
	}
	next("answer", func(i event.Item) bool { return i.Kind == event.Answer && i.Subject == "q7" })
}

// runAgent runs an agent without models until stop, which says whether it ended well.
func runAgent(t *testing.T, c Config) (stop func()) {
	t.Helper()
	models, err := model.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a, err := Open(ctx, c, Parts{Models: models, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		a.Close()
	}
}
