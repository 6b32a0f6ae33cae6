package console

import (
	"context"
	"net/http"
	"time"

	"cloudcanvas/shared/event"
)

type overviewBody struct {
	Lines    []Line
	Products []Scene
	Alerts   []Event
}

// Bounds of what pages list at once.
const (
	fewRows  = 8
	pageRows = 50
	maxRows  = 1000
)

func (k *Console) overviewPage(r *http.Request) (any, error) {
	ctx := r.Context()
	f, err := k.facts(ctx)
	if err != nil {
		return nil, err
	}
	body := overviewBody{Lines: assess(f)}
	if body.Products, err = k.index.published(ctx, fewRows); err != nil {
		return nil, err
	}
	body.Alerts, err = k.index.events(ctx, eventQuery{kind: string(event.Alert), limit: fewRows})
	return body, err
}

// facts gathers what the overview judges.
func (k *Console) facts(ctx context.Context) (f facts, err error) {
	f.now = k.now()
	f.kafkaSince, f.kafka = k.reach.get()
	if f.kafka == nil {
		c := k.cluster.get(ctx)
		f.workers, f.workersErr, f.lags, f.behind = c.Workers, c.groupErr, c.Lags, c.Behind
	}
	if f.edges, err = k.index.edges(ctx); err != nil {
		return f, err
	}
	if f.cameras, err = k.cameras(ctx); err != nil {
		return f, err
	}
	if f.letters, err = k.index.openLetters(ctx, &k.box); err != nil {
		return f, err
	}
	for _, b := range k.blockedEdges() {
		f.blocked = append(f.blocked, b.Edge)
	}
	if f.incomplete, err = k.index.incomplete(ctx, maxRows); err != nil {
		return f, err
	}
	if f.inWork, err = k.index.inWork(ctx); err != nil {
		return f, err
	}
	if f.alerts, err = k.index.alertsSince(ctx, f.now.Add(-time.Hour)); err != nil {
		return f, err
	}
	if k.Device != nil {
		o := k.Device.Outbox()
		f.outbox = &o
	}
	return f, nil
}

// published lists the latest products of scenes.
func (x *index) published(ctx context.Context, limit int) ([]Scene, error) {
	return x.someScenes(ctx, "published > 0 ORDER BY published DESC LIMIT ?", limit)
}

// incomplete lists scenes whose product lacks something.
func (x *index) incomplete(ctx context.Context, limit int) ([]Scene, error) {
	return x.someScenes(ctx, "published > 0 AND complete = 0 ORDER BY published DESC LIMIT ?", limit)
}

func (x *index) someScenes(ctx context.Context, rest string, args ...any) ([]Scene, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT "+sceneColumns+" FROM scenes WHERE "+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []Scene{}
	for rows.Next() {
		s, err := scanScene(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

func (x *index) inWork(ctx context.Context) (n int, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT count(*) FROM scenes WHERE published = 0").Scan(&n)
	return n, err
}

// alertsSince counts by Kafka's time, which no edge's clock sets.
func (x *index) alertsSince(ctx context.Context, from time.Time) (n int, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM events WHERE kind = 'alert' AND heard >= ? LIMIT 10000)", from.UnixMilli()).Scan(&n)
	return n, err
}
