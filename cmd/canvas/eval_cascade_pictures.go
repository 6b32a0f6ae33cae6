package main

import (
	"cloudcanvas/edge/detect"
	"cloudcanvas/lab/evaluate"
)

// doublySeen is a picture that both models have seen whole.
type doublySeen struct {
	bytes        int
	wrong        float64 // expected wrong decisions of the device's model
	small, large []evaluate.Detection
}

// worth is what pictures are chosen by, as the device does it.
func (p doublySeen) worth() float64 { return detect.PerKiB(p.wrong, p.bytes) }

// pieces are the whole pictures.
func (d *detectCascade) pieces() (pieces []evaluate.Piece) {
	for _, p := range d.pictures {
		pieces = append(pieces, evaluate.Piece{Doubt: p.worth(), Large: p.bytes})
	}
	return pieces
}

// picturesQuality is AP where the cloud's detections have replaced the device's in pictures that are
// worth so much.
func (d *detectCascade) picturesQuality(from float64) float64 {
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
func (d *detectCascade) wholly() float64 { return d.picturesQuality(0) }
