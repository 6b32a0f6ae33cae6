package raster

/*
#include <stdio.h>
#include <stdlib.h>
#include <gdal.h>
#include <cpl_error.h>

static GDALDatasetH canvas_open_jp2(const char *name) {
	const char *drivers[] = {"JP2OpenJPEG", NULL}, *beside[] = {NULL};
	return GDALOpenEx(name, GDAL_OF_RASTER | GDAL_OF_READONLY, drivers, NULL, beside);
}

// Reads rows of whole numbers; says what went wrong.
static int canvas_rows(GDALDatasetH ds, int band, int x, int y, int w, int h, void *into, char *said, int n) {
	CPLErrorReset();
	CPLErr e = GDALRasterIO(GDALGetRasterBand(ds, band), GF_Read, x, y, w, h, into, w, h, GDT_UInt16, 0, 0);
	if (e == CE_None && CPLGetLastErrorType() < CE_Failure) return 0;
	snprintf(said, n, "%s", CPLGetLastErrorMsg());
	return 1;
}
*/
import "C"

import (
	"container/list"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sync/errgroup"
)

const (
	// maxDecodedBytes bounds what is kept of one scene. A row of the blocks of 1,024 pixels of a Sentinel-2 tile
	// takes 112 MiB in six bands, and a row of tiles of the link, which are nearly as high, touches two of them.
	maxDecodedBytes = 240 << 20
	// stripRows is how many rows of a block are kept or let go of together. Tiles are read row by row, so the
	// upper ones of a block are soon done with.
	stripRows = 256
)

// blocks reads the files of a product whose blocks are dear to decode, as those of JPEG 2000 are: each block is
// decoded once while tiles are read row by row, those of several bands at the same time. GDAL would do either,
// but not both in bounded memory: its cache is one for all that a process reads and writes.
type blocks struct {
	bands []blockBand

	mu    sync.Mutex
	kept  map[stripAt]*list.Element // of *strip, the one that was used last in front
	order *list.List
	bytes int64
}

// blockBand is a band's file. A dataset is read by one at a time.
type blockBand struct {
	mu            sync.Mutex
	ds            C.GDALDatasetH
	number        int // in the file, from 1
	factor        int // how often its pixels fit into the finest band's
	width, height int
	blockW        int
	blockH        int
	rows          int // of a strip: a block has a whole number of them
}

type stripAt struct{ band, col, row int }

// blocksOf opens the files of a product of JPEG 2000; nil where it is none.
func blocksOf(p *product, g productGrid) *blocks {
	if p.tiles != nil {
		return nil
	}
	for i, b := range p.bands {
		part := g.parts[i]
		whole := g.width%part.width == 0 && part.height*(g.width/part.width) == g.height
		if part.driver != "JP2OpenJPEG" || part.kind != "Byte" && part.kind != "UInt16" || !whole || strings.ContainsRune(b.file, 0) {
			return nil
		}
	}
	k := &blocks{bands: make([]blockBand, len(p.bands)), kept: map[stripAt]*list.Element{}, order: list.New()}
	for i, b := range p.bands {
		part, band := g.parts[i], &k.bands[i]
		name := C.CString(b.file)
		band.ds = C.canvas_open_jp2(name)
		C.free(unsafe.Pointer(name))
		if band.ds == nil {
			k.close()
			return nil
		}
		band.number, band.factor = b.band, g.width/part.width
		band.width, band.height, band.blockW, band.blockH = part.width, part.height, part.blockW, part.blockH
		if band.rows = stripRows; band.blockH%stripRows != 0 {
			band.rows = band.blockH
		}
	}
	return k
}

func (k *blocks) close() {
	for e := k.order.Front(); e != nil; e = e.Next() {
		e.Value.(*strip).free()
	}
	k.order.Init()
	clear(k.kept)
	for i := range k.bands {
		if k.bands[i].ds != nil {
			C.GDALClose(k.bands[i].ds)
		}
	}
}

// read gives a window of the finest band's pixels, band after band.
func (k *blocks) read(w Window, bands []int) ([]float32, error) {
	pixels := make([]float32, len(bands)*w.W*w.H)
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for i, band := range bands {
		part := pixels[i*w.W*w.H : (i+1)*w.W*w.H]
		all.Go(func() error { return k.fill(part, w, band) })
	}
	return pixels, all.Wait()
}

// fill puts one band's part of a window together.
func (k *blocks) fill(into []float32, w Window, band int) error {
	b := &k.bands[band]
	f := b.factor
	for row := w.Y / f / b.rows; row <= (w.Y+w.H-1)/f/b.rows; row++ {
		for col := w.X / f / b.blockW; col <= (w.X+w.W-1)/f/b.blockW; col++ {
			if err := k.copy(into, w, stripAt{band, col, row}); err != nil {
				return err
			}
		}
	}
	return nil
}

// copy puts what a window has of a strip in its place.
func (k *blocks) copy(into []float32, w Window, at stripAt) error {
	got := k.get(at)
	defer k.done(got)
	if got.err != nil {
		return got.err
	}
	b := &k.bands[at.band]
	f := b.factor
	left, top := at.col*b.blockW*f, at.row*b.rows*f
	for y := max(w.Y, top); y < min(w.Y+w.H, top+b.rows*f); y++ {
		line := got.pixels[(y-top)/f*got.width:][:got.width]
		from, end := max(w.X, left), min(w.X+w.W, left+b.blockW*f)
		spreadLine(into[(y-w.Y)*w.W+from-w.X:][:end-from], line, from-left, f)
	}
	return nil
}

// spreadLine fills a line with pixels that are f wide, from the first-th pixel of the fine grid on.
func spreadLine(to []float32, line []uint16, first, f int) {
	if f == 1 {
		for i, v := range line[first:][:len(to)] {
			to[i] = float32(v)
		}
		return
	}
	left := f - first%f // of the pixel that is begun
	for i, k := 0, first/f; i < len(to); k++ {
		v := float32(line[k])
		for ; left > 0 && i < len(to); left-- {
			to[i] = v
			i++
		}
		left = f
	}
}

// get gives a strip; its block is decoded at need. Who has it says when they are done.
func (k *blocks) get(at stripAt) *strip {
	b := &k.bands[at.band]
	b.mu.Lock() // two windows that want the same block decode it once
	defer b.mu.Unlock()
	if s := k.take(at); s != nil {
		return s
	}
	var wanted *strip
	first := at.row * b.rows / b.blockH * b.blockH / b.rows
	for row := first; row < first+b.blockH/b.rows && row*b.rows < b.height; row++ {
		s := b.decode(stripAt{at.band, at.col, row})
		if row == at.row {
			wanted, s.users = s, 1
		}
		k.keep(s)
	}
	C.GDALFlushRasterCache(C.GDALGetRasterBand(b.ds, C.int(b.number))) // it is kept here
	return wanted
}

// decode reads a strip: the first one of a block decodes it all, which GDAL then has.
func (b *blockBand) decode(at stripAt) *strip {
	x, y := at.col*b.blockW, at.row*b.rows
	s := &strip{at: at, width: min(b.blockW, b.width-x)}
	height := min(b.rows, b.height-y)
	if s.err = s.allocate(s.width * height); s.err != nil {
		return s
	}
	var said [300]C.char
	if C.canvas_rows(b.ds, C.int(b.number), C.int(x), C.int(y), C.int(s.width), C.int(height), unsafe.Pointer(&s.memory[0]), &said[0], C.int(len(said))) != 0 {
		s.free()
		s.err = brief(errors.New(strings.ToValidUTF8(C.GoString(&said[0]), "?")))
	}
	return s
}

// take gives a strip that is kept, or nil.
func (k *blocks) take(at stripAt) *strip {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.kept[at]
	if e == nil {
		return nil
	}
	k.order.MoveToFront(e)
	s := e.Value.(*strip)
	s.users++
	return s
}

func (k *blocks) done(s *strip) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.users--
}

// keep takes a strip in, in place of an older copy, and lets go of those that were not used for longest.
func (k *blocks) keep(s *strip) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.kept[s.at]; e != nil {
		if e.Value.(*strip).users > 0 { // of the same pixels
			s.free()
			return
		}
		k.drop(e)
	}
	k.kept[s.at] = k.order.PushFront(s)
	k.bytes += int64(len(s.memory))
	for e := k.order.Back(); e != nil && k.bytes > maxDecodedBytes; {
		before := e.Prev()
		if e.Value.(*strip).users == 0 {
			k.drop(e)
		}
		e = before
	}
}

func (k *blocks) drop(e *list.Element) {
	s := k.order.Remove(e).(*strip)
	delete(k.kept, s.at)
	k.bytes -= int64(len(s.memory))
	s.free()
}

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
