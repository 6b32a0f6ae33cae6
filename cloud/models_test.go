package cloud

import (
	"context"
	"errors"
	"testing"

	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/release"
	"cloudcanvas/cloud/store"
)

func TestTheConsoleChangesModelsAsOperatorsDo(t *testing.T) {
	objects, err := store.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Close()
	for _, version := range []string{"2", "3"} {
		if err := objects.Put(t.Context(), "models/coast/"+version+"/model.yaml", []byte("task: segment\n")); err != nil {
			t.Fatal(err)
		}
	}
	space := local.NewSpace()
	worker := space.Coordinator("worker-1")
	joined := make(chan error, 1)
	ctx, leave := context.WithCancel(t.Context())
	defer func() { leave(); <-joined }()
	go func() {
		joined <- worker.Join(ctx, coord.Member{Role: coord.Worker, ID: "worker-1", Models: map[string]string{"coast": "2"}})
	}()
	m := modelsOf(space.Coordinator("console"), release.Library{Objects: objects})
	if err := m.Promote(t.Context(), "otto", "coast", "9"); !errors.Is(err, live.ErrRefused) {
		t.Errorf("a version that was not published: %v", err)
	}
	for _, do := range []func(context.Context) error{
		func(ctx context.Context) error { return m.Promote(ctx, "otto", "coast", "2") },
		func(ctx context.Context) error { return m.Canary(ctx, "otto", "coast", "3", 0.25) },
	} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	members, err := worker.Members(t.Context(), coord.Worker)
	if err != nil {
		t.Fatal(err)
	}
	for len(<-members) == 0 { // until the worker is among them
	}
	one := func() live.Model {
		all, err := m.Models(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	if got := one(); got.Desired != "2" || got.Canary == nil || got.Canary.Share != 0.25 || got.Running["2"] != 1 || got.Changes[0].Action != "canary" || got.Changes[0].Who != "otto" {
		t.Errorf("%+v", got)
	}
	if err := m.Rollback(t.Context(), "vera", "coast", "it misses coasts"); err != nil {
		t.Fatal(err)
	}
	if got := one(); got.Canary != nil || got.Rollbacks()[0].Reason != "it misses coasts" || got.Rollbacks()[0].Who != "vera" {
		t.Errorf("%+v", got)
	}
	if err := m.Canary(t.Context(), "otto", "coast", "2", 0.5); !errors.Is(err, live.ErrRefused) {
		t.Errorf("what runs already as a canary: %v", err)
	}
}
