package capture

import "context"

// Guard hears of an input before native code reads it, and by done when it has. Its error refuses an
// input that killed the process before. data are its bytes; nil where they lie in the stream's file,
// and name says which part of it, empty for the file itself.
type Guard func(ctx context.Context, stream, name string, data []byte) (done func(), err error)

// begin lets everything through where there is no guard.
func (g Guard) begin(ctx context.Context, stream, name string, data []byte) (done func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	return g(ctx, stream, name, data)
}
