package console

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"cloudcanvas/shared/event"
)

// cameraStates are what edges say of their live cameras. They live in memory: edges say them in their
// retained status, which the broker tells anew to a console that starts.
type cameraStates struct {
	mu sync.Mutex
	of map[string]said
}

// said is an edge's latest word on its cameras.
type said struct {
	online  bool
	cameras map[string]event.CameraState
}

// hear takes in what an edge says; the will that says that it is gone knows of no cameras.
func (c *cameraStates) hear(s event.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Status != event.Online {
		if was, known := c.of[s.Edge]; known {
			was.online = false
			c.of[s.Edge] = was
		}
		return
	}
	if _, known := c.of[s.Edge]; len(s.Cameras) == 0 || !known && len(c.of) >= maxTroubled {
		delete(c.of, s.Edge)
		return
	}
	if c.of == nil {
		c.of = map[string]said{}
	}
	all := map[string]event.CameraState{}
	for _, camera := range s.Cameras {
		camera.Name, camera.Phase, camera.Problem = cut(camera.Name, maxName), cut(camera.Phase, maxName), cut(camera.Problem, maxTroubleText)
		all[camera.Name] = camera
	}
	c.of[s.Edge] = said{true, all}
}

// with adds what edges say to the cameras of which something has come, and those of which nothing has.
func (c *cameraStates) with(cameras []Camera) []Camera {
	c.mu.Lock()
	defer c.mu.Unlock()
	shown := map[[2]string]bool{}
	for n := range cameras {
		c.to(&cameras[n])
		shown[[2]string{cameras[n].Edge, cameras[n].Name}] = true
	}
	for edge, said := range c.of {
		for name, state := range said.cameras {
			if !shown[[2]string{edge, name}] {
				cameras = append(cameras, Camera{Edge: edge, Name: name, Online: said.online, Width: state.Width, Height: state.Height, Device: &state})
			}
		}
	}
	slices.SortFunc(cameras, func(x, y Camera) int { return cmp.Or(cmp.Compare(x.Edge, y.Edge), cmp.Compare(x.Name, y.Name)) })
	return cameras
}

// add adds what its edge says to a camera.
func (c *cameraStates) add(camera *Camera) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to(camera)
}

func (c *cameraStates) to(camera *Camera) {
	if state, ok := c.of[camera.Edge].cameras[camera.Name]; ok {
		camera.Device = &state
	}
}

// one is a camera of which nothing but its edge's word is known.
func (c *cameraStates) one(edge, name string) (Camera, bool) {
	for _, camera := range c.with(nil) {
		if camera.Edge == edge && camera.Name == name {
			return camera, true
		}
	}
	return Camera{}, false
}

// cameras are all of which something has come, or of which their edges say something.
func (k *Console) cameras(ctx context.Context) ([]Camera, error) {
	all, err := k.index.cameras(ctx, maxRows)
	if err != nil {
		return nil, err
	}
	all = k.states.with(all)
	for n := range all {
		all[n].Word = all[n].State(k.now())
	}
	return all, nil
}

// camera is one of them, or errUnknown.
func (k *Console) camera(ctx context.Context, edge, name string) (Camera, error) {
	c, err := k.index.camera(ctx, edge, name)
	if err == nil {
		k.states.add(&c)
	} else if said, ok := k.states.one(edge, name); ok && errors.Is(err, errUnknown) {
		c, err = said, nil
	}
	c.Word = c.State(k.now())
	return c, err
}
