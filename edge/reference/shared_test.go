package reference

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
)

const grid ground.System = "EPSG:32632 10 0 0 -10 0 0 blue"

// world is a device that fetches views, and the time it is.
type world struct {
	*Shared
	t    *testing.T
	dir  string
	time time.Time
	open bool
}

func newWorld(t *testing.T, change func(*Config)) *world {
	w := &world{t: t, dir: t.TempDir(), time: time.Unix(1_000_000_000, 0), open: true}
	w.start(change)
	return w
}

// start opens all anew, as after a restart.
func (w *world) start(change func(*Config)) {
	w.t.Helper()
	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	quiet := slog.New(slog.DiscardHandler)
	s, err := Open(w.dir, c, quiet)
	if err != nil {
		w.t.Fatal(err)
	}
	up := make(chan struct{})
	close(up)
	s.now = func() time.Time { return w.time }
	w.Shared = OpenShared(c, s, SharedParts{Announce: func(context.Context) {}, Up: func() <-chan struct{} { return up }, Open: func(time.Time) bool { return w.open }, Log: quiet})
	w.now = s.now
}

// asks lets a moment pass and gives what is asked for then; nil where nothing is.
func (w *world) asks(after time.Duration) *event.WantedViews {
	w.time = w.time.Add(after)
	if !w.ask(w.time) {
		return nil
	}
	for _, v := range w.Wanted() {
		if v.Bytes > 0 {
			return &v
		}
	}
	w.t.Fatal("the status asks for nothing")
	return nil
}

// answer is a message with views of the blocks n, each as bright.
func answer(to event.WantedViews, list string, next, top uint64, done bool, light byte, blocks ...int) event.DownViews {
	d := event.DownViews{System: to.System, List: list, After: to.After, Before: to.Before, Next: next, Top: top, Done: done, Last: true}
	for _, n := range blocks {
		data, err := seen(light, 0).MarshalBinary()
		if err != nil {
			panic(err)
		}
		d.Views, d.Data = append(d.Views, event.DownView{X: int64(n), Bytes: len(data)}), append(d.Data, data...)
	}
	return d
}

func (w *world) comes(d event.DownViews) {
	w.t.Helper()
	payload, err := d.Marshal()
	if err != nil {
		w.t.Fatal(err)
	}
	w.take(payload)
}

func (w *world) has(n int) byte {
	e, ok := w.store.Last(Key{From: FromCloud, System: grid, Block: ground.Block{X: int64(n)}})
	if !ok {
		return 0
	}
	return e.Now.Cells[0]
}

func TestViewsAreFetchedInRoundsAndARestartGoesOn(t *testing.T) {
	w := newWorld(t, nil)
	if w.asks(0) != nil {
		t.Fatal("it asks before it has seen any ground")
	}
	w.Saw("WKT:0123456789abcdef0123456789abcdef 10 0 0 -10 0 0 blue") // means something to this device alone
	w.Saw(grid)
	ask := w.asks(time.Second)
	if ask == nil || ask.System != grid || ask.Before != 0 || ask.Bytes != askBytes {
		t.Fatalf("%+v", ask)
	}
	w.comes(answer(*ask, "l", 7, 9, false, 10, 1))
	if w.asks(0).Before != 7 {
		t.Fatal("it does not go on at once")
	}
	w.start(nil)
	if ask = w.asks(0); ask == nil || ask.Before != 7 || ask.List != "l" {
		t.Fatalf("after a restart: %+v", ask)
	}
	last := answer(*ask, "l", 2, 11, true, 20, 2)
	w.comes(last)
	if got := w.Wanted()[0]; got.After != 9 || got.Before != 0 || w.has(1) != 10 || w.has(2) != 20 {
		t.Fatalf("%+v", got)
	}
	w.comes(last) // twice
	w.comes(answer(event.WantedViews{System: grid, After: 9, Before: 3}, "l", 1, 12, true, 30, 3))
	if w.has(3) != 0 || w.Counts().Views != 1 {
		t.Errorf("what was not asked for was taken: %+v", w.Counts())
	}
	if w.asks(9*time.Minute) != nil {
		t.Error("it asks again at once")
	}
	if ask = w.asks(time.Minute); ask == nil || ask.After != 9 {
		t.Fatalf("%+v", ask)
	}
	// The list was lost: all counts anew.
	w.comes(answer(event.WantedViews{System: grid}, "m", 1, 1, true, 40, 4))
	if got := w.Wanted()[0]; got.List != "m" || got.After != 1 || w.has(4) != 40 {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsLostIsAskedForAgainMoreAndMoreSeldom(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Systems = []string{string(grid)} })
	first := w.asks(0)
	if first == nil || w.asks(retryAfter-time.Second) != nil {
		t.Fatal("it does not wait for the answer")
	}
	second := w.asks(2 * time.Second)
	if second == nil || second.Asked.Equal(first.Asked) || w.asks(retryAfter+time.Second) != nil {
		t.Fatalf("%+v", second)
	}
	if w.asks(retryAfter) == nil {
		t.Error("it has given up")
	}
	w.open = false
	if w.asks(time.Hour) != nil {
		t.Error("it asks outside a contact window")
	}
}

func TestNoMoreIsAskedForOnADayThanItsBudget(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Systems, c.SharedBytesPerDay = []string{string(grid)}, 300<<10 })
	ask := w.asks(0)
	d := answer(*ask, "l", 50, 50, false, 1, 1)
	w.comes(d)
	w.state.Bytes = 150 << 10
	if ask = w.asks(0); ask == nil || ask.Bytes != 150<<10 {
		t.Fatalf("%+v", ask)
	}
	w.comes(answer(*ask, "l", 40, 50, false, 1, 2))
	w.state.Bytes = 250 << 10
	w.save()
	w.start(func(c *Config) { c.SharedBytesPerDay = 300 << 10 }) // which is no new day
	if w.asks(time.Hour) != nil {
		t.Error("it asks beyond its budget")
	}
	if ask = w.asks(24 * time.Hour); ask == nil || ask.Before != 40 || w.Counts().Today != 0 {
		t.Errorf("on the next day: %+v %+v", ask, w.Counts())
	}
}

func TestWhatCantBeIsCountedAndPassedOver(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Systems = []string{string(grid)} })
	w.take([]byte("{}\n"))
	ask := w.asks(0)
	d := answer(*ask, "l", 3, 3, true, 10, 1, 2)
	d.Data[0] = 'X' // the first is no view
	two := ground.NewView(2)
	two.Sources, two.From[0], two.Cells[0], two.Cells[len(two.From)] = []ground.Source{{Name: "a/s"}}, 1, 1, 1
	future := seen(9, 0)
	future.Sources[0].Seen = w.time.Add(48 * time.Hour)
	for n, v := range []ground.View{two, future, ground.NewView(1)} {
		data, err := v.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		d.Views, d.Data = append(d.Views, event.DownView{X: int64(3 + n), Bytes: len(data)}), append(d.Data, data...)
	}
	w.comes(d)
	if c := w.Counts(); c.Refused != 5 || c.Views != 1 || w.has(1) != 0 || w.has(2) != 10 || w.has(3) != 0 || w.has(4) != 0 || w.Wanted()[0].After != 3 {
		t.Errorf("%+v", c)
	}
}

func TestACloudThatKeepsNoViewsIsToldOf(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Systems = []string{string(grid)} })
	d := answer(*w.asks(0), "", 0, 0, true, 0)
	d.Problem = "it keeps none"
	w.comes(d)
	if c := w.Counts(); c.Problem != "it keeps none" || w.asks(time.Minute) != nil {
		t.Errorf("%+v", c)
	}
	d = answer(*w.asks(time.Hour), "l", 1, 1, true, 5, 1)
	if w.comes(d); w.Counts().Problem != "" || w.has(1) != 5 {
		t.Errorf("%+v", w.Counts())
	}
}

func TestAStateThatCantBeReadIsBegunAnew(t *testing.T) {
	for _, text := range []string{"{", `{"systems":[{"system":"x"}]}`, `{"systems":null}`} {
		w := newWorld(t, nil)
		if err := os.WriteFile(filepath.Join(w.dir, stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if w.start(nil); len(w.Wanted()) != 0 {
			t.Errorf("%s: %+v", text, w.Wanted())
		}
		for n := range 20 { // no more than a status holds
			w.Saw(ground.System("EPSG:32632 10 0 0 -10 0 " + string(rune('0'+n%10)) + " blue" + string(rune('a'+n))))
		}
		if len(w.Wanted()) != event.MaxWantedViews {
			t.Errorf("%d systems", len(w.Wanted()))
		}
	}
}
