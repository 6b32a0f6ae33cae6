package detect

import (
	"context"
	"slices"
	"sync"

	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

// flight is a frame in the network. Flights are made once and go round.
type flight struct {
	frame Frame
	image [1]vision.Image
	boxes []vision.Box
	err   error
	done  chan struct{}
}

// inOrder keeps several frames in the network and gives them back in the order in which they came.
type inOrder struct {
	free, work, order chan *flight
}

func newInOrder(n int) *inOrder {
	o := &inOrder{free: make(chan *flight, n), work: make(chan *flight, n), order: make(chan *flight, n)}
	for range n {
		o.free <- &flight{done: make(chan struct{}, 1)}
	}
	return o
}

// run looks at the frames until Last, the channel's or ctx's end, then closes order. Last passes in
// its place without being looked at.
func (o *inOrder) run(ctx context.Context, net Network, frames <-chan Frame) {
	var workers sync.WaitGroup
	for range cap(o.free) {
		workers.Go(func() {
			for f := range o.work {
				f.look(ctx, net)
				f.done <- struct{}{}
			}
		})
	}
	defer workers.Wait()
	defer close(o.order)
	defer close(o.work)
	for {
		var f *flight
		select {
		case f = <-o.free:
		case <-ctx.Done():
			return
		}
		select {
		case frame, ok := <-frames:
			if !ok {
				return
			}
			f.frame = frame
		case <-ctx.Done():
			return
		}
		o.order <- f // as many places as flights: never blocks
		if f.frame.Last {
			f.boxes, f.err = nil, nil
			f.done <- struct{}{}
			return
		}
		o.work <- f
	}
}

func (f *flight) look(ctx context.Context, net Network) {
	f.image[0] = f.frame.Image
	f.boxes, f.err = nil, nil
	out, err := net.Run(trace.WithParent(ctx, f.frame.Trace), f.image[:])
	if err != nil {
		f.err = err
	} else if len(out) == 1 {
		// A box that is no box (a network that overflowed) has no JSON.
		if len(out[0].Boxes) == 0 {
			out[0].Boxes = ofWhole(out[0].Classes, f.image[0].W, f.image[0].H)
		}
		f.boxes = slices.DeleteFunc(out[0].Boxes, func(b vision.Box) bool { return !finite(b.X, b.Y, b.W, b.H, b.Score) })
	}
}

// ofWhole are the labels of a whole picture as boxes around it.
func ofWhole(classes []vision.Class, w, h int) (boxes []vision.Box) {
	for _, c := range classes {
		boxes = append(boxes, vision.Box{W: float32(w), H: float32(h), Score: c.Score, Class: c.Index, Category: c.Category, Label: c.Label})
	}
	return boxes
}

func finite(values ...float32) bool {
	for _, v := range values {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// finished hands a flight back for the next frame.
func (o *inOrder) finished(f *flight) {
	f.frame, f.image, f.boxes = Frame{}, [1]vision.Image{}, nil
	o.free <- f
}
