package sar

// Target is something bright, in pixels of the whole image.
type Target struct {
	Row       float64 `json:"row"` // centre, weighted by intensity
	Col       float64 `json:"col"`
	Pixels    int     `json:"pixels"`
	ClutterDB float64 `json:"clutter_db"` // its peak over the mean of its surroundings
	RangeM    float64 `json:"slant_range_m"`
}

// CFAR are the rules by which something stands out.
type CFAR struct {
	ThresholdDB float64 `yaml:"threshold_db" json:"threshold_db"`
}

// Detect finds bright targets in rows of an image.
func (p *Plan) Detect(im *Image, rules CFAR) ([]Target, error) { return nil, errUnbuilt }

// Point is how a point target looks in an image. Widths are in samples at -3 dB, levels in dB.
type Point struct {
	Row, Col               float64 // of the peak
	Phase                  float64 // radians, at the peak
	RangeIRW, AzimuthIRW   float64
	RangePSLR, AzimuthPSLR float64
	RangeISLR, AzimuthISLR float64
}

// Analyse measures the point target nearest to a place of an image.
func Analyse(im *Image, row, col float64) (Point, error) { return Point{}, errUnbuilt }
