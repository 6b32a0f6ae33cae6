package references

import (
	"errors"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
)

// library is one over so many tiles in a row, each four blocks from the last, shown by two edges in turn.
func library(t *testing.T, tiles int) (*objects, *Merger, *Library) {
	t.Helper()
	o := newObjects(t)
	m := merger(t, o, testConfig())
	for n := range tiles {
		show(t, o, m, n, 100)
	}
	l, err := NewLibrary(testConfig(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o, m, l
}

func show(t *testing.T, o *objects, m *Merger, n int, second int64) {
	t.Helper()
	item, ov := tile(n, []string{"a", "b"}[n%2], int64(n)*1024, second)
	seenBy(t, o, item, ov)
	if _, err := m.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// round asks until all is there, so many bytes at a time, and gives the columns of tiles in the order in which
// they came, and where the next round begins.
func round(t *testing.T, l *Library, edge string, want event.WantedViews) (columns []int64, next event.WantedViews) {
	t.Helper()
	top := uint64(0)
	for range 1000 {
		done, last := false, 0
		bytes := 0
		err := l.Answer(t.Context(), edge, want, func(d event.DownViews) error {
			payload, err := d.Marshal()
			if err != nil {
				return err
			}
			if d, err = event.ParseDownViews(payload); err != nil || d.After != want.After || d.Before != want.Before || len(d.Data) > event.DownViewsBytes || last > 0 {
				t.Fatalf("%+v: %v", d, err)
			}
			if want.Before == 0 {
				top = d.Top
			}
			err = d.Each(func(v event.DownView, data []byte) error {
				var view ground.View
				if err := view.UnmarshalBinary(data); err != nil {
					return err
				}
				for _, s := range view.Sources {
					if s.Name[:1] == edge {
						t.Errorf("%s is sent its own ground", edge)
					}
				}
				if n := len(columns); n == 0 || columns[n-1] != floorDiv(v.X) {
					columns = append(columns, floorDiv(v.X))
				}
				return nil
			})
			bytes += len(d.Data)
			want.List = d.List
			if d.Next > 0 {
				want.Before = d.Next
			}
			if done = d.Done; d.Last {
				last++
			}
			return err
		})
		if err != nil || last != 1 || int64(bytes) > want.Bytes {
			t.Fatalf("%v: %d last messages, %d bytes of %d", err, last, bytes, want.Bytes)
		}
		if done {
			want.After, want.Before = max(top, want.After), 0
			return columns, want
		}
	}
	t.Fatal("it does not come to an end")
	return nil, want
}

func floorDiv(x int64) int64 { return x / 4 }

func TestADeviceGetsWhatOthersHaveShownTheLastChangeFirst(t *testing.T) {
	for _, bytes := range []int64{event.MaxDownViewBytes, 1 << 20} {
		o, m, l := library(t, 9)
		now := time.Unix(2000, 0)
		l.now = func() time.Time { return now }
		columns, next := round(t, l, "a", event.WantedViews{System: grid, Bytes: bytes})
		want := []int64{7, 5, 3, 1}
		if len(columns) != len(want) {
			t.Fatalf("%v", columns)
		}
		for i := range want {
			if columns[i] != want[i] {
				t.Fatalf("%v", columns)
			}
		}
		if columns, _ = round(t, l, "a", next); len(columns) != 0 {
			t.Errorf("again: %v", columns)
		}
		show(t, o, m, 3, 200)
		now = now.Add(2 * listAge)
		columns, next = round(t, l, "a", next)
		if len(columns) != 1 || columns[0] != 3 {
			t.Errorf("after a change: %v", columns)
		}
		// A list that was lost is another one, from its beginning.
		next.List, next.After = "another", 1<<60
		if err := l.Answer(t.Context(), "a", next, func(d event.DownViews) error {
			if d.After != 0 || d.Before != 0 || d.List == next.List {
				t.Errorf("%+v", d)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

func TestADeviceIsToldWhereThereIsNothing(t *testing.T) {
	o, _, l := library(t, 1)
	said := func(l *Library, want event.WantedViews) (d event.DownViews) {
		if err := l.Answer(t.Context(), "a", want, func(got event.DownViews) error { d = got; return nil }); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := said(l, event.WantedViews{System: "EPSG:1 1 0 0 1 0 0 blue", Bytes: 1 << 20}); !d.Done || !d.Last || d.Problem != "" {
		t.Errorf("an unknown system: %+v", d)
	}
	off, err := NewLibrary(DefaultConfig(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := said(off, event.WantedViews{System: grid, Bytes: 1 << 20}); !d.Done || d.Problem == "" {
		t.Errorf("no views are kept: %+v", d)
	}
	lost := errors.New("lost")
	if err := l.Answer(t.Context(), "b", event.WantedViews{System: grid, Bytes: 1 << 20}, func(event.DownViews) error { return lost }); !errors.Is(err, lost) {
		t.Error(err)
	}
}
