package cloud

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/release"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cloud/worker"
	workernative "cloudcanvas/cloud/worker/native"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/model/modeltest"
)

// TestAWorkerTakesBackWhatItCanNotRun wants hostile versions of every worker: each is taken back with the
// reason, and what ran goes on.
func TestAWorkerTakesBackWhatItCanNotRun(t *testing.T) {
	repository := t.TempDir()
	modeltest.Write(t, repository, "stranger", "1", modeltest.Honest())
	models, err := model.Open(repository)
	if err != nil {
		t.Fatal(err)
	}
	layout := infer.Layout{Sessions: 1, Remember: t.TempDir(), TrialTime: 2 * time.Second, TrialMemory: 1 << 30}
	from := workernative.Catalogue{Repository: models, Layout: layout}
	registry, err := worker.NewRegistry(worker.Config{Models: []worker.Choice{{Want: "classify", Model: "stranger"}}}, from)
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	if err := registry.Preload(t.Context()); err != nil {
		t.Fatal(err)
	}
	objects, err := store.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Close()
	library, space := release.Library{Objects: objects}, local.NewSpace()
	admin := release.Admin{Group: space.Coordinator("admin"), Library: library, By: "operator"}
	follower := release.Follower{Group: space.Coordinator("worker"), Library: library, Stage: stage{registry, from}, Dir: t.TempDir(), By: "worker-1",
		Look: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { follower.Run(ctx, "stranger") })
	defer following.Wait()
	defer cancel()

	files := modeltest.SeenInTheFile("/etc/passwd")
	hostile := map[string][]byte{"elsewhere": files["a constant elsewhere"], "turns": files["a loop of 2^62 turns"]}
	for name, onnx := range modeltest.SeenOnTrial() {
		hostile[name] = onnx
	}
	for name, onnx := range hostile {
		dir := modeltest.Write(t, t.TempDir(), "stranger", "1", onnx)
		r, err := model.Open(filepath.Dir(dir))
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Find("stranger")
		if err != nil {
			t.Fatal(err)
		}
		version, err := library.Publish(t.Context(), m, dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Promote(t.Context(), "stranger", version); err != nil {
			t.Fatal(err)
		}
		for late := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			rows, err := admin.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			last := rows[0].Changes[len(rows[0].Changes)-1]
			if last.What == "rollback" && last.Version == version && last.Reason != "" && rows[0].Desired == "" {
				t.Logf("%s: %.200s", name, last.Reason)
				break
			}
			if time.Now().After(late) {
				t.Fatalf("%s is not taken back: %+v", name, rows)
			}
		}
		if v := registry.Versions()["stranger"]; v != "1" {
			t.Errorf("%s: version %s runs", name, v)
		}
	}
}
