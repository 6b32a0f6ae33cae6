package mosaic

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

func TestRowsAreReadFromTheObjectStoreWhenTheProductIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.run(t, Config{}, out)
		items := radarItems(t)
		for n := range items {
			if i := &items[n]; i.Type == sar.RowsType {
				i.Attrs.DataRef = "results/" + i.ID.String()
				l.objects[i.Attrs.DataRef] = i.Data
				i.Data = nil
			}
		}
		lost := items[2].Attrs.DataRef
		data := l.objects[lost]
		delete(l.objects, lost)
		l.tell(items...)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		made := l.made(t)
		if len(made) != 1 || made[0].Complete || !slices.Equal(made[0].Missing, []string{"0_1"}) || made[0].Radar.FocusedRows != 400 {
			t.Fatalf("%+v", made)
		}
		if o := blocksOf(t, filepath.Join(out, "s1")); o[1].State != "missing" || !strings.Contains(o[1].Why, lost) {
			t.Errorf("%+v", o[1])
		}
		l.mu.Lock()
		l.objects[lost] = data
		l.mu.Unlock()
		m := radarManifest() // the device reads the file again: the same, anew
		l.tell(manifestItem(t, 102, m))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		made = l.made(t)
		if len(made) != 2 || !made[1].Complete {
			t.Fatalf("%+v", made)
		}
		_, whole, _ := foldRadar(t, radarSource{}, radarItems(t)...)
		got, want := sums(t, filepath.Join(out, "s1")), sums(t, whole)
		for _, name := range []string{"slc.tif", "amplitude.tif", "quicklook.png", "detections.geojson", "blocks.json"} {
			if got[name] != want[name] {
				t.Errorf("%s has other bytes", name)
			}
		}
	})
}

func TestAStoreThatIsAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		m, err := New(Config{WorkDir: t.TempDir()}, Parts{Queue: l, Products: l, Objects: away{l, time.Now().Add(time.Hour)}, Store: Folder(out)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		items := radarItems(t)
		for n := range items {
			if i := &items[n]; i.Type == sar.RowsType {
				i.Attrs.DataRef = "results/" + i.ID.String()
				l.objects[i.Attrs.DataRef], i.Data = i.Data, nil
			}
		}
		l.tell(items...)
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if made := l.made(t); len(made) != 0 {
			t.Fatalf("%+v", made)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if made := l.made(t); len(made) != 1 || !made[0].Complete || made[0].Failed != "" {
			t.Fatalf("%+v", made)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRowsThatAreNotWhatTheManifestSaysAreNotWritten(t *testing.T) {
	m := radarManifest()
	b := m.Radar.Blocks
	for name, item := range map[string]event.Item{
		"of another block": func() event.Item {
			i := rowsItem(t, 2, b[2])
			i.Attrs.Tile = "0_1"
			return i
		}(),
		"no rows": radarResult(2, "0_1", sar.Algorithm, sar.RowsType, []byte("CCS1 and no more")),
	} {
		items := []event.Item{rowsItem(t, 0, b[0]), targetsItem(t, 1, b[0]), item, targetsItem(t, 3, b[1]), rowsItem(t, 4, b[2]), targetsItem(t, 5, b[2]), manifestItem(t, 10, m)}
		p, dir, s := foldRadar(t, radarSource{}, items...)
		if o := blocksOf(t, dir)[1]; o.State != "dead" || o.Why == "" || !p.Complete || !s.Done() || p.Radar.EmptyRows != 300 {
			t.Errorf("%s: %+v %+v", name, o, p.Radar)
		}
	}
	wrong := rowsItem(t, 2, b[1])
	wrong.Attrs.DataRef = "results/x"
	l := newLog()
	l.objects["results/x"] = wrong.Data[1:]
	wrong.Data = nil
	_, dir, _ := foldRadar(t, radarSource{objects: l}, wrong, targetsItem(t, 3, b[1]), manifestItem(t, 10, m))
	if o := blocksOf(t, dir)[1]; o.State != "dead" || !strings.Contains(o.Why, "promised") {
		t.Errorf("%+v", o)
	}
}
