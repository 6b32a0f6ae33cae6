package native

import (
	"context"
	"log/slog"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/telemetry"
)

// Focuser focuses blocks of raw radar echoes with all cores there are, or on a GPU.
type Focuser struct {
	Engine *sar.Engine  // nil: the CPU
	Land   *sar.Land    // nil: statistics alone tell land
	Log    *slog.Logger // of blocks that the GPU could not do, and of masks that can't be used
}

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
func (f Focuser) Focus(ctx context.Context, block []byte) (made worker.Focused, err error) {
	p, b, raw, gains, err := sar.DecodeEchoes(block)
	if err != nil {
		return made, err
	}
	im, on, failed, err := f.Engine.Focus(ctx, p, b, raw, gains)
	if failed != nil {
		f.Log.Warn("a block of echoes was focused on the CPU instead of the GPU", telemetry.Err, failed)
	}
	if err != nil {
		return made, err
	}
	made.Engine = on
	found, unfit := p.Find(im, sar.CFAR{Land: f.Land})
	if found.Unmasked != "" {
		f.Log.Warn("the land mask (worker.land) could not be used on a block of echoes", "why", found.Unmasked)
	}
	// An image is worth its rows where nothing can be looked for in it.
	if made.Targets, err = sar.FoundTargets(found, unfit).Encode(); err != nil {
		return made, err
	}
	made.Rows, err = sar.EncodeRows(im)
	return made, err
}
