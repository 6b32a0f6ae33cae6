package raster

import (
	"container/list"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/airbusgeo/godal"
	"golang.org/x/sync/errgroup"
)

// maxDecodedBytes bounds the decoded blocks that are kept of one scene. Two rows of the blocks of 1,024 pixels of
// a Sentinel-2 tile take 225 MiB in six bands: tiles are read row by row, and some touch two rows of blocks.
const maxDecodedBytes = 240 << 20

// blocks reads the files of a product whose blocks are dear to decode, as those of JPEG 2000 are: each block is
// decoded once while tiles are read row by row, those of several bands at the same time. GDAL would do either,
// but not both in bounded memory: its cache is one for all that a process reads and writes.
type blocks struct {
	bands []blockBand

	mu    sync.Mutex
	kept  map[blockAt]*list.Element // of *block, the one that was used last in front
	order *list.List
	bytes int64
}

// blockBand is a band's file. A dataset is read by one at a time.
type blockBand struct {
	mu            sync.Mutex
	ds            *godal.Dataset
	number        int // in the file, from 0
	factor        int // how often its pixels fit into the finest band's
	width, height int
	blockW        int
	blockH        int
}

type blockAt struct{ band, col, row int }

type block struct {
	at     blockAt
	width  int
	memory []byte   // of the pixels
	pixels []uint16 // of the file's rows that the block has
	err    error    // it is broken: told to every window that touches it
	users  int      // who copy from it at this moment
}

// blocksOf opens the files of a product of JPEG 2000; nil where it is none.
func blocksOf(p *product, g productGrid) (*blocks, error) {
	if p.tiles != nil {
		return nil, nil
	}
	for _, b := range p.bands {
		if !strings.HasSuffix(strings.ToLower(b.file), ".jp2") {
			return nil, nil
		}
	}
	k := &blocks{bands: make([]blockBand, len(p.bands)), kept: map[blockAt]*list.Element{}, order: list.New()}
	for i, b := range p.bands {
		ds, err := godal.Open(b.file, godal.RasterOnly(), godal.SiblingFiles(), withoutVRT(), heard)
		if err != nil {
			k.close()
			return nil, fmt.Errorf("band %s: %w", b.name, brief(err))
		}
		st := ds.Structure()
		k.bands[i].ds = ds
		kind := ds.Bands()[b.band-1].Structure().DataType
		if kind != godal.Byte && kind != godal.UInt16 || g.width%st.SizeX != 0 || st.SizeX*(g.width/st.SizeX) != g.width || st.SizeY*(g.width/st.SizeX) != g.height {
			k.close()
			return nil, nil
		}
		k.bands[i].number, k.bands[i].factor = b.band-1, g.width/st.SizeX
		k.bands[i].width, k.bands[i].height = st.SizeX, st.SizeY
		k.bands[i].blockW, k.bands[i].blockH = st.BlockSizeX, st.BlockSizeY
	}
	return k, nil
}

func (k *blocks) close() {
	for e := k.order.Front(); e != nil; e = e.Next() {
		e.Value.(*block).free()
	}
	k.order.Init()
	clear(k.kept)
	for i := range k.bands {
		if k.bands[i].ds != nil {
			k.bands[i].ds.Close(heard)
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
	for row := w.Y / f / b.blockH; row <= (w.Y+w.H-1)/f/b.blockH; row++ {
		for col := w.X / f / b.blockW; col <= (w.X+w.W-1)/f/b.blockW; col++ {
			if err := k.copy(into, w, blockAt{band, col, row}); err != nil {
				return err
			}
		}
	}
	return nil
}

// copy puts what a window has of a block in its place.
func (k *blocks) copy(into []float32, w Window, at blockAt) error {
	got := k.get(at)
	defer k.done(got)
	if got.err != nil {
		return got.err
	}
	b := &k.bands[at.band]
	f := b.factor
	left, top := at.col*b.blockW*f, at.row*b.blockH*f
	for y := max(w.Y, top); y < min(w.Y+w.H, top+b.blockH*f); y++ {
		line := got.pixels[(y-top)/f*got.width:]
		to := into[(y-w.Y)*w.W:]
		for x := max(w.X, left); x < min(w.X+w.W, left+b.blockW*f); x++ {
			to[x-w.X] = float32(line[(x-left)/f])
		}
	}
	return nil
}

// get gives a block, decoded at need. Who has it says when they are done.
func (k *blocks) get(at blockAt) *block {
	b := &k.bands[at.band]
	b.mu.Lock() // two windows that want the same block decode it once
	defer b.mu.Unlock()
	k.mu.Lock()
	if e := k.kept[at]; e != nil {
		k.order.MoveToFront(e)
		e.Value.(*block).users++
		k.mu.Unlock()
		return e.Value.(*block)
	}
	k.mu.Unlock()
	x, y := at.col*b.blockW, at.row*b.blockH
	got := &block{at: at, width: min(b.blockW, b.width-x), users: 1}
	height := min(b.blockH, b.height-y)
	if got.err = got.allocate(got.width * height); got.err == nil {
		if err := b.ds.Bands()[b.number].Read(x, y, got.pixels, got.width, height, heard); err != nil {
			got.free()
			got.err = brief(err)
		}
	}
	k.keep(got)
	return got
}

// allocate takes memory for so many pixels that Go's collector does not see: it would let as much garbage pile up
// as is kept here.
func (b *block) allocate(pixels int) (err error) {
	if b.memory, err = syscall.Mmap(-1, 0, 2*pixels, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE); err != nil {
		return fmt.Errorf("no memory for a block of %d pixels: %w", pixels, err)
	}
	b.pixels = unsafe.Slice((*uint16)(unsafe.Pointer(&b.memory[0])), pixels)
	return nil
}

func (b *block) free() {
	if b.memory != nil {
		syscall.Munmap(b.memory)
	}
	b.memory, b.pixels = nil, nil
}

func (k *blocks) done(b *block) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b.users--
}

func (k *blocks) keep(b *block) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[b.at] = k.order.PushFront(b)
	k.bytes += int64(len(b.memory))
	for e := k.order.Back(); e != nil && k.bytes > maxDecodedBytes; {
		old, before := e.Value.(*block), e.Prev()
		if old.users == 0 {
			k.order.Remove(e)
			delete(k.kept, old.at)
			k.bytes -= int64(len(old.memory))
			old.free()
		}
		e = before
	}
}
