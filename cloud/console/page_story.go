package console

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

// Stories tells what became of single items; lineage.Teller has it.
type Stories interface {
	Tell(ctx context.Context, q lineage.Question, since time.Duration) ([]lineage.Story, error)
}

// A story is read from Kafka itself, which costs more than the index: few are told at a time, each
// within storyTakes.
const (
	storiesAtOnce = 2
	storyTakes    = 20 * time.Second
	maxStorySince = 30 * 24 * time.Hour
)

type storyBody struct {
	Item    string
	Since   string
	Stories []lineage.Story
}

// storyPage tells the story of ?item=, looking ?since= back where that is given.
func (k *Console) storyPage(r *http.Request) (any, error) {
	if k.Stories == nil {
		return nil, fmt.Errorf("the story of an item is %w: this console was started without it", index.ErrUnknown)
	}
	body := storyBody{Item: r.URL.Query().Get("item"), Since: r.URL.Query().Get("since")}
	if body.Item == "" {
		return body, nil
	}
	q, err := lineage.Parse(body.Item)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", request.ErrBad, err)
	}
	var since time.Duration
	if body.Since != "" {
		if since, err = time.ParseDuration(body.Since); err != nil || since <= 0 || since > maxStorySince {
			return nil, fmt.Errorf("%w: since %.20q is no time such as 72h, up to %s", request.ErrBad, body.Since, maxStorySince)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), storyTakes)
	defer cancel()
	select {
	case k.telling <- struct{}{}:
		defer func() { <-k.telling }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	body.Stories, err = k.Stories.Tell(ctx, q, since)
	if errors.Is(err, lineage.ErrUnknown) {
		return nil, fmt.Errorf("of %.80q %w: look further back with since=720h, or ask its edge with `canvas-edge buffer ls`", body.Item, index.ErrUnknown)
	}
	return body, err
}

// storyOf is the address of a tile's story. Kafka's own time of the manifest says how far back to look.
func storyOf(s index.Scene, tile string) string {
	q := url.Values{"item": {s.ID + "/" + tile}}
	if !s.Manifested.IsZero() {
		q.Set("since", (time.Since(s.Manifested).Truncate(time.Hour) + 2*time.Hour).String())
	}
	return "/story?" + q.Encode()
}
