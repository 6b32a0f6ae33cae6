package edge

import (
	"sync"
	"time"
)

// wishes are pictures that somebody asked for: the cloud, or a rule about a sensor. A lane takes the
// wishes for its source when it has its next picture, and sends that one whole.
type wishes struct {
	mu    sync.Mutex
	known map[string]bool
	open  map[string][]wish
}

type wish struct {
	key   string // a wish that comes twice is one
	until time.Time
}

const (
	// wishFor is how long a wish waits for a picture: a camera that comes back later shows
	// something else than what was asked for.
	wishFor = time.Minute
	// maxWishes bounds what is asked of one source before its next picture.
	maxWishes = 16
)

// know says that there is such a source.
func (w *wishes) know(source string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known == nil {
		w.known, w.open = map[string]bool{}, map[string][]wish{}
	}
	w.known[source] = true
}

// want asks for a picture of a source; false where there is no such source, or too much is asked.
func (w *wishes) want(source, key string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.known[source] {
		return false
	}
	for _, other := range w.open[source] {
		if other.key == key {
			return true
		}
	}
	if len(w.open[source]) >= maxWishes {
		return false
	}
	w.open[source] = append(w.open[source], wish{key, now.Add(wishFor)})
	return true
}

// take gives the keys of what is wished of a source, and forgets them.
func (w *wishes) take(source string, now time.Time) (keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.open[source]) == 0 {
		return nil
	}
	for _, wish := range w.open[source] {
		if now.Before(wish.until) {
			keys = append(keys, wish.key)
		}
	}
	delete(w.open, source)
	return keys
}
