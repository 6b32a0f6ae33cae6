package coordtest

import (
	"errors"
	"slices"
	"testing"

	"cloudcanvas/cloud/coord"
)

func documentVersions(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a").Document("models/cloudy"), g.Open(t, "b").Document("models/cloudy")
	if value, version, err := a.Get(ctx); value != nil || version != 0 || err != nil {
		t.Fatalf("at first: %q, %d, %v", value, version, err)
	}
	first, err := a.Put(ctx, []byte("one"), 0)
	if err != nil || first == 0 {
		t.Fatal(first, err)
	}
	if _, err := b.Put(ctx, []byte("mine"), 0); !errors.Is(err, coord.ErrChanged) {
		t.Errorf("a second creation: %v", err)
	}
	value, version, err := b.Get(ctx)
	if string(value) != "one" || version != first || err != nil {
		t.Fatalf("b reads %q, %d, %v", value, version, err)
	}
	second, err := b.Put(ctx, []byte("two"), version)
	if err != nil || second <= first {
		t.Fatal(second, err)
	}
	if _, err := a.Put(ctx, []byte("late"), first); !errors.Is(err, coord.ErrChanged) {
		t.Errorf("a write from an old version: %v", err)
	}
	if value, version, _ := a.Get(ctx); string(value) != "two" || version != second {
		t.Errorf("a reads %q, %d", value, version)
	}
}

func documentIsWatched(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	seen, err := b.Document("assignments").Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if v := receive(t, seen, "the value at once"); v != nil {
		t.Errorf("at first %q", v)
	}
	version := int64(0)
	for _, value := range []string{"one", "two", "two", "three"} {
		if version, err = a.Document("assignments").Put(ctx, []byte(value), version); err != nil {
			t.Fatal(err)
		}
	}
	until(t, seen, "the last value", func(v []byte) bool { return string(v) == "three" })
}

func watchSurvives(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	version, err := a.Document("assignments").Put(ctx, []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := b.Document("assignments").Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	until(t, seen, "the first value", func(v []byte) bool { return string(v) == "one" })
	probe := own(ctx, b, "probe")
	receive(t, probe.had, "ownership")
	b.Cut()
	done(t, probe.lost, "the session to end")
	if _, err := a.Document("assignments").Put(ctx, []byte("two"), version); err != nil {
		t.Fatal(err)
	}
	b.Heal()
	until(t, seen, "what changed meanwhile", func(v []byte) bool { return string(v) == "two" })
	receive(t, probe.ended, "Own to return")
}

func documentsAreListed(t *testing.T, g Group) {
	ctx := background(t)
	a := g.Open(t, "a")
	if names, err := a.Documents(ctx, "models"); err != nil || len(names) != 0 {
		t.Errorf("at first: %v, %v", names, err)
	}
	for _, name := range []string{"models/sea", "models/cloudy", "assignments", "models2/other"} {
		if _, err := a.Document(name).Put(ctx, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := g.Open(t, "b").Documents(ctx, "models"); err != nil || !slices.Equal(names, []string{"cloudy", "sea"}) {
		t.Errorf("listed %v, %v", names, err)
	}
	if _, err := a.Documents(ctx, "a b"); err == nil {
		t.Error("a path with a space was listed")
	}
}
