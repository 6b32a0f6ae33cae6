package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/lineage"
)

// Lineage finds what became of single items; lineage.Finder has it.
type Lineage interface {
	Find(ctx context.Context, q lineage.Query, since time.Duration) ([]lineage.History, error)
}

// What became of an item is read from Kafka itself, which costs more than the index: few are looked up at a
// time, each within lookUpTakes.
const (
	lookUpsAtOnce = 2
	lookUpTakes   = 20 * time.Second
	maxSince      = 30 * 24 * time.Hour
)

type lineagePage struct {
	from    Lineage
	lookUps chan struct{} // a place for each that is under way
}

func newLineagePage(from Lineage) lineagePage {
	return lineagePage{from, make(chan struct{}, lookUpsAtOnce)}
}

type lineageBody struct {
	Item  string
	Since string
	Items []lineage.History
}

// show looks ?item= up, from ?since= ago on where that is given.
func (p lineagePage) show(r *http.Request) (any, error) {
	if p.from == nil {
		return nil, fmt.Errorf("what became of an item is %w: this console was started without it", index.ErrUnknown)
	}
	body := lineageBody{Item: r.URL.Query().Get("item"), Since: r.URL.Query().Get("since")}
	if body.Item == "" {
		return body, nil
	}
	q, err := lineage.Parse(body.Item)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", request.ErrBad, err)
	}
	var since time.Duration
	if body.Since != "" {
		if since, err = time.ParseDuration(body.Since); err != nil || since <= 0 || since > maxSince {
			return nil, fmt.Errorf("%w: since %.20q is no time such as 72h, up to %s", request.ErrBad, body.Since, maxSince)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookUpTakes)
	defer cancel()
	select {
	case p.lookUps <- struct{}{}:
		defer func() { <-p.lookUps }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	body.Items, err = p.from.Find(ctx, q, since)
	if errors.Is(err, lineage.ErrUnknown) {
		return nil, fmt.Errorf("item %.80q is %w: look further back with since=720h, or ask its edge with `canvas-edge buffer ls`", body.Item, index.ErrUnknown)
	}
	return body, err
}

// lineagePath is where what became of a tile is shown. Kafka's own time of the manifest says how far back to
// look.
func lineagePath(s index.Scene, tile string) string {
	q := url.Values{"item": {s.ID + "/" + tile}}
	if !s.Manifested.IsZero() {
		q.Set("since", (time.Since(s.Manifested).Truncate(time.Hour) + 2*time.Hour).String())
	}
	return "/story?" + q.Encode()
}
