package worker

import (
	"context"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// Results takes what was found. Append returns nil only when all of it is durable; it may be asked
// for the same items again. fence is the epoch of the lease under which the work was done.
type Results interface {
	Append(ctx context.Context, fence coord.Epoch, items ...event.Item) error
}

// Decoder turns an item's data into a picture. It bounds what it decodes. Any error means that the
// data is at fault.
type Decoder interface {
	// Size is how many bytes of memory Decode takes, as the data's header has it.
	Size(media string, data []byte) (int64, error)
	Decode(media string, data []byte) (Picture, error)
}

// Picture is what an item shows.
type Picture struct {
	vision.Image
	// Part is set for a tile that a model of windows looks at window by window. Wanted then marks the pixels
	// that it is to judge; nil: all that have data. Given are the classes of the others, by the device; nil: nobody
	// judged them.
	Part   *windows.Part
	Wanted []bool
	Given  []byte
}

// Places are told by decoders that know where on the Earth an item's picture lies; false: that is not known, or
// not said.
type Places interface {
	Place(media string, data []byte, im vision.Image) (ground.Place, bool)
}

// Views take what tiles showed of the ground, once their results are durable. Keep does not wait.
type Views interface {
	Keep(item *event.Item, system ground.System, ov ground.Overview)
}

// Leases lends partitions. It is a part of coord.Coordinator.
type Leases interface {
	Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error
}

// Assignments says which partitions this worker should own: at once, and after each change, until
// ctx ends. A set replaces the one before.
type Assignments interface {
	Mine(ctx context.Context) (<-chan []int, error)
}

// Fixed is an assignment that never changes, as of a worker that is alone.
type Fixed []int

// Mine sends the partitions once.
func (f Fixed) Mine(ctx context.Context) (<-chan []int, error) {
	c := make(chan []int, 1)
	c <- f
	context.AfterFunc(ctx, func() { close(c) })
	return c, nil
}
