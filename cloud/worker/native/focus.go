package native

import (
	"context"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/sar"
)

// Focuser focuses blocks of raw radar echoes with all cores there are.
type Focuser struct{}

var _ worker.Focuser = Focuser{}

// Memory reads the header only.
func (Focuser) Memory(block []byte) (work, rows int64, err error) {
	p, b, err := sar.EchoesHead(block)
	if err != nil {
		return 0, 0, err
	}
	return p.Memory(b), p.RowsBytes(b), nil
}

// Focus makes the rows and finds the targets in them.
func (Focuser) Focus(ctx context.Context, block []byte) (rows, targets []byte, err error) {
	p, b, raw, gains, err := sar.DecodeEchoes(block)
	if err != nil {
		return nil, nil, err
	}
	im, err := p.Focus(ctx, b, raw, gains)
	if err != nil {
		return nil, nil, err
	}
	// An image is worth its rows where nothing can be looked for in it.
	if targets, err = sar.FoundTargets(p.Find(im, sar.CFAR{})).Encode(); err != nil {
		return nil, nil, err
	}
	rows, err = sar.EncodeRows(im)
	return rows, targets, err
}
