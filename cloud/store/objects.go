package store

import (
	"context"

	"cloudcanvas/shared/disk"
)

// Objects is the store as the cloud's services use it: what they read is bounded, and writes that fail
// are reported to the state of the disk that a folder store lies on.
type Objects struct {
	*Store
	Limit int64       // bytes of an object
	Disk  *disk.Watch // nil of a bucket
}

// Get reads an object; its error is fs.ErrNotExist where there is none.
func (o Objects) Get(ctx context.Context, key string) ([]byte, error) {
	return o.Store.Get(ctx, key, o.Limit)
}

// Put writes an object.
func (o Objects) Put(ctx context.Context, key string, data []byte) error {
	err := o.Store.Put(ctx, key, data)
	o.Disk.Blames(err)
	return err
}
