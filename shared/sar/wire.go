package sar

// Media types of the radar's items.
const (
	// EchoesType is a block of raw lines with the plan: a worker makes the image's rows of it (want: focus).
	EchoesType = "application/vnd.cloudcanvas.echoes"
	// RowsType is rows of a focused image, complex.
	RowsType = "application/vnd.cloudcanvas.slc"
	// AmplitudeType is a tile of an image's amplitude in steps of dB, as a device sends it before the echoes.
	AmplitudeType = "application/vnd.cloudcanvas.amplitude"
)

// EncodeEchoes packs a block without loss; DecodeEchoes checks and unpacks it. What it holds is bounded before it
// sizes anything.
func EncodeEchoes(p *Plan, b Block, raw []byte, gains []float32) ([]byte, error) {
	return nil, errUnbuilt
}

// DecodeEchoes is the inverse of EncodeEchoes.
func DecodeEchoes(data []byte) (p *Plan, b Block, raw []byte, gains []float32, err error) {
	return nil, b, nil, nil, errUnbuilt
}

// EncodeRows packs rows of an image without loss.
func EncodeRows(im *Image) ([]byte, error) { return nil, errUnbuilt }

// DecodeRows is the inverse of EncodeRows.
func DecodeRows(data []byte) (*Image, error) { return nil, errUnbuilt }
