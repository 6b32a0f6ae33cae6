package coordtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloudcanvas/cloud/coord"
)

func oneOwns(t *testing.T, g Group) {
	ctx := background(t)
	parties := []Party{g.Open(t, "a"), g.Open(t, "b")}
	var last coord.Epoch
	var before *holding
	for turn := range 4 {
		p := parties[turn%2]
		h := own(ctx, p, "work-1")
		if before != nil {
			owners, err := p.Owners(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if o := owners["work-1"]; len(owners) != 1 || o.Epoch != last || o.Member != []string{"b", "a"}[turn%2] || time.Since(o.Since).Abs() > time.Hour {
				t.Errorf("owners before turn %d: %+v", turn, owners)
			}
			select {
			case <-h.had:
				t.Fatal("two own at a time")
			default:
			}
			close(before.leave)
			if err := receive(t, before.ended, "Own to return"); err != nil {
				t.Error(err)
			}
		}
		l := receive(t, h.had, "ownership")
		if l.Epoch() <= last {
			t.Errorf("epoch %d after %d", l.Epoch(), last)
		}
		last, before = l.Epoch(), h
	}
	other := own(ctx, parties[0], "work-2")
	receive(t, other.had, "ownership of something else meanwhile")
	close(other.leave)
	close(before.leave)
	receive(t, other.ended, "Own to return")
	receive(t, before.ended, "Own to return")
	failed := errors.New("it failed")
	if err := parties[0].Own(ctx, "work-1", func(context.Context, coord.Lease) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("Own returned %v, not own's error", err)
	}
}

func ownerFindsNote(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	first := own(ctx, a, "work-1")
	l := receive(t, first.had, "ownership")
	if l.Previous() != "" {
		t.Errorf("the first owner found %q", l.Previous())
	}
	for _, note := range []string{"at 41", "at 42"} {
		if err := l.Note(ctx, note); err != nil {
			t.Fatal(err)
		}
	}
	if owners, err := b.Owners(ctx); err != nil || owners["work-1"].Note != "at 42" {
		t.Errorf("owners: %+v, %v", owners, err)
	}
	close(first.leave)
	receive(t, first.ended, "Own to return")
	for _, p := range []Party{b, a} { // the second finds it too: no one wrote since
		h := own(ctx, p, "work-1")
		if l := receive(t, h.had, "ownership"); l.Previous() != "at 42" {
			t.Errorf("the next owner found %q", l.Previous())
		}
		close(h.leave)
		receive(t, h.ended, "Own to return")
	}
}

func waitingEnds(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	h := own(ctx, a, "work-1")
	receive(t, h.had, "ownership")
	waiting, cancel := context.WithCancel(ctx)
	w := own(waiting, b, "work-1")
	cancel()
	if err := receive(t, w.ended, "Own to give up"); !errors.Is(err, context.Canceled) {
		t.Errorf("Own gave up with %v", err)
	}
	close(h.leave)
	receive(t, h.ended, "Own to return")
	again := own(ctx, a, "work-1") // what gave up must not hold anything
	receive(t, again.had, "ownership")
	close(again.leave)
	receive(t, again.ended, "Own to return")
}

func ownerIsTold(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	first := own(ctx, a, "work-1")
	l := receive(t, first.had, "ownership")
	if err := l.Note(ctx, "in hand"); err != nil {
		t.Fatal(err)
	}
	second := own(ctx, b, "work-1")
	a.Cut()
	after := receive(t, second.had, "ownership to pass")
	if first.context.Err() == nil || !errors.Is(context.Cause(first.context), coord.ErrLost) {
		t.Fatalf("another owns while the first owner was told nothing (%v)", context.Cause(first.context))
	}
	done(t, first.lost, "the first owner to hear")
	if after.Epoch() <= l.Epoch() || after.Previous() != "in hand" {
		t.Errorf("epoch %d after %d, previous note %q", after.Epoch(), l.Epoch(), after.Previous())
	}
	a.Heal()
	if err := receive(t, first.ended, "the first Own to return"); !errors.Is(err, coord.ErrLost) {
		t.Errorf("the first Own returned %v", err)
	}
	third := own(ctx, a, "work-1")
	close(second.leave)
	if receive(t, third.had, "ownership to come back").Epoch() <= after.Epoch() {
		t.Error("the epoch did not grow")
	}
	close(third.leave)
	receive(t, second.ended, "Own to return")
	receive(t, third.ended, "Own to return")
}

func lostOwnerCannotNote(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	first := own(ctx, a, "work-1")
	l := receive(t, first.had, "ownership")
	second := own(ctx, b, "work-1")
	a.Cut()
	after := receive(t, second.had, "ownership to pass")
	if err := after.Note(ctx, "the second's"); err != nil {
		t.Fatal(err)
	}
	a.Heal()
	if err := l.Note(ctx, "the first's"); !errors.Is(err, coord.ErrLost) {
		t.Errorf("a lost owner noted: %v", err)
	}
	close(second.leave)
	receive(t, first.ended, "Own to return")
	receive(t, second.ended, "Own to return")
	third := own(ctx, b, "work-1")
	if l := receive(t, third.had, "ownership"); l.Previous() != "the second's" {
		t.Errorf("the note became %q", l.Previous())
	}
	close(third.leave)
	receive(t, third.ended, "Own to return")
}

func closeEnds(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	first := own(ctx, a, "work-1")
	receive(t, first.had, "ownership")
	second := own(ctx, b, "work-1")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	done(t, first.lost, "the owner to hear of the end")
	receive(t, second.had, "ownership to pass")
	close(second.leave)
	receive(t, second.ended, "Own to return")
	if err := receive(t, own(ctx, a, "work-1").ended, "Own after Close"); !errors.Is(err, coord.ErrClosed) {
		t.Errorf("Own after Close: %v", err)
	}
}
