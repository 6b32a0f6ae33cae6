package cloud

import (
	"context"
	"fmt"
	"io/fs"

	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/disk"
)

// objects is the object store as workers and mosaics read it: bounded, and with the error that they
// know for what is not there.
type objects struct {
	*store.Store
	limit int64
	disk  *disk.Watch // of a folder store
}

// Get's error is fs.ErrNotExist where there is no such object.
func (o objects) Get(ctx context.Context, ref string) ([]byte, error) {
	data, err := o.Store.Get(ctx, ref, o.limit)
	if store.IsMissing(err) {
		return nil, fmt.Errorf("object %s: %w", ref, fs.ErrNotExist)
	}
	return data, err
}
