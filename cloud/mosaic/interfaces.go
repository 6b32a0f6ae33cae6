package mosaic

import (
	"context"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// Queue is what the mosaic reads: results, events, dead letters, and its own products.
type Queue interface {
	queue.Queue
	Catalogue
}

// Catalogue is where products are announced: the part of a Queue that Index and Find need.
type Catalogue interface {
	Partitions(ctx context.Context, topic string) (int, error)
	// Scan hands on all that a partition holds now, then returns.
	Scan(ctx context.Context, topic string, partition int, handle func(queue.Entry) error) error
}

// Products takes finished products: items of kind product. Announce may be asked for the same
// item again.
type Products interface {
	Announce(ctx context.Context, product event.Item) error
	// Retire says that nothing more is to be known under a key.
	Retire(ctx context.Context, key string) error
}

// noDeadLetters is where there are none: the log has the reason.
type noDeadLetters struct{}

func (noDeadLetters) Reject(context.Context, ...queue.DeadLetter) error { return nil }

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

// Annotator draws boxes and the camera's zones and lines into a JPEG and gives a JPEG.
type Annotator interface {
	Draw(jpeg []byte, boxes []vision.Box, marks []vision.Mark) ([]byte, error)
}
