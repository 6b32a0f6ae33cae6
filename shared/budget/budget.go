// Package budget shares out the memory that decoders of a process may take at one time. What a picture
// will take is known from its header, before anything is decoded: whoever decodes takes so many bytes,
// waiting for others to give theirs back, and one picture that is larger than all of it is refused.
package budget

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// ErrTooLarge is what one picture larger than the whole budget is refused with.
var ErrTooLarge = errors.New("too large to be decoded here")

// Bytes is a budget. It is handed to all who decode in a process. A nil one is without bound. Safe for
// concurrent use.
type Bytes struct {
	all  int64
	free *semaphore.Weighted
}

// New makes a budget of so many bytes.
func New(bytes int64) *Bytes { return &Bytes{all: bytes, free: semaphore.NewWeighted(bytes)} }

// Size is all of it; 0: without bound.
func (b *Bytes) Size() int64 {
	if b == nil {
		return 0
	}
	return b.all
}

// Check refuses what is larger than all of it.
func (b *Bytes) Check(bytes int64) error {
	if b != nil && bytes > b.all {
		return fmt.Errorf("%w: it takes %d bytes when it is decoded, %d is the limit (decode_bytes)", ErrTooLarge, bytes, b.all)
	}
	return nil
}

// Take waits until so many bytes are free, in the order of those who ask, or until ctx ends. give gives
// them back, once however often it is called.
func (b *Bytes) Take(ctx context.Context, bytes int64) (give func(), err error) {
	if err := b.Check(bytes); err != nil {
		return nil, err
	}
	if b == nil || bytes <= 0 {
		return func() {}, nil
	}
	if err := b.free.Acquire(ctx, bytes); err != nil {
		return nil, fmt.Errorf("waiting for %d bytes to decode a picture: %w", bytes, err)
	}
	return sync.OnceFunc(func() { b.free.Release(bytes) }), nil
}
