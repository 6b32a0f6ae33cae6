package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/event"
)

// endpoint is one question of the REST API. The OpenAPI document is made of these, so that it can't
// say anything else than what the handlers do.
type endpoint struct {
	Method  string
	Path    string
	Summary string
	Query   []parameter
	Body    any // of the request; nil: none
	Answer  any // of the type of the answer
	Make    func(r *http.Request) (any, error)
}

// parameter is one of the query string.
type parameter struct{ Name, Kind, Format, Text string }

// list is how the API answers with many things.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"` // path of the next page; empty on the last
}

var paging = []parameter{
	{"limit", "integer", "", "how many, 1 to 1000; 100 where it is left out"},
	{"offset", "integer", "", "how many to leave out"},
}

var eventFilters = []parameter{
	{"edge", "string", "", "of one edge"}, {"stream", "string", "", "of one camera or sensor"}, {"label", "string", "", "with one label"},
	{"kind", "string", "", "alert or track"}, {"from", "string", "date-time", "from this time on"}, {"to", "string", "date-time", "up to this time"},
	{"before", "integer", "", "only those before the event with this number, for paging"}, paging[0],
}

// decision is what an operator asks for.
type decision struct {
	Action string `json:"action"` // replay or discard
}

// health is the overview for programs.
type health struct {
	Lines  []Line       `json:"lines"`
	Outbox *live.Outbox `json:"outbox"` // where the console runs beside a device
}

// frameFound is what was found in a camera's latest frame.
type frameFound struct {
	Frame int         `json:"frame"` // -1: none has come
	Time  time.Time   `json:"time,omitzero"`
	Boxes []event.Box `json:"boxes"`
}

// endpoints are all of the REST API but streams, pictures and files.
func (k *Console) endpoints() []endpoint {
	get := func(path, summary string, query []parameter, answer any, make func(r *http.Request) (any, error)) endpoint {
		return endpoint{Method: http.MethodGet, Path: "/api/v1" + path, Summary: summary, Query: query, Answer: answer, Make: make}
	}
	return []endpoint{
		get("/overview", "How the appliance is, in sentences, the bad ones first", nil, health{}, k.apiOverview),
		get("/edges", "Devices as the cloud knows them", nil, list[index.Edge]{}, k.apiEdges),
		get("/edges/{edge}/link", "What waits on an edge by priority and rung, its contact windows, and what would go next and why", nil, event.LinkReport{}, k.apiLink),
		get("/drops", "What edges let go of, and why", nil, list[index.Drop]{}, k.apiDrops),
		get("/scenes", "Scenes, the latest first", append([]parameter{{"edge", "string", "", "of one edge"}, {"bbox", "string", "", "west,south,east,north in degrees"},
			{"from", "string", "date-time", "captured from this time on"}, {"to", "string", "date-time", "captured up to this time"}}, paging...), list[index.Scene]{}, k.apiScenes),
		get("/scenes/{edge}/{scene}", "One scene", nil, index.Scene{}, k.apiScene),
		get("/scenes/{edge}/{scene}/tiles", "What became of each tile of a scene, and why", nil, list[products.TileFate]{}, k.apiTiles),
		get("/scenes/{edge}/{scene}/areas", "How much ground each class covers", nil, list[products.Area]{}, k.apiAreas),
		get("/cameras", "Cameras, videos and sets of images", nil, list[index.Camera]{}, k.apiCameras),
		get("/cameras/{edge}/{camera}", "One camera", nil, index.Camera{}, k.apiCamera),
		get("/cameras/{edge}/{camera}/frame", "What was found in a camera's latest frame", nil, frameFound{}, k.apiFrame),
		get("/events", "Alerts and tracks, the latest first", eventFilters, list[index.Event]{}, k.apiEvents),
		get("/sensors", "Numbers that sensors tell", nil, list[index.Sensor]{}, k.apiSensors),
		get("/sensors/{edge}/{sensor}/{key}", "A sensor's readings, folded into at most 480 points",
			[]parameter{{"from", "string", "date-time", "from this time on; else the last six hours"}, {"to", "string", "date-time", "up to this time"}}, list[index.Point]{}, k.apiReadings),
		get("/limits/{edge}/{sensor}", "Levels at which a sensor's values raise alerts, as its alerts have told", nil, list[index.Limit]{}, k.apiLimits),
		get("/cluster", "Who works in the cloud, and how far behind they are", nil, live.Cluster{}, k.apiCluster),
		get("/models", "The cluster's models, their versions and why they were changed", nil, list[live.Model]{}, k.apiModels),
		get("/models/{model}", "One model", nil, live.Model{}, k.apiModel),
		{Method: http.MethodPost, Path: "/api/v1/models/{model}", Summary: "Begin a canary, promote it or take it back; needs the role operator",
			Body: live.ModelRequest{}, Answer: live.Model{}, Make: k.apiChangeModel},
		get("/letters", "Dead letters, the latest first", paging, list[Letter]{}, k.apiLetters),
		get("/letters/{partition}/{offset}", "One dead letter", nil, Letter{}, func(r *http.Request) (any, error) { return k.letterAsked(r) }),
		{Method: http.MethodPost, Path: "/api/v1/letters/{partition}/{offset}", Summary: "Replay or discard a dead letter; needs the role operator",
			Body: decision{}, Answer: Letter{}, Make: k.apiDecide},
		get("/letters/sources", "Which edges make dead letters, and why, the worst first", nil, list[letterSource]{}, k.apiSources),
		get("/edges/blocked", "Edges that are shut out, by whom and why", nil, list[blockedEdge]{}, func(*http.Request) (any, error) { return list[blockedEdge]{Items: k.blockedEdges()}, nil }),
		{Method: http.MethodPost, Path: "/api/v1/edges/blocked", Summary: "Shut an edge out or let it in again; needs the role operator",
			Body: blockWish{}, Answer: list[blockedEdge]{}, Make: k.apiBlock},
		get("/audit", "What operators did, the latest first", nil, list[auth.Act]{}, func(*http.Request) (any, error) { return list[auth.Act]{Items: k.audit.Latest(request.MaxRows)}, nil }),
	}
}

// answer serves an endpoint as JSON.
func (k *Console) answer(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := e.Make(r)
		if err != nil {
			k.refuser.Fail(w, r, err)
			return
		}
		request.JSON(w, http.StatusOK, v)
	}
}

func (k *Console) apiOverview(r *http.Request) (any, error) {
	f, err := k.facts(r.Context())
	if err != nil {
		return nil, err
	}
	return health{Lines: assess(f), Outbox: f.outbox}, nil
}

func (k *Console) apiEdges(r *http.Request) (any, error) {
	all, err := k.index.Edges.All(r.Context())
	return list[index.Edge]{Items: all}, err
}

func (k *Console) apiDrops(r *http.Request) (any, error) {
	all, err := k.index.Edges.Drops(r.Context())
	return list[index.Drop]{Items: all}, err
}

// nextPage is the path of the page after this one, or nothing where this is the last.
func nextPage(r *http.Request, more bool, key string, value int64) string {
	if !more {
		return ""
	}
	v := r.URL.Query()
	v.Set(key, strconv.FormatInt(value, 10))
	return r.URL.EscapedPath() + "?" + v.Encode()
}

// page cuts a list that was asked for with one more than limit.
func page[T any](r *http.Request, all []T, limit, offset int) list[T] {
	more := len(all) > limit
	return list[T]{Items: all[:min(limit, len(all))], Next: nextPage(r, more, "offset", int64(offset+limit))}
}

func (k *Console) apiScenes(r *http.Request) (any, error) {
	v := r.URL.Query()
	limit, offset, err := request.Window(v)
	if err != nil {
		return nil, err
	}
	q := index.SceneQuery{Limit: limit + 1, Offset: offset}
	if edge := v.Get("edge"); edge != "" {
		q.Edges = []string{edge}
	}
	if q.From, err = request.Time(v, "from"); err != nil {
		return nil, err
	}
	if q.To, err = request.Time(v, "to"); err != nil {
		return nil, err
	}
	if q.BBox, err = request.Box(v.Get("bbox")); err != nil {
		return nil, err
	}
	all, err := k.index.Scenes.Find(r.Context(), q)
	if err != nil {
		return nil, err
	}
	return page(r, all, limit, offset), nil
}

func (k *Console) apiScene(r *http.Request) (any, error) {
	return k.index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
}

func (k *Console) apiTiles(r *http.Request) (any, error) {
	s, err := k.index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		return nil, err
	}
	all, err := k.products.Tiles(s.Product)
	return list[products.TileFate]{Items: all}, err
}

func (k *Console) apiAreas(r *http.Request) (any, error) {
	s, err := k.index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		return nil, err
	}
	all, err := k.products.Areas(s.Product)
	return list[products.Area]{Items: all}, err
}

func (k *Console) apiCameras(r *http.Request) (any, error) {
	all, err := k.index.Cameras.All(r.Context(), k.now())
	return list[index.Camera]{Items: all}, err
}

func (k *Console) apiCamera(r *http.Request) (any, error) {
	return k.index.Cameras.One(r.Context(), request.Name(r, "edge"), request.Name(r, "camera"), k.now())
}

func (k *Console) apiFrame(r *http.Request) (any, error) {
	c, err := k.index.Cameras.One(r.Context(), request.Name(r, "edge"), request.Name(r, "camera"), k.now())
	if err != nil {
		return nil, err
	}
	if c.Heard.IsZero() { // its edge speaks of it, and nothing of it has come
		return nil, fmt.Errorf("camera %.80q of edge %.80q is %w", c.Name, c.Edge, index.ErrUnknown)
	}
	f := frameFound{Frame: -1, Boxes: []event.Box{}}
	if f.Time, f.Frame, err = k.index.Pictures.Taken(r.Context(), index.FrameSlot(c.Edge, c.Name)); err != nil || f.Time.IsZero() {
		return f, err
	}
	f.Boxes, err = k.index.Cameras.Boxes(r.Context(), c.Edge, c.Name, f.Frame)
	return f, err
}

func (k *Console) apiEvents(r *http.Request) (any, error) {
	q, err := eventsAsked(r.URL.Query())
	if err != nil {
		return nil, err
	}
	limit, _, err := request.Window(r.URL.Query())
	if err != nil {
		return nil, err
	}
	q.Limit = limit + 1
	all, err := k.index.Events.Find(r.Context(), q)
	if err != nil {
		return nil, err
	}
	l := list[index.Event]{Items: all[:min(limit, len(all))]}
	if len(all) > limit {
		l.Next = nextPage(r, true, "before", all[limit-1].Number)
	}
	return l, nil
}

func (k *Console) apiSensors(r *http.Request) (any, error) {
	all, err := k.index.Sensors.All(r.Context(), request.MaxRows)
	return list[index.Sensor]{Items: all}, err
}

func (k *Console) apiReadings(r *http.Request) (any, error) {
	from, err := request.Time(r.URL.Query(), "from")
	if err != nil {
		return nil, err
	}
	to, err := request.Time(r.URL.Query(), "to")
	if err != nil {
		return nil, err
	}
	if to.IsZero() {
		to = k.now()
	}
	if from.IsZero() {
		from = to.Add(-6 * time.Hour)
	}
	if !from.Before(to) {
		return nil, fmt.Errorf("%w: from is not before to", request.ErrBad)
	}
	all, err := k.index.Sensors.Readings(r.Context(), request.Name(r, "edge"), request.Name(r, "sensor"), request.Name(r, "key"), from, to)
	return list[index.Point]{Items: all}, err
}

func (k *Console) apiLimits(r *http.Request) (any, error) {
	all, err := k.index.Sensors.Limits(r.Context(), request.Name(r, "edge"), request.Name(r, "sensor"))
	return list[index.Limit]{Items: all}, err
}

func (k *Console) apiCluster(r *http.Request) (any, error) {
	if _, err := k.index.Kafka(); err != nil {
		return nil, fmt.Errorf("ask Kafka: %w", err)
	}
	return k.cluster.Get(r.Context()), nil
}

func (k *Console) apiLetters(r *http.Request) (any, error) {
	limit, offset, err := request.Window(r.URL.Query())
	if err != nil {
		return nil, err
	}
	all, err := k.letters(r, limit+1, offset)
	if err != nil {
		return nil, err
	}
	return page(r, all, limit, offset), nil
}

func (k *Console) apiDecide(r *http.Request) (any, error) {
	l, err := k.letterAsked(r)
	if err != nil {
		return nil, err
	}
	var d decision
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
		return nil, fmt.Errorf("%w: the body is no JSON: %w", request.ErrBad, err)
	}
	if err := k.act(r, l, d.Action); err != nil {
		return nil, err
	}
	return k.letterAsked(r)
}
