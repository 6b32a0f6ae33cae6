package local_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/coordtest"
	"cloudcanvas/cloud/coord/local"
)

func TestLocalConforms(t *testing.T) {
	defer goleak.VerifyNone(t)
	coordtest.Run(t, func(t *testing.T) coordtest.Group {
		return group{local.NewSpace()}
	})
}

func TestASpaceWithAFolderConforms(t *testing.T) {
	defer goleak.VerifyNone(t)
	coordtest.Run(t, func(t *testing.T) coordtest.Group {
		space, err := local.OpenSpace(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return group{space}
	})
}

func TestTheNextProcessKnowsWhatTheLastOneNoted(t *testing.T) {
	dir := t.TempDir()
	open := func() *local.Coordinator {
		t.Helper()
		space, err := local.OpenSpace(dir)
		if err != nil {
			t.Fatal(err)
		}
		return space.Coordinator("worker")
	}
	var first coord.Epoch
	err := open().Own(t.Context(), "canvas.work-0", func(ctx context.Context, l coord.Lease) error {
		first = l.Epoch()
		return l.Note(ctx, "offset 7") // and the process dies
	})
	if err != nil {
		t.Fatal(err)
	}
	c := open()
	if _, err := c.Document("worker-deaths").Put(t.Context(), []byte("[]"), 0); err != nil {
		t.Fatal(err)
	}
	c = open()
	err = c.Own(t.Context(), "canvas.work-0", func(ctx context.Context, l coord.Lease) error {
		if l.Previous() != "offset 7" || l.Epoch() <= first {
			t.Errorf("the one before noted %q, epoch %d after %d", l.Previous(), l.Epoch(), first)
		}
		return l.Note(ctx, "")
	})
	if err != nil {
		t.Fatal(err)
	}
	if value, version, err := c.Document("worker-deaths").Get(t.Context()); err != nil || version != 1 || string(value) != "[]" {
		t.Errorf("the document is %q, version %d: %v", value, version, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "coordinator.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	open() // it starts all the same
	if _, err := os.Stat(filepath.Join(dir, "coordinator.json.unreadable")); err != nil {
		t.Error(err)
	}
}

type group struct{ space *local.Space }

func (g group) Open(t *testing.T, id string) coordtest.Party {
	c := g.space.Coordinator(id)
	t.Cleanup(func() { c.Close() })
	return coordtest.Party{Coordinator: c, Cut: c.Expire, Heal: func() {}}
}
