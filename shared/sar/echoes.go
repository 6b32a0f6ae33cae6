package sar

import "context"

// Echoes is an acquisition that is open for reading.
type Echoes struct{ Params Params }

// Open reads the YAML file, checks it, and opens what it names. Errors name the parameter.
func Open(path string) (*Echoes, error) { return nil, errUnbuilt }

// Close closes the files.
func (e *Echoes) Close() error { return nil }

// Raw are lines as the file has them, and the gain of each (nil: 1).
func (e *Echoes) Raw(from, lines int) (raw []byte, gains []float32, err error) {
	return nil, nil, errUnbuilt
}

// EstimateCentroid is the centroid that the parameters give, or that of the echoes: the baseband by the phase from
// line to line, the ambiguity by correlating range looks.
func EstimateCentroid(ctx context.Context, e *Echoes) (Centroid, error) {
	return Centroid{}, errUnbuilt
}
