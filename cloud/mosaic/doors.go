package mosaic

import (
	"context"
	"fmt"
	"io/fs"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// Entry is one record of a topic: where it stands and the item in it. Err says that no item could
// be read from it. Reason is why it is a dead letter, of records of the dead-letter topic.
type Entry struct {
	Topic     string
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []event.Header
	Item      event.Item
	Err       error
	Reason    string
}

// Queue is what the mosaic reads: results, events, dead letters, and its own products.
type Queue interface {
	Partitions(ctx context.Context, topic string) (int, error)
	// Committed is the offset of the first entry that a restarted mosaic has to read.
	Committed(ctx context.Context, topic string, partition int) (int64, error)
	// Read hands on entries from that offset, in order and following the end, until ctx ends or
	// handle gives an error, which it returns.
	Read(ctx context.Context, topic string, partition int, from int64, handle func([]Entry) error) error
	// Scan hands on all that a partition holds now, then returns.
	Scan(ctx context.Context, topic string, partition int, handle func(Entry) error) error
	Commit(ctx context.Context, topic string, partition int, offset int64) error
}

// Products hears of finished products: items of kind product. Announce may be asked for the same
// item again.
type Products interface {
	Announce(ctx context.Context, product event.Item) error
	// Retire says that nothing more is to be known under a key.
	Retire(ctx context.Context, key string) error
}

// Dead takes records that can't be folded, or whose product can't be made, with the reason. A record
// may be given twice.
type Dead interface {
	Bury(ctx context.Context, e Entry, class string, reason error) error
}

// noDead is where there is none: the log has told of it.
type noDead struct{}

func (noDead) Bury(context.Context, Entry, string, error) error { return nil }

// Objects is where large data rests. Get's error is fs.ErrNotExist when there is no such object;
// any other error is taken for a store that is away and is tried again.
type Objects interface {
	Get(ctx context.Context, ref string) ([]byte, error)
}

// noObjects is the store of a mosaic that has none.
type noObjects struct{}

func (noObjects) Get(context.Context, string) ([]byte, error) {
	return nil, fmt.Errorf("no object store is configured: %w", fs.ErrNotExist)
}

// Store is where products are kept. A product is a folder of files that appears as a whole.
type Store interface {
	Draft(name string) (Draft, error)
	// Claim says whether a folder is owner's: the first who asks for one has it for good.
	Claim(folder, owner string) (bool, error)
}

// Draft is a product in the making.
type Draft interface {
	Dir() string // an empty folder to write into
	// Commit puts the files where they belong. Readers see each file old or new, never half.
	Commit(ctx context.Context) error
	// Discard forgets the draft; after Commit it does nothing.
	Discard()
}

// Artist draws boxes and the camera's zones and lines into a JPEG and gives a JPEG.
type Artist interface {
	Draw(jpeg []byte, boxes []vision.Box, marks []vision.Mark) ([]byte, error)
}
