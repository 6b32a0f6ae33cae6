package coordtest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"cloudcanvas/cloud/coord"
)

func ids(members []coord.Member) (ids []string) {
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	return ids
}

func are(want ...string) func([]coord.Member) bool {
	return func(m []coord.Member) bool { return slices.Equal(ids(m), want) }
}

// join keeps a member until leave is called, which waits for Join to return.
func join(t *testing.T, p Party, m coord.Member) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Join(ctx, m) }()
	left := false
	leave = func() {
		cancel()
		if !left {
			left = true
			receive(t, ended, "Join to return")
		}
	}
	t.Cleanup(leave)
	return leave
}

func membersComeAndGo(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	workers, err := b.Members(ctx, coord.Worker)
	if err != nil {
		t.Fatal(err)
	}
	until(t, workers, "no members at first", are())
	leaveA := join(t, a, coord.Member{ID: "a", Role: coord.Worker, Host: "north", Rates: map[string]float64{"m": 7.5}})
	got := until(t, workers, "a", are("a"))
	if got[0].Host != "north" || got[0].Rates["m"] != 7.5 {
		t.Errorf("a is described as %+v", got[0])
	}
	leaveB := join(t, b, coord.Member{ID: "b", Role: coord.Worker})
	until(t, workers, "a and b", are("a", "b"))
	join(t, b, coord.Member{ID: "c", Role: coord.Mosaic})
	leaveA()
	until(t, workers, "b alone", are("b"))
	leaveB()
	until(t, workers, "nobody", are())
}

func memberIsDescribedAnew(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	workers, err := b.Members(ctx, coord.Worker)
	if err != nil {
		t.Fatal(err)
	}
	m := coord.Member{ID: "a", Role: coord.Worker}
	if err := a.Describe(ctx, m); err == nil {
		t.Error("a member that has not joined was described")
	}
	join(t, a, m)
	until(t, workers, "a", are("a"))
	m.Rates = map[string]float64{"heavy": 3}
	if err := a.Describe(ctx, m); err != nil {
		t.Fatal(err)
	}
	until(t, workers, "the new rate", func(m []coord.Member) bool { return len(m) == 1 && m[0].Rates["heavy"] == 3 })
}

func membershipIsRemade(t *testing.T, g Group) {
	ctx := background(t)
	a, b := g.Open(t, "a"), g.Open(t, "b")
	join(t, a, coord.Member{ID: "a", Role: coord.Worker})
	workers, err := b.Members(ctx, coord.Worker)
	if err != nil {
		t.Fatal(err)
	}
	until(t, workers, "a", are("a"))
	mine := own(ctx, a, "probe")
	receive(t, mine.had, "a to own")
	theirs := own(ctx, b, "probe")
	a.Cut()
	receive(t, theirs.had, "b to own what a held: a's session is gone")
	a.Heal()
	until(t, watchAnew(t, b), "a again", are("a"))
	close(theirs.leave)
	receive(t, mine.ended, "a's Own to return")
	receive(t, theirs.ended, "b's Own to return")
}

func watchAnew(t *testing.T, p Party) <-chan []coord.Member {
	members, err := p.Members(background(t), coord.Worker)
	if err != nil {
		t.Fatal(err)
	}
	return members
}

func namesAreChecked(t *testing.T, g Group) {
	ctx := background(t)
	a := g.Open(t, "a")
	for _, name := range []string{"", "a/b", ".", "..", "a b", "ä"} {
		if err := a.Join(ctx, coord.Member{ID: name, Role: coord.Worker}); err == nil || ctx.Err() != nil {
			t.Errorf("a member named %q was taken", name)
		}
		if err := a.Own(ctx, name, func(context.Context, coord.Lease) error { return nil }); err == nil {
			t.Errorf("%q could be owned", name)
		}
		if err := a.Lead(ctx, name, func(context.Context, coord.Epoch) error { return nil }); err == nil {
			t.Errorf("%q could be led", name)
		}
		if name != "a/b" {
			if _, err := a.Document(name).Put(ctx, nil, 0); err == nil || errors.Is(err, coord.ErrChanged) {
				t.Errorf("a document named %q was written: %v", name, err)
			}
		}
	}
}
