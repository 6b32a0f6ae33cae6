package worker

import (
	"context"
	"fmt"
	"io/fs"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// Entry is one record of the work topic: where it stands, its bytes as they came, and the item in
// them. Err says that there is no readable item in it; Item then holds what could be read.
type Entry struct {
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []event.Header
	Item      event.Item
	Err       error
}

// Letter is a record for the dead-letter topic.
type Letter struct {
	Key     []byte
	Value   []byte
	Headers []event.Header
}

// Queue is the work topic.
type Queue interface {
	// Committed is the offset of the first entry that is not yet done.
	Committed(ctx context.Context, partition int) (int64, error)
	// Read hands on entries from that offset, in order and following the end, until ctx ends or
	// handle gives an error, which it returns.
	Read(ctx context.Context, partition int, from int64, handle func([]Entry) error) error
	// Commit records that everything below offset is done.
	Commit(ctx context.Context, partition int, offset int64) error
}

// Results takes what was found. Append returns nil only when all of it is durable; it may be asked
// for the same items again. fence is the epoch of the lease under which the work was done.
type Results interface {
	Append(ctx context.Context, fence coord.Epoch, items ...event.Item) error
}

// Dead takes what can't be worked on, with the reason in its headers.
type Dead interface {
	Bury(ctx context.Context, letters ...Letter) error
}

// Objects is where large data rests. Get's error is fs.ErrNotExist when there is no such object, and
// event.ErrTooLarge when it is larger than may be read; any other error is taken for a store that is away and is tried again.
type Objects interface {
	Get(ctx context.Context, ref string) ([]byte, error)
}

// noObjects is the store of a worker that has none.
type noObjects struct{}

func (noObjects) Get(context.Context, string) ([]byte, error) {
	return nil, fmt.Errorf("no object store is configured: %w", fs.ErrNotExist)
}

// Decoder turns an item's data into a picture. It bounds what it decodes. Any error means that the
// data is at fault.
type Decoder interface {
	// Size is how many bytes of memory Decode takes, as the data's header has it.
	Size(media string, data []byte) (int64, error)
	Decode(media string, data []byte) (vision.Image, error)
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
