package raster

import (
	"fmt"
	"syscall"
	"unsafe"
)

// strip is some rows of a decoded block.
type strip struct {
	at     stripAt
	width  int
	memory []byte   // of the pixels
	pixels []uint16 // row after row
	err    error    // the block is broken: told to every window that touches it
	users  int      // who copy from it at this moment
}

// allocate takes memory for so many pixels that Go's collector does not see: it would let as much garbage pile up
// as is kept here.
func (s *strip) allocate(pixels int) (err error) {
	if s.memory, err = syscall.Mmap(-1, 0, 2*pixels, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE); err != nil {
		return fmt.Errorf("no memory for a block of %d pixels: %w", pixels, err)
	}
	s.pixels = unsafe.Slice((*uint16)(unsafe.Pointer(&s.memory[0])), pixels)
	return nil
}

func (s *strip) free() {
	if s.memory != nil {
		syscall.Munmap(s.memory)
	}
	s.memory, s.pixels = nil, nil
}
