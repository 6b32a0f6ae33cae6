package detect

import (
	"context"
	"testing"
	"time"

	"cloudcanvas/shared/vision"
)

// crowd is a frame's worth of detections: eight that count, thirty below.
func crowd(n int) []vision.Box {
	var boxes []vision.Box
	for i := range 38 {
		score := float32(0.8)
		if i >= 8 {
			score = 0.07
		}
		boxes = append(boxes, person(float32((i*90+n)%700), float32(i*11%500), score))
	}
	return boxes
}

func TestFollowingObjectsAllocatesOnlyForWhatIsTold(t *testing.T) {
	tracker := NewTracker("gate", TrackConfig{Update: time.Hour})
	n := int64(0)
	boxes := crowd(0)
	step := func() { tracker.Update(n, at(n), boxes); n++ }
	for range 10 {
		step()
	}
	if a := testing.AllocsPerRun(50, step); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}

// BenchmarkFrame is all that a frame costs outside the network: order, tracks, batch, its JSON.
func BenchmarkFrame(b *testing.B) {
	boxes := crowd(0)
	net := network(func(int) ([]vision.Box, error) { return boxes, nil })
	camera := NewCamera("gate", Config{}, net, Model{}, nil, nil, quiet)
	frames := make(chan Frame)
	im := vision.Image{W: 768, H: 576, Pix: make([]byte, 768*576*3)}
	b.ReportAllocs()
	go func() {
		defer close(frames)
		for n := int64(0); b.Loop(); n++ {
			frames <- Frame{Number: n, At: at(n), Image: im}
		}
	}()
	if err := camera.Run(context.Background(), frames, func(context.Context, []Draft) error { return nil }); err != nil {
		b.Fatal(err)
	}
}
