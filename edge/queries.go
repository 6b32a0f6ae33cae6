package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// queries answers what the cloud asks for in full: what waits is made urgent, a tile that was left out
// is read again from its scene's file, and a camera's next picture is requested. Each query gets
// an answer, and the same query twice changes nothing.
type queries struct {
	buffer   buffer
	scenes   *sceneIndex
	requests *captureRequests
	log      *slog.Logger
	readTile func(path, id string, o capture.SceneOptions, name string) (capture.Picture, error)
	waiting  chan event.Query
}

// maxWaitingQueries bounds the queries that wait. More are left unanswered: the cloud asks again.
const maxWaitingQueries = 256

func newQueries(b buffer, s *sceneIndex, r *captureRequests, log *slog.Logger) *queries {
	return &queries{buffer: b, scenes: s, requests: r, log: log, readTile: capture.ReadTile, waiting: make(chan event.Query, maxWaitingQueries)}
}

// receive takes a query as it came; it never blocks.
func (q *queries) receive(payload []byte) {
	query, err := event.ParseQuery(payload)
	if err != nil {
		q.log.Warn("a query from the cloud can't be read", telemetry.Err, err)
		return
	}
	select {
	case q.waiting <- query:
	default:
		q.log.Warn("a query from the cloud is not answered, because too many wait already; the cloud may send it again", "query", query.ID, "waiting", maxWaitingQueries)
	}
}

// run answers until ctx ends. A query whose answer can't be committed is left unanswered.
func (q *queries) run(ctx context.Context) {
	for {
		select {
		case query := <-q.waiting:
			if err := q.answer(ctx, query); err != nil && ctx.Err() == nil {
				q.log.Warn("a query from the cloud is not answered; the cloud may send it again", "query", query.ID, telemetry.Err, err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// answer does what is asked and commits the answer.
func (q *queries) answer(ctx context.Context, query event.Query) error {
	answer := event.QueryAnswer{Query: query.ID}
	var err error
	if answer.Answer, answer.Items, err = q.find(ctx, query); errors.Is(err, errUnavailable) {
		answer.Answer, answer.Problem = event.QueryUnknown, err.Error()
	} else if err != nil {
		return err
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return q.buffer.Commit(ctx, draft{Draft: outbox.Draft{Kind: event.Answer, Stream: "query", Subject: query.ID, Priority: event.High, Value: 1,
		Type: "application/json", Data: data, Key: queryKey(query, "answer")}})
}

func queryKey(query event.Query, part string) string { return "query/" + query.ID + "/" + part }

// errUnavailable marks what the device can't give; it is part of the answer.
var errUnavailable = errors.New("not available")

// find raises what is asked for where it waits, and else looks where it can still be read.
func (q *queries) find(ctx context.Context, query event.Query) (answer string, items int, err error) {
	subject := query.Scene + "/" + query.Tile
	switch {
	case query.Frame == event.FrameNow:
		if !q.requests.add(query.Camera, queryKey(query, "frame"), time.Now()) {
			return "", 0, fmt.Errorf("%w: this device has no camera %s, or too many pictures of it are requested already", errUnavailable, query.Camera)
		}
		return event.QueryAsked, 1, nil
	case query.Frame != "":
		subject = query.Camera + "/frame-" + query.Frame
	case query.Track != "":
		subject = query.Camera + "/" + query.Track
	}
	n, err := q.buffer.Raise(ctx, subject, event.High)
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("make %s urgent: %w", subject, err)
	case n > 0:
		return event.QueryRaised, n, nil
	case query.Scene == "":
		return "", 0, fmt.Errorf("%w: nothing of %s waits in the buffer; it was sent, or was never kept", errUnavailable, subject)
	}
	if err := q.readAgain(ctx, query); err != nil {
		return "", 0, err
	}
	return event.QuerySent, 1, nil
}

// readAgain commits a tile from its scene's file.
func (q *queries) readAgain(ctx context.Context, query event.Query) error {
	s, ok := q.scenes.find(query.Scene)
	if !ok {
		return fmt.Errorf("%w: scene %s is not known on this device", errUnavailable, query.Scene)
	}
	if s.Echoes != nil {
		return q.readBlockAgain(ctx, query, s)
	}
	if fileKey(s.Path) != s.File {
		return fmt.Errorf("%w: the file of scene %s is gone, or has been replaced", errUnavailable, query.Scene)
	}
	p, err := q.readTile(s.Path, s.Scene, s.Options, query.Tile)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	data, media, err := p.Scene.Encode(p.Image, *p.Tile, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	tile := tileDraft(p, s.Options.Want, media, data)
	tile.Priority, tile.Value, tile.Key = event.High, 1, queryKey(query, "tile")
	return q.buffer.Commit(ctx, draft{Draft: tile})
}

// readBlockAgain commits the raw lines of a block of a radar's echoes.
func (q *queries) readBlockAgain(ctx context.Context, query event.Query, s indexedScene) error {
	if echoesKey(s.Path) != s.File {
		return fmt.Errorf("%w: the echoes of scene %s are gone, or have been replaced", errUnavailable, query.Scene)
	}
	p, err := capture.ReadEchoesBlock(ctx, s.Path, s.Scene, *s.Echoes, query.Tile)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	d, err := rawDraft(p)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	d.Priority, d.Value, d.Key = event.High, 1, queryKey(query, "tile")
	return q.buffer.Commit(ctx, draft{Draft: d})
}

// captureRequests are pictures that somebody asked for: the cloud, or a rule about a sensor. A pipeline
// takes the requests for its source when it has its next picture, and sends that one whole.
type captureRequests struct {
	mu      sync.Mutex
	sources map[string]bool
	open    map[string][]captureRequest
}

type captureRequest struct {
	key   string // a request that comes twice is one
	until time.Time
}

const (
	// requestFor is how long a request waits for a picture: a camera that comes back later shows
	// something else than what was asked for.
	requestFor = time.Minute
	// maxRequests bounds what is asked of one source before its next picture.
	maxRequests = 16
)

// addSource says that there is such a source.
func (r *captureRequests) addSource(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sources == nil {
		r.sources, r.open = map[string]bool{}, map[string][]captureRequest{}
	}
	r.sources[name] = true
}

// add asks for a picture of a source; false where there is no such source, or too much is asked.
func (r *captureRequests) add(source, key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sources[source] {
		return false
	}
	for _, other := range r.open[source] {
		if other.key == key {
			return true
		}
	}
	if len(r.open[source]) >= maxRequests {
		return false
	}
	r.open[source] = append(r.open[source], captureRequest{key, now.Add(requestFor)})
	return true
}

// take gives the keys of what is asked of a source, and forgets them.
func (r *captureRequests) take(source string, now time.Time) (keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open[source]) == 0 {
		return nil
	}
	for _, request := range r.open[source] {
		if now.Before(request.until) {
			keys = append(keys, request.key)
		}
	}
	delete(r.open, source)
	return keys
}

// sceneIndex knows which file each scene was read from and how it was cut, so that a tile that was left
// out can still be read while the file is there. It is a small JSON file, scenes.json, replaced as a whole.
type sceneIndex struct {
	path string
	mu   sync.Mutex
	list []indexedScene // oldest first
}

type indexedScene struct {
	Scene   string               `json:"scene"`
	Path    string               `json:"path"`
	File    string               `json:"file"` // tells this very file from a later one of the same name
	Options capture.SceneOptions `json:"options"`
	// Echoes say how a radar's echoes were cut; nil of other scenes.
	Echoes *capture.EchoesOptions `json:"echoes,omitempty"`
}

const (
	maxIndexedScenes = 4096
	maxIndexBytes    = 16 << 20
)

// openSceneIndex reads what earlier runs have written. It is usable, and empty, also when there is an error.
func openSceneIndex(path string) (*sceneIndex, error) {
	s := &sceneIndex{path: path}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err == nil && info.Size() > maxIndexBytes {
		err = fmt.Errorf("it has %d bytes", info.Size())
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err == nil {
		err = json.Unmarshal(data, &s.list)
	}
	if err != nil {
		s.list = nil
		return s, fmt.Errorf("the list of scenes %s: %w", path, err)
	}
	return s, nil
}

// put adds a scene; an earlier one of the same id is forgotten.
func (s *sceneIndex) put(e indexedScene) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(o indexedScene) bool { return o.Scene == e.Scene })
	s.list = append(s.list, e)
	s.list = slices.Delete(s.list, 0, max(0, len(s.list)-maxIndexedScenes))
	data, err := json.Marshal(s.list)
	if err == nil {
		err = renameio.WriteFile(s.path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("the list of scenes %s: %w", s.path, err)
	}
	return nil
}

func (s *sceneIndex) find(scene string) (indexedScene, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(e indexedScene) bool { return e.Scene == scene })
	if i < 0 {
		return indexedScene{}, false
	}
	return s.list[i], true
}
