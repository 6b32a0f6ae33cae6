package edge

import (
	"context"

	"cloudcanvas/edge/capture"
)

// inbox holds the newest picture of one published camera for its lane, so that a lane that waits
// for its turn holds up no other camera.
type inbox struct {
	newest chan capture.Picture
	left   func(capture.Picture) // hears of each picture that made way for a newer one
}

func newInbox(left func(capture.Picture)) *inbox {
	return &inbox{newest: make(chan capture.Picture, 1), left: left}
}

// put never blocks. It is called by one goroutine.
func (i *inbox) put(p capture.Picture) {
	select {
	case i.newest <- p:
		return
	default:
	}
	select {
	case old := <-i.newest:
		if old.Release != nil {
			old.Release()
		}
		if old.Committed != nil { // it need not come again
			old.Committed()
		}
		i.left(old)
	default: // it was just taken
	}
	i.newest <- p
}

// run hands pictures on until ctx ends.
func (i *inbox) run(ctx context.Context, emit func(context.Context, capture.Picture) error) error {
	for {
		select {
		case p := <-i.newest:
			if err := emit(ctx, p); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
