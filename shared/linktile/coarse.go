package linktile

// coarse is the header of a coarse layer as a tile of its own.
func (h Header) coarse() Header {
	h.W, h.H, h.Error = (h.W+CoarseStep-1)/CoarseStep, (h.H+CoarseStep-1)/CoarseStep, nil
	return h
}

// pick takes every CoarseStep-th of w x h in both directions.
func pick[T any](all []T, w, h int) []T {
	if all == nil {
		return nil
	}
	var some []T
	for y := 0; y < h; y += CoarseStep {
		for x := 0; x < w; x += CoarseStep {
			some = append(some, all[y*w+x])
		}
	}
	return some
}

// encodeCoarse codes the pixels of a coarse layer.
func encodeCoarse(h Header, pix []uint16, from []uint8) []byte {
	n := h.W * h.H
	var some []uint16
	for b := range h.Bands {
		some = append(some, pick(pix[b*n:(b+1)*n], h.W, h.H)...)
	}
	return encodePixels(h.coarse(), some, pick(from, h.W, h.H))
}

// decodeCoarse decodes them and interpolates between them; pix holds the means of blocks that were left out.
func decodeCoarse(h Header, data []byte, pix []uint16, from []uint8) error {
	n, c := h.W*h.H, h.coarse()
	m := c.W * c.H
	var some []uint16
	for b := range h.Bands {
		some = append(some, pick(pix[b*n:(b+1)*n], h.W, h.H)...)
	}
	fewer := pick(from, h.W, h.H)
	if err := decodePixels(c, data, some, fewer); err != nil {
		return err
	}
	for b := range h.Bands {
		p, grid := h.plane(pix, b), c.plane(some[b*m:(b+1)*m], 0)
		for i := range n {
			x, y := i%h.W, i/h.W
			if x%CoarseStep == 0 && y%CoarseStep == 0 {
				p.pix[i] = grid.pix[y/CoarseStep*c.W+x/CoarseStep]
			} else if from == nil || from[i] == coded {
				p.pix[i] = h.meanOf(c.between(grid, fewer, x, y))
			}
		}
	}
	return nil
}

// between interpolates from the four pixels around that have a number, h being the coarse layer's header.
func (h Header) between(grid plane, from []uint8, x, y int) int64 {
	var sum, weights int64
	for k := range 4 {
		cx, cy := min(x/CoarseStep+k%2, h.W-1), min(y/CoarseStep+k/2, h.H-1)
		fx, fy := x%CoarseStep, y%CoarseStep
		if k%2 == 0 {
			fx = CoarseStep - fx
		}
		if k/2 == 0 {
			fy = CoarseStep - fy
		}
		if i := cy*h.W + cx; from == nil || from[i] != void {
			sum += int64(fx*fy) * int64(grid.value(grid.pix[i]))
			weights += int64(fx * fy)
		}
	}
	if weights == 0 {
		return 0
	}
	return sum / weights
}
