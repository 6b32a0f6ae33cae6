package capture

import "sync/atomic"

// frames hands out pixel buffers of one size and takes them back, so that a camera in steady state
// allocates nothing. What is not handed back is left to the garbage collector.
type frames struct {
	size int
	free chan *frame
}

// frame is a buffer with its own way back, bound once.
type frame struct {
	pix  []byte
	out  atomic.Bool // handed out: a second release of the same picture does nothing
	back func()
}

func newFrames(size, keep int) *frames {
	return &frames{size: size, free: make(chan *frame, keep)}
}

func (f *frames) take() *frame {
	var b *frame
	select {
	case b = <-f.free:
	default:
		b = &frame{pix: make([]byte, f.size)}
		b.back = func() {
			if !b.out.Swap(false) {
				return
			}
			select {
			case f.free <- b:
			default:
			}
		}
	}
	b.out.Store(true)
	return b
}
