package modelupdate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model"
)

var quiet = slog.New(slog.DiscardHandler)

const manifest = `name: m
task: classify
input: {colour: rgb, size: [8, 8]}
output: {decoder: classes, labels: [a, b, c]}
`

// version is a published version: an offer, and the bytes of its files.
type version struct {
	offer event.DownModel
	files map[string][]byte
}

func published(t testing.TB, number string) version {
	t.Helper()
	weights, err := os.ReadFile("../../shared/infer/testdata/tiny_classes.onnx")
	if err != nil {
		t.Fatal(err)
	}
	own := sha256.Sum256(weights) // as `models publish` writes it into every manifest
	v := version{event.DownModel{Type: event.ModelOffer, Model: "m", Version: number}, map[string][]byte{
		event.ModelManifest: fmt.Appendf(nil, "%ssha256: %x\n", manifest, own), event.ModelWeights: weights}}
	for _, name := range []string{event.ModelManifest, event.ModelWeights} {
		sum := sha256.Sum256(v.files[name])
		v.offer.Files = append(v.offer.Files, event.ModelFile{Name: name, Size: int64(len(v.files[name])), SHA256: hex.EncodeToString(sum[:])})
	}
	return v
}

// part answers what the device asks for.
func (v version) part(w *event.WantedPart) event.DownModel {
	data := v.files[w.File][w.Offset:min(w.Offset+w.Bytes, int64(len(v.files[w.File])))]
	return event.DownModel{Type: event.ModelPart, Model: "m", Version: w.Version, File: w.File, Offset: w.Offset, Data: data}
}

// device is an Updater whose cloud is the test.
type device struct {
	t        testing.TB
	updater  *Updater
	store    *Store
	reported chan event.EdgeModel
	try      error
	runs     atomic.Int64
	failed   atomic.Int64
	open     atomic.Bool
	ended    chan error
	stop     context.CancelFunc
}

func start(t testing.TB, dir string, c Config) *device {
	t.Helper()
	store, err := OpenStore(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, store: store, reported: make(chan event.EdgeModel, 1000), ended: make(chan error, 1)}
	d.open.Store(true)
	up := make(chan struct{})
	close(up)
	d.updater = New(c, Parts{Store: store, Names: []string{"m"}, Log: quiet,
		Announce: func(context.Context) { d.reported <- d.updater.Models()[0] },
		Up:       func() <-chan struct{} { return up },
		Open:     func(time.Time) bool { return d.open.Load() },
		Try:      func(context.Context, model.Model) error { return d.try },
		Counts:   func(string) (int64, int64) { return d.runs.Load(), d.failed.Load() }})
	ctx, stop := context.WithCancel(t.Context())
	d.stop = stop
	go func() { d.ended <- d.updater.Run(ctx) }()
	return d
}

func (d *device) send(m event.DownModel) {
	d.t.Helper()
	payload, err := m.Marshal()
	if err != nil {
		d.t.Fatal(err)
	}
	d.updater.Receive(payload)
}

// serve answers what the device asks for, until it says that something else is so; at most so many
// answers.
func (d *device) serve(v version, answers int) (last event.EdgeModel) {
	d.t.Helper()
	for last = range d.reported {
		if last.Want == nil {
			return last
		}
		if answers == 0 {
			return last
		}
		answers--
		d.send(v.part(last.Want))
	}
	return last
}

func TestAVersionIsFetchedInPiecesAndRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		v := published(t, "2")
		d := start(t, dir, Config{BytesPerSecond: 100})
		d.open.Store(false) // no contact yet
		began := time.Now()
		d.send(v.offer)
		time.Sleep(time.Minute)
		if len(d.reported) > 0 {
			t.Fatalf("asked outside the contact: %+v", <-d.reported)
		}
		d.open.Store(true)
		said := d.serve(v, -1)
		if said.Version != "2" || !said.Trial || said.Previous != "" {
			t.Errorf("%+v", said)
		}
		if err := <-d.ended; !errors.Is(err, ErrChanged) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took < time.Minute {
			t.Errorf("it took %s", took)
		}
		if m, ok := d.store.Model("m"); !ok || m.Version != "2" || m.Verify() != nil {
			t.Errorf("%v %+v", ok, m)
		}
	})
}

func TestAFetchGoesOnWhereAnotherLifeLeftIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		v := published(t, "2")
		d := start(t, dir, Config{})
		d.send(v.offer)
		d.serve(v, 1) // the manifest is there
		d.stop()
		if err := <-d.ended; err != nil {
			t.Fatal(err)
		}
		d = start(t, dir, Config{})
		d.send(v.offer)
		if said := d.serve(v, 0); said.Want == nil || said.Want.File != event.ModelWeights {
			t.Fatalf("%+v", said)
		}
		other := published(t, "3") // and not with another version's bytes
		d.send(other.offer)
		if said := d.serve(other, 0); said.Want == nil || said.Want.Version != "3" || said.Want.File != event.ModelManifest {
			t.Fatalf("%+v", said.Want)
		}
		d.stop()
		<-d.ended
	})
}

func TestPartsThatComeTwiceOrNeverDoNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := published(t, "2")
		d := start(t, t.TempDir(), Config{})
		d.send(v.offer)
		first := <-d.reported
		again := <-d.reported // nothing came: asked again, half a minute later
		if again.Want.Tries != 1 || again.Want.Offset != first.Want.Offset {
			t.Fatalf("%+v after %+v", again.Want, first.Want)
		}
		for range 3 {
			d.send(v.part(first.Want))
		}
		if said := d.serve(v, -1); said.Version != "2" {
			t.Errorf("%+v", said)
		}
		<-d.ended
	})
}

func TestWhatIsNotAsOfferedOrDoesNotRunIsRefusedWithItsReason(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(d *device, v version)
		reason string
	}{
		"other bytes": {func(_ *device, v version) { v.files[event.ModelWeights][50] ^= 1 }, "sha256"},
		"a manifest that is none": {func(_ *device, v version) {
			v.files[event.ModelManifest] = []byte(strings.Repeat("?", len(v.files[event.ModelManifest])))
			sum := sha256.Sum256(v.files[event.ModelManifest])
			v.offer.Files[0].SHA256 = hex.EncodeToString(sum[:])
		}, "m@2"},
		"a golden case that fails": {func(d *device, _ version) { d.try = errors.New("engine disagrees") }, "disagrees"},
		"too large":                {func(_ *device, v version) { v.offer.Files[1].Size = 2 << 30 }, "most_bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				v := published(t, "2")
				d := start(t, dir, Config{})
				c.spoil(d, v)
				d.send(v.offer)
				said := d.serve(v, -1)
				if said.Version != "" || said.Refused != "2" || !strings.Contains(said.Reason, c.reason) {
					t.Errorf("%+v", said)
				}
				d.send(v.offer) // it is not begun again
				time.Sleep(time.Minute)
				if len(d.reported) > 0 {
					t.Errorf("%+v", <-d.reported)
				}
				d.stop()
				<-d.ended
				if left, _ := filepath.Glob(filepath.Join(dir, ".fetch", "*")); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		})
	}
}

// running is a device that runs version 2, on trial.
func running(t testing.TB, dir string) *device {
	t.Helper()
	v := published(t, "2")
	d := start(t, dir, Config{Trial: time.Minute})
	d.send(v.offer)
	d.serve(v, -1)
	if err := <-d.ended; !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
	return start(t, dir, Config{Trial: time.Minute})
}

func TestAVersionPassesItsTrialOrIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		runs, failed int64
		version      string
	}{"it does as well": {1000, 3, "2"}, "its pictures fail": {20, 10, ""}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := running(t, t.TempDir())
				d.failed.Store(c.failed)
				d.runs.Store(c.runs)
				said := <-d.reported
				if said.Trial || said.Version != c.version || (c.version == "") != strings.Contains(said.Reason, "10 of 20 pictures failed") {
					t.Errorf("%+v", said)
				}
				d.stop()
				<-d.ended
			})
		})
	}
}

func TestAnAgentThatDiesOnTrialGoesBackAndOneThatStopsDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := running(t, dir)
		d.stop()
		<-d.ended
		store, err := OpenStore(dir, quiet) // a new life, which is killed
		if err != nil || store.entryOf("m").Version != "2" {
			t.Fatalf("after a stop: %+v %v", store.entryOf("m"), err)
		}
		if store, err = OpenStore(dir, quiet); err != nil || store.entryOf("m").Version != "" || !strings.Contains(store.entryOf("m").Reason, "died") {
			t.Errorf("after a death: %+v %v", store.entryOf("m"), err)
		}
	})
}

func TestAStoreThatCantBeReadOrIsSpoiledLeavesWhatTheDeviceCameWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := running(t, dir)
		d.stop()
		<-d.ended
		if err := os.WriteFile(filepath.Join(d.store.home("m", "2"), "m", "2", "model.onnx"), []byte("no network"), 0o644); err != nil {
			t.Fatal(err)
		}
		if m, ok := d.store.Model("m"); ok {
			t.Errorf("%+v", m)
		}
		if e := d.store.entryOf("m"); e.Refused != "2" || e.Version != "" {
			t.Errorf("%+v", e)
		}
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		store, err := OpenStore(dir, quiet)
		if _, ok := store.Model("m"); ok || err != nil {
			t.Errorf("%v", err)
		}
	})
}

func TestAStopDuringATrialRefusesNothing(t *testing.T) {
	dir := t.TempDir()
	v := published(t, "2")
	d := start(t, dir, Config{})
	trying := make(chan struct{}, 1)
	d.updater.Try = func(ctx context.Context, _ model.Model) error {
		trying <- struct{}{}
		<-ctx.Done() // a trial ends when the agent is to stop
		return ctx.Err()
	}
	d.send(v.offer)
	go d.serve(v, 100)
	<-trying
	d.stop()
	if err := <-d.ended; err != nil {
		t.Fatal(err)
	}
	close(d.reported)
	if e := d.store.entryOf("m"); e.Refused != "" || e.Version != "" {
		t.Fatalf("%+v", e)
	}
	// Its files are here: it is tried again when it is offered again, and runs.
	again := start(t, dir, Config{})
	defer again.stop()
	again.send(v.offer)
	if err := <-again.ended; !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
	if e := again.store.entryOf("m"); e.Version != "2" {
		t.Errorf("%+v", e)
	}
}
