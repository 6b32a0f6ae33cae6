package index

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

// statuses are what edges say of their buffers and of their live cameras. They live in memory: edges say it
// in their retained status, which the broker sends anew to a console that starts.
type statuses struct {
	mu       sync.Mutex
	troubles map[string][]event.Trouble
	cameras  map[string]edgeCameras
}

// edgeCameras are the states of an edge's cameras, as it said last.
type edgeCameras struct {
	online bool
	states map[string]event.CameraState
}

// Bounds of what is kept: edges, and the text of each trouble.
const (
	maxStatuses    = 1000
	maxTroubleText = 600
)

// take takes in what an edge says. The will that says that it is gone knows neither of troubles nor of
// cameras: those of before stay.
func (s *statuses) take(status event.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status.Status != event.Online {
		if was, known := s.cameras[status.Edge]; known {
			was.online = false
			s.cameras[status.Edge] = was
		}
		return
	}
	s.takeTroubles(status)
	s.takeCameras(status)
}

func (s *statuses) takeTroubles(status event.Status) {
	if _, known := s.troubles[status.Edge]; len(status.Troubles) == 0 || !known && len(s.troubles) >= maxStatuses {
		delete(s.troubles, status.Edge)
		return
	}
	if s.troubles == nil {
		s.troubles = map[string][]event.Trouble{}
	}
	all := slices.Clone(status.Troubles)
	for n := range all {
		all[n].Kind, all[n].Text = text.Cut(all[n].Kind, text.MaxName), text.Cut(all[n].Text, maxTroubleText)
	}
	s.troubles[status.Edge] = all
}

func (s *statuses) takeCameras(status event.Status) {
	if _, known := s.cameras[status.Edge]; len(status.Cameras) == 0 || !known && len(s.cameras) >= maxStatuses {
		delete(s.cameras, status.Edge)
		return
	}
	if s.cameras == nil {
		s.cameras = map[string]edgeCameras{}
	}
	all := map[string]event.CameraState{}
	for _, camera := range status.Cameras {
		camera.Name, camera.Phase, camera.Problem = text.Cut(camera.Name, text.MaxName), text.Cut(camera.Phase, text.MaxName), text.Cut(camera.Problem, maxTroubleText)
		all[camera.Name] = camera
	}
	s.cameras[status.Edge] = edgeCameras{true, all}
}

// withTroubles adds its troubles to each edge.
func (s *statuses) withTroubles(edges []Edge) []Edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range edges {
		edges[n].Troubles = s.troubles[edges[n].Name]
	}
	return edges
}

// withStates adds what edges say to the cameras of which something has come, and those of which nothing has.
func (s *statuses) withStates(cameras []Camera) []Camera {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := map[[2]string]bool{}
	for n := range cameras {
		s.setState(&cameras[n])
		shown[[2]string{cameras[n].Edge, cameras[n].Name}] = true
	}
	for edge, said := range s.cameras {
		for name, state := range said.states {
			if !shown[[2]string{edge, name}] {
				cameras = append(cameras, Camera{Edge: edge, Name: name, Online: said.online, Width: state.Width, Height: state.Height, Device: &state})
			}
		}
	}
	slices.SortFunc(cameras, func(x, y Camera) int { return cmp.Or(cmp.Compare(x.Edge, y.Edge), cmp.Compare(x.Name, y.Name)) })
	return cameras
}

func (s *statuses) setState(camera *Camera) {
	if state, ok := s.cameras[camera.Edge].states[camera.Name]; ok {
		camera.Device = &state
	}
}

// one is a camera of which only its edge's status is known.
func (s *statuses) one(edge, name string) (Camera, bool) {
	for _, camera := range s.withStates(nil) {
		if camera.Edge == edge && camera.Name == name {
			return camera, true
		}
	}
	return Camera{}, false
}

// TakeStatus takes in what an edge says of itself.
func (x *Index) TakeStatus(ctx context.Context, s event.Status) error {
	x.said.take(s)
	s.Version = text.Cut(s.Version, text.MaxName)
	since := int64(0)
	if !s.Time.IsZero() {
		since = s.Time.UnixMilli()
	}
	link := ""
	if s.Link != nil {
		link = asJSON(s.Link)
	}
	err := x.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO edges (edge, status, epoch, version, since, link) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET since = CASE WHEN excluded.since > 0 THEN excluded.since WHEN status = excluded.status THEN since ELSE ? END,
			status = excluded.status, epoch = excluded.epoch, version = excluded.version, link = CASE WHEN excluded.link = '' THEN link ELSE excluded.link END`,
			s.Edge, s.Status, string(s.Epoch), s.Version, since, link, time.Now().UnixMilli())
		return err
	})
	if err == nil {
		x.Notices.Add(Notice{What: AboutEdge, Edge: s.Edge})
	}
	return err
}

// All lists the cameras of which something has come, or of which their edges say something.
func (c Cameras) All(ctx context.Context, now time.Time) ([]Camera, error) {
	all, err := c.all(ctx, maxCameras)
	if err != nil {
		return nil, err
	}
	all = c.said.withStates(all)
	for n := range all {
		all[n].Word = all[n].State(now)
	}
	return all, nil
}

// One gives one of them, or ErrUnknown.
func (c Cameras) One(ctx context.Context, edge, name string, now time.Time) (Camera, error) {
	camera, err := c.one(ctx, edge, name)
	if err == nil {
		c.said.mu.Lock()
		c.said.setState(&camera)
		c.said.mu.Unlock()
	} else if said, ok := c.said.one(edge, name); ok && errors.Is(err, ErrUnknown) {
		camera, err = said, nil
	}
	camera.Word = camera.State(now)
	return camera, err
}
