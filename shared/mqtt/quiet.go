package mqtt

import (
	"context"
	"log/slog"
)

// quietly lets only a library's errors through: its warnings are our clients' everyday (a client
// that goes without a word), and its infos come with every connection.
type quietly struct{ slog.Handler }

func (q quietly) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && q.Handler.Enabled(ctx, level)
}

func (q quietly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietly{q.Handler.WithAttrs(attrs)}
}

func (q quietly) WithGroup(name string) slog.Handler { return quietly{q.Handler.WithGroup(name)} }
