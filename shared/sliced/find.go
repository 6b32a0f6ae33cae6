package sliced

import (
	"context"
	"fmt"
	"image"
	"sync"

	"cloudcanvas/shared/vision"
)

// Source gives parts of a picture.
type Source interface {
	// Slice reads a part. A picture without pixels (W 0) says that there is no data in it.
	Slice(at image.Rectangle) (vision.Image, error)
	// Whole gives all of it, scaled down where it is large.
	Whole() (vision.Image, error)
}

// Network finds boxes in pictures, in pixels of each.
type Network interface {
	Run(ctx context.Context, in []vision.Image) ([]vision.Output, error)
}

// Found is what came of a picture.
type Found struct {
	Boxes    []vision.Box // merged, in pixels of the whole, best first
	Slices   int
	Empty    int     // slices without data, which the network did not see
	Raw      int     // boxes before merging
	Unread   []error // parts that could not be read; what is in them is not found
	Standard bool    // the whole picture was seen too
}

// Find runs the network over the slices of a picture of that size and merges what it finds. One
// goroutine reads while workers others hand slices to the network; at most 2*workers+1 slices are in
// memory. minScore leaves out weaker boxes before merging. c must have no problems.
func (c Config) Find(ctx context.Context, size image.Point, src Source, net Network, workers int, minScore float32) (Found, error) {
	var places []image.Rectangle
	if !c.WholeOnly {
		places = c.Slices(size.X, size.Y)
	}
	found := Found{Slices: len(places)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	type part struct {
		number int
		im     vision.Image
	}
	parts := make(chan part, workers)
	boxes := make([][]vision.Box, len(places)+1) // by slice, so that their order does not depend on time
	var readers, seers sync.WaitGroup
	readers.Go(func() {
		defer close(parts)
		send := func(number int, im vision.Image) bool {
			select {
			case parts <- part{number, im}:
				return true
			case <-ctx.Done():
				return false
			}
		}
		for i, at := range places {
			im, err := src.Slice(at)
			switch {
			case err != nil:
				found.Unread = append(found.Unread, fmt.Errorf("the slice at %v: %w", at, err))
			case im.W == 0:
				found.Empty++
			case !send(i, im):
				return
			}
			if ctx.Err() != nil {
				return
			}
		}
		if !c.StandardPrediction || len(places) == 1 { // one slice is the whole
			return
		}
		im, err := src.Whole()
		if err != nil {
			found.Unread = append(found.Unread, fmt.Errorf("the whole picture: %w", err))
		} else if im.W > 0 {
			found.Standard = true
			send(len(places), im)
		}
	})
	for range workers {
		seers.Go(func() {
			for p := range parts {
				out, err := net.Run(ctx, []vision.Image{p.im})
				if err != nil {
					cancel(err)
					continue // the reader ends, and closes parts
				}
				at, by := image.Point{}, [2]float32{1, 1}
				if p.number < len(places) {
					at = places[p.number].Min
				} else {
					by = [2]float32{float32(size.X) / float32(p.im.W), float32(size.Y) / float32(p.im.H)}
				}
				boxes[p.number] = placed(out[0].Boxes, at, by, size, minScore)
			}
		})
	}
	readers.Wait()
	seers.Wait()
	if err := context.Cause(ctx); err != nil {
		return found, err
	}
	var all []vision.Box
	for _, b := range boxes {
		all = append(all, b...)
	}
	found.Raw = len(all)
	found.Boxes = c.Merge(all)
	return found, nil
}

// placed are a slice's boxes in pixels of the whole picture, cut at its borders.
func placed(boxes []vision.Box, at image.Point, by [2]float32, size image.Point, minScore float32) (out []vision.Box) {
	for _, b := range boxes {
		left, top := max(0, float32(at.X)+b.X*by[0]), max(0, float32(at.Y)+b.Y*by[1])
		right, bottom := min(float32(size.X), float32(at.X)+(b.X+b.W)*by[0]), min(float32(size.Y), float32(at.Y)+(b.Y+b.H)*by[1])
		if b.Score < minScore || right <= left || bottom <= top {
			continue
		}
		b.X, b.Y, b.W, b.H = left, top, right-left, bottom-top
		out = append(out, b.Bare())
	}
	return out
}
