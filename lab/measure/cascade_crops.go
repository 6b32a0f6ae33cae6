package measure

import (
	"context"

	"cloudcanvas/edge/detect"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/vision"
)

// secondLook is a detection of the device's and what the cloud's model says of its crop.
type secondLook struct {
	first evaluate.Detection
	again *evaluate.Detection // nil: nothing is there
}

// sameObject is the overlap from which on two boxes are of one object.
const sameObject = 0.5

// cut lets the cloud's model see each of the device's detections as the device would send it: one by
// one, for a device sends each object when its track ends.
func (d *CascadeDetect) cut(ctx context.Context, id int64, im vision.Image, boxes []vision.Box) error {
	for _, b := range boxes {
		first := d.known(id, []vision.Box{b})
		if len(first) == 0 || first[0].Score < d.Low {
			continue
		}
		x, y, w, h := d.Snapshot.Window(b, im.W, im.H)
		again, bytes, err := d.overTheLink(ctx, cropOf(im, x, y, w, h))
		if err != nil {
			return err
		}
		d.looks = append(d.looks, secondLook{first[0], secondOpinion(first[0], d.known(id, again), x, y)})
		d.crops = append(d.crops, evaluate.Piece{Doubt: detect.PerKiB(detect.ExpectedWrong([]vision.Box{b}), bytes), Large: bytes})
	}
	return nil
}

// cropsQuality is AP where detections whose crops are worth so much have had a second look.
func (d *CascadeDetect) cropsQuality(from float64) float64 {
	var found []evaluate.Detection
	for _, p := range d.pictures {
		for _, s := range p.small {
			if s.Score < d.Low {
				found = append(found, s)
			}
		}
	}
	for i, look := range d.looks {
		switch {
		case d.crops[i].Doubt < from:
			found = append(found, look.first)
		case look.again != nil:
			found = append(found, *look.again)
		}
	}
	return d.ap(found)
}

// secondOpinion is the best that the cloud's model found of the same kind at the same place; x and y are
// the crop's corner in the picture.
func secondOpinion(first evaluate.Detection, again []evaluate.Detection, x, y int) (best *evaluate.Detection) {
	for _, a := range again {
		a.BBox[0] += float64(x)
		a.BBox[1] += float64(y)
		if a.Category == first.Category && vision.IoU(boxOf(a), boxOf(first)) >= sameObject && (best == nil || a.Score > best.Score) {
			best = &a
		}
	}
	return best
}

func boxOf(d evaluate.Detection) vision.Box {
	return vision.Box{X: float32(d.BBox[0]), Y: float32(d.BBox[1]), W: float32(d.BBox[2]), H: float32(d.BBox[3])}
}

// cropOf cuts a window out of a picture.
func cropOf(im vision.Image, x, y, w, h int) vision.Image {
	crop := vision.Image{W: w, H: h}
	for row := y; row < y+h; row++ {
		crop.Pix = append(crop.Pix, im.Pix[3*(row*im.W+x):3*(row*im.W+x+w)]...)
	}
	return crop
}

// doublySeen is a picture that both models have seen whole.
type doublySeen struct {
	bytes        int
	wrong        float64 // expected wrong decisions of the device's model
	small, large []evaluate.Detection
}

// worth is what pictures are chosen by, as the device does it.
func (p doublySeen) worth() float64 { return detect.PerKiB(p.wrong, p.bytes) }

// pieces are the whole pictures.
func (d *CascadeDetect) pieces() (pieces []evaluate.Piece) {
	for _, p := range d.pictures {
		pieces = append(pieces, evaluate.Piece{Doubt: p.worth(), Large: p.bytes})
	}
	return pieces
}

// picturesQuality is AP where the cloud's detections have replaced the device's in pictures that are
// worth so much.
func (d *CascadeDetect) picturesQuality(from float64) float64 {
	var found []evaluate.Detection
	for _, p := range d.pictures {
		if p.worth() >= from {
			found = append(found, p.large...)
		} else {
			found = append(found, p.small...)
		}
	}
	return d.ap(found)
}

// wholly is AP where every picture is sent.
func (d *CascadeDetect) wholly() float64 { return d.picturesQuality(0) }
