package edge

import (
	"context"
	"errors"
	"log/slog"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// Cut takes one scene from its file as a device takes it: its tiles, the quicklook, and last the
// manifest, each with a Key that begins with key. commit gets several at a time.
func Cut(ctx context.Context, path, id, key string, o capture.SceneOptions, rules screen.Config, commit func(context.Context, outbox.Draft) error, log *slog.Logger) error {
	l := newSceneLane(always(spectralJudge{rules}), nil, commitTo(commit), key, new(telemetry.Hand), log)
	l.want = o.Want
	err := capture.NewSceneFile(path, id, o).Run(ctx, l.take)
	return errors.Join(err, l.wait())
}

// commitTo is a buffer that keeps nothing.
type commitTo func(context.Context, outbox.Draft) error

func (c commitTo) Commit(ctx context.Context, drafts ...draft) error {
	for _, d := range drafts {
		if err := c(ctx, d.Draft); err != nil {
			return err
		}
	}
	return nil
}

func (c commitTo) Submit(ctx context.Context, drafts ...draft) error { return c.Commit(ctx, drafts...) }

func (c commitTo) WaitsUnder(string) bool { return false }

func (c commitTo) Raise(context.Context, string, event.Priority) (int, error) { return 0, nil }
