package linktile

// A bitmap is coded bit by bit, from the ten bits around it that are known, as in JBIG (ITU-T T.82).
type bitmapModel [1 << 10]probability

func newBitmapModel() *bitmapModel {
	m := new(bitmapModel)
	for i := range m {
		m[i] = even
	}
	return m
}

// each goes through w x h bits, row by row, and asks code for each of them, with the model's probability.
// is gives the bits that are known; code may set the one at i.
func (m *bitmapModel) each(w, h int, is func(i int) bool, code func(i int, p *probability)) {
	known := func(x, y int) uint32 {
		if y < 0 {
			return 0
		}
		return bit(is(y*w + min(max(x, 0), w-1)))
	}
	for y := range h {
		above2 := known(-1, y-2)<<1 | known(0, y-2)
		above := known(-2, y-1)<<3 | known(-1, y-1)<<2 | known(0, y-1)<<1 | known(1, y-1)
		left := uint32(0)
		if y > 0 {
			left = known(0, y-1) * 7
		}
		for x := range w {
			above2 = above2<<1&7 | known(x+1, y-2)
			above = above<<1&15 | known(x+2, y-1)
			code(y*w+x, &m[above2<<7|above<<3|left])
			left = left<<1&7 | bit(is(y*w+x))
		}
	}
}

// appendBits codes a bitmap of w x h.
func appendBits(w *binaryWriter, set []bool, width, height int) {
	newBitmapModel().each(width, height, func(i int) bool { return set[i] }, func(i int, p *probability) { w.put(p, bit(set[i])) })
}

func readBits(data []byte, width, height int) ([]bool, error) {
	r := newBinaryReader(data)
	set := make([]bool, width*height)
	newBitmapModel().each(width, height, func(i int) bool { return set[i] }, func(i int, p *probability) { set[i] = r.get(p) == 1 })
	return set, r.end("bits")
}

// Classes of a mask, in the order in which each is asked for.
var classes = [...]byte{255, 2, 1}

// encodeMask codes the class of each pixel.
func encodeMask(mask []byte, width, height int) []byte {
	w := newBinaryWriter()
	for k, class := range classes {
		newBitmapModel().each(width, height, func(i int) bool { return mask[i] == class }, func(i int, p *probability) {
			if !before(mask[i], k) {
				w.put(p, bit(mask[i] == class))
			}
		})
	}
	return w.finish()
}

// before says whether a class was asked for before the one at k.
func before(class byte, k int) bool {
	for _, c := range classes[:k] {
		if class == c {
			return true
		}
	}
	return false
}

func decodeMask(data []byte, width, height int) ([]byte, error) {
	r := newBinaryReader(data)
	mask := make([]byte, width*height)
	for k, class := range classes {
		newBitmapModel().each(width, height, func(i int) bool { return mask[i] == class }, func(i int, p *probability) {
			if !before(mask[i], k) && r.get(p) == 1 {
				mask[i] = class
			}
		})
	}
	return mask, r.end("mask")
}
