package capture_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/vision"
)

var errRefused = errors.New("refused")

// witness is a guard that refuses one name and sees what is in hand.
type witness struct {
	mu     sync.Mutex
	refuse string
	begun  []string
	data   [][]byte
	inHand int
}

func (w *witness) guard(_ context.Context, stream, name string, data []byte) (func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != "" && name == w.refuse {
		return nil, errRefused
	}
	w.begun = append(w.begun, stream+"/"+name)
	w.data = append(w.data, bytes.Clone(data))
	w.inHand++
	return func() { w.mu.Lock(); defer w.mu.Unlock(); w.inHand-- }, nil
}

func TestAnImageIsNotedWhileItIsDecodedAndLeftOutWhereItIsRefused(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.png", "b.png", "c.png"} {
		os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644)
	}
	w := &witness{refuse: "b.png"}
	decode := func(data []byte, _ int) (vision.Image, vision.Notes, error) {
		if w.inHand != 1 {
			t.Errorf("%s is decoded with %d inputs noted", data, w.inHand)
		}
		return vision.Image{W: 1, H: 1, Pix: make([]byte, 3)}, vision.Notes{}, nil
	}
	s := capture.NewImages(capture.ImagesConfig{Name: "survey", Path: dir}, capture.OnePicture(decode), slog.New(slog.DiscardHandler)).Guarded(w.guard)
	var names []string
	var last capture.Picture
	err := s.Run(t.Context(), func(_ context.Context, p capture.Picture) error {
		if w.inHand != 0 {
			t.Error("it is still noted when it is handed on")
		}
		if last = p; !p.Last {
			names = append(names, p.Name)
		}
		return nil
	})
	if err != nil || strings.Join(names, " ") != "a.png c.png" || !strings.Contains(last.Partial, "refused") {
		t.Errorf("%v, %v, %q", err, names, last.Partial)
	}
	if len(w.data) != 2 || string(w.data[0]) != "a.png" || w.begun[0] != "survey/a.png" {
		t.Errorf("noted %v", w.begun)
	}
}

// once hands out messages as soon as it is subscribed to.
type once []mqtt.Message

func (o once) Subscribe(_ string, _ byte, handle func(mqtt.Message)) {
	for _, m := range o {
		handle(m)
	}
}

func TestAFrameOfACameraIsNotedWithItsBytesAndCountedBadWhereItIsRefused(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &witness{}
	from := once{{Topic: "canvas/cameras/gate/frame", Payload: []byte("first")}, {Topic: "canvas/cameras/gate/frame", Payload: []byte("second")}}
	d := capture.NewDeviceFrames(capture.FrameConfig{}, from, capture.OnePicture(func([]byte, int) (vision.Image, vision.Notes, error) {
		if w.inHand != 1 {
			t.Error("it is decoded unnoted")
		}
		return vision.Image{W: 1, H: 1, Pix: make([]byte, 3)}, vision.Notes{}, nil
	}), slog.New(slog.DiscardHandler)).Guarded(func(ctx context.Context, stream, name string, data []byte) (func(), error) {
		if string(data) == "first" {
			return nil, errRefused
		}
		return w.guard(ctx, stream, name, data)
	})
	d.Run(ctx, func(context.Context, capture.Picture) error { cancel(); return nil })
	if c := d.Counts(); c.Bad != 1 || c.Taken != 1 || w.begun[0] != "gate/frame" || string(w.data[0]) != "second" {
		t.Errorf("%+v, noted %v", c, w.begun)
	}
}

func TestASceneAndItsTilesAreNotedAndARefusedTileIsAccountedFor(t *testing.T) {
	path := madeScene(t, 200, 130, "blue", "green", "red")
	w := &witness{refuse: "0_0"}
	tiles, partial := 0, 0
	var last capture.Picture
	err := capture.NewSceneFile(path, "field", capture.SceneOptions{TileSize: 64, Window: 64}).Guarded(w.guard).Run(t.Context(), func(_ context.Context, p capture.Picture) error {
		if last = p; p.Last {
			return nil
		}
		tiles++
		if p.Partial != "" {
			partial++
			if len(p.Image.Planes) != 0 || p.Tile.Name() != "0_0" {
				t.Errorf("tile %s: %s", p.Tile.Name(), p.Partial)
			}
		}
		return nil
	})
	if err != nil || partial != 1 || tiles < 2 || !strings.Contains(last.Partial, "refused") {
		t.Errorf("%v: %d of %d tiles, %q", err, partial, tiles, last.Partial)
	}
	if w.begun[0] != "field/" || len(w.begun) != tiles || w.inHand != 0 {
		t.Errorf("noted %v", w.begun)
	}
	refuseAll := func(context.Context, string, string, []byte) (func(), error) { return nil, errRefused }
	if err := capture.NewSceneFile(path, "field", capture.SceneOptions{}).Guarded(refuseAll).Run(t.Context(), nil); !errors.Is(err, errRefused) {
		t.Errorf("a refused scene: %v", err)
	}
}
