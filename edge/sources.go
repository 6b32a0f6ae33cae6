// Package edge is the device side: from a lens to a committed item, and over the link.
//
//	scenes  ─▶ windows ─▶ screen ───────────────▶ tiles, quicklook, manifest ─┐
//	echoes  ─▶ blocks ──▶ focus ──▶ detect ─────▶ alerts, amplitude, echoes ──┤
//	cameras ─▶ frames ──▶ screen ─▶ detect ─────▶ alerts, tracks, detections ─┼▶ buffer ─▶ uplink ─▶ cloud
//	sensors ─▶ readings ─▶ rules ───────────────▶ readings, windows, alerts ──┘    ▲         │
//	   ▲                                                                           ├ receipts ┤
//	   └── read again, made urgent, captured now ◀── queries ◀─────────────────────┴─ queries ┘
//
// Each source has a pipeline of its own, a goroutine that takes its pictures all the way into the
// buffer, which is the outbox; the buffer's room is what holds a pipeline up. One pipeline's fault is that
// pipeline's alone.
//
//	sources.go           which source gets which pipeline
//	camera_pipeline.go   the way of a frame: screened, looked at, what was found committed
//	scene_pipeline.go    the way of a scene: tiles screened and compared, then quicklook and manifest
//	echoes_pipeline.go   the way of a radar's echoes: focused, targets reported, committed; then the manifest
//	sensor_pipeline.go   the way of a reading: rules, windows, alerts
//	buffer.go            what pipelines need of the outbox, and what happens where it is full
//	queries.go           what the cloud asks for
//	agent.go             the life of the whole
package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/pictures/album"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
)

// pipeline takes one source's pictures into the buffer.
type pipeline struct {
	name   string
	finite bool
	run    func(context.Context) (pictures int64, err error)
}

// openSources makes a pipeline for each source of the configuration. A model that can't be loaded is an
// error here, before anything moves.
func (a *Agent) openSources(ctx context.Context) (err error) {
	if a.changes, err = a.openSceneChange(); err != nil {
		return err
	}
	if a.scenes, err = openSceneIndex(a.config.folder("scenes.json")); err != nil {
		a.log.Warn("tiles that were left out of earlier scenes are no longer available to queries", telemetry.Err, err)
	}
	for _, s := range a.config.Scenes {
		if err := a.addScenes(ctx, s); err != nil {
			return fmt.Errorf("scenes of %s: %w", s.Name, err)
		}
	}
	for _, s := range a.config.Echoes {
		a.addEchoes(s)
	}
	for _, c := range a.config.Cameras {
		video, err := capture.NewVideo(c.CameraConfig, a.log, a.watchCamera)
		if err != nil {
			return err
		}
		a.videos = append(a.videos, video.EndsWith(a.parts.End))
		if err := a.addFrames(ctx, video, c.Detector, video.Live(), !video.Live() || c.Restart.GiveUp > 0); err != nil {
			return fmt.Errorf("camera %s: %w", c.Name, err)
		}
	}
	for _, set := range a.config.Images {
		if err := a.addFrames(ctx, capture.NewImages(set.ImagesConfig, a.opening(), a.log).Guarded(a.guard(false)), set.Detector, false, true); err != nil {
			return fmt.Errorf("images %s: %w", set.Name, err)
		}
	}
	return a.addLocalBroker(ctx)
}

func (a *Agent) add(p pipeline) {
	if p.finite {
		a.finite.Add(1)
	}
	a.pipelines = append(a.pipelines, p)
}

// addScenes adds one scene, or a folder that scenes come into.
func (a *Agent) addScenes(ctx context.Context, s SceneSource) error {
	choose, err := a.sceneScreeners(ctx, s)
	if err != nil {
		return err
	}
	probe := a.liveness.Probe(s.Name)
	warned := assumptions{}
	// begin is for the scene of one file.
	begin := func(path, id string) *scenePipeline {
		key := fileKey(path)
		if err := a.scenes.put(indexedScene{Scene: id, Path: path, File: key, Options: s.SceneOptions.WithDefaults()}); err != nil {
			a.log.Warn("tiles that are left out of a scene will not be available to queries", telemetry.Scene, id, telemetry.Err, err)
		}
		p := newScenePipeline(choose, a.changes, a.buffer(), key, probe, a.log)
		p.trace, p.want, p.assumed, p.quality = a.trace, s.Want, warned, a.config.LookQuality
		p.whole = len(a.requests.take(s.Name, time.Now())) > 0
		return p
	}
	if s.Folder == "" {
		a.add(pipeline{name: s.Name, finite: true, run: func(ctx context.Context) (int64, error) {
			p := begin(s.Path, s.Name)
			err := capture.NewSceneFile(s.Path, s.Name, s.SceneOptions).Guarded(a.sceneGuard(s.Path)).Run(ctx, p.take)
			return int64(len(p.manifest.Tiles)), errors.Join(err, p.wait())
		}})
		return nil
	}
	a.requests.addSource(s.Name)
	var ids capture.SceneIDs
	folder := capture.NewFolder(s.watched(), func(path string) (capture.Source, error) {
		return capture.NewSceneFile(path, ids.ID(path), s.SceneOptions).Guarded(a.sceneGuard(path)), nil
	}, a.log)
	a.add(pipeline{name: s.Name, run: func(ctx context.Context) (int64, error) {
		var p *scenePipeline
		return 0, folder.Run(ctx, func(ctx context.Context, tile capture.Picture) error {
			if p == nil || p.manifest.ID != tile.Scene.ID {
				p = begin(tile.Scene.Path, tile.Scene.ID)
			}
			if err := p.take(ctx, tile); err != nil {
				return err
			}
			if tile.Last {
				p = nil
				tile.Committed()
			}
			return nil
		})
	}})
	return nil
}

// addFrames adds a stream of frames: a video, a camera, or a set of images. A live one can't wait; a
// finite one comes to an end, if only because a camera is given up.
func (a *Agent) addFrames(ctx context.Context, source capture.Source, detector string, live, finite bool) error {
	if detector == "" {
		return fmt.Errorf("no detector is named: set detector to a model's name; `canvas-edge models ls` lists them")
	}
	net, err := a.networks.get(ctx, detector)
	if err != nil {
		return err
	}
	_, images := source.(*capture.Images)
	video, _ := source.(*capture.Video)
	a.add(pipeline{name: source.Name(), finite: finite, run: func(ctx context.Context) (int64, error) {
		p := a.openCamera(source.Name(), net, live, images)
		if video != nil && live {
			a.cameras.add(video.Name(), p.camera)
			a.watchCamera(video.State())
		}
		return p.run(ctx, source.Run)
	}})
	return nil
}

// addPublishedFrames adds all cameras that publish on the local broker; each gets a pipeline of its own
// when its first frame comes.
func (a *Agent) addPublishedFrames(ctx context.Context, source *capture.DeviceFrames) error {
	if a.config.Frames.Detector == "" {
		return fmt.Errorf("frames are enabled without a detector: set frames.detector")
	}
	net, err := a.networks.get(ctx, a.config.Frames.Detector)
	if err != nil {
		return err
	}
	a.add(pipeline{name: "frames", run: func(ctx context.Context) (int64, error) {
		ctx, stop := context.WithCancelCause(ctx)
		cameras := map[string]*inbox{}
		ended := make(chan struct{})
		defer func() {
			stop(nil)
			for range cameras {
				<-ended
			}
		}()
		return 0, source.Run(ctx, func(ctx context.Context, frame capture.Picture) error {
			camera := cameras[frame.Stream]
			if camera == nil {
				camera = newInbox(func(old capture.Picture) { a.states.skip(old.Stream, skippedBehind) })
				cameras[frame.Stream] = camera
				p := a.openCamera(frame.Stream, net, true, false)
				go func() {
					if _, err := p.run(ctx, camera.run); err != nil && ctx.Err() == nil {
						a.log.Error("the detection of a camera has failed", "camera", frame.Stream, telemetry.Err, err)
						stop(err) // a network that fails for one camera fails for all of them
					}
					ended <- struct{}{}
				}()
			}
			camera.put(frame)
			return nil
		})
	}})
	return nil
}

// openCamera makes the pipeline of one camera, video or set of images before that network.
func (a *Agent) openCamera(name string, net *loadedModel, live, images bool) *cameraPipeline {
	c := a.config.Detect
	c.InFlight = max(c.InFlight, net.Layout().Sessions+2)
	c.Places = a.config.places(name)
	if images {
		c.Tracks.Off, c.Alerts.Off = true, true // one has nothing to do with the next
		c.Second.Every = -1
	}
	var observer detect.Observer
	if a.local != nil {
		observer = a.local
	}
	m := detect.Model{Name: net.model.Name, Version: net.model.Version, Report: net.model.Output.Report}
	p := newCameraPipeline(name, a.cameraParts(), a.config.Screen.Camera(), net.share, c.InFlight)
	p.live, p.images, p.probe, p.model = live, images, a.liveness.Probe(name), m.Name
	p.camera = detect.NewCamera(name, c, sharedNetwork{guardedNetwork{net, a.attempts, name, live, a.trace}, p}, m, infer.EncodeJPEG, observer, a.log)
	if live {
		p.camera.HoldPictures(p.buffer.WaitsUnder)
	}
	if !images {
		a.states.addCrossings(name, p.camera.Crossings)
		a.requests.addSource(name)
	}
	return p
}

// cameraParts are what the agent's cameras share.
func (a *Agent) cameraParts() cameraParts {
	return cameraParts{buffer: a.buffer(), requests: &a.requests, states: &a.states, power: a.power, trace: a.trace,
		frameEvery: a.config.FrameEvery, quality: a.config.LookQuality, maxLag: a.config.Overload.MaxLag}
}

// addReadings adds what sensors publish on the local broker.
func (a *Agent) addReadings() {
	readings := capture.NewDeviceReadings(a.config.Sensors.ReadingConfig, a.local.readings, a.log)
	a.messages["readings"] = readings.Counts
	probe := a.liveness.Probe("sensors")
	a.add(pipeline{name: "sensors", run: func(ctx context.Context) (int64, error) {
		p := newSensorPipeline(a.buffer(), a.config.Sensors.Rules, &a.requests, a.log)
		p.probe, p.seen, p.numbers, p.repeated = probe, a.local.seen, a.local.numbers, readings.Repeated
		return 0, p.run(ctx, readings.Run)
	}})
}

// opening opens files with pictures in them, which are decoded within the memory that all decoders of the process
// may take at one time. A picture waits for others until its context ends.
func (a *Agent) opening() capture.Open {
	return func(ctx context.Context, data []byte, maxPixels int) (capture.Opened, error) {
		f, err := album.Open(ctx, data, maxPixels)
		if err != nil {
			return nil, err
		}
		return budgeted{f, a.memory}, nil
	}
}

type budgeted struct {
	*album.Album
	memory *budget.Bytes
}

func (b budgeted) Picture(ctx context.Context, i int) (vision.Image, vision.Notes, error) {
	give, err := b.memory.Take(ctx, b.Bytes(i))
	if err != nil {
		return vision.Image{}, vision.Notes{}, err
	}
	defer give()
	return b.Album.Picture(ctx, i)
}

// inbox holds the newest picture of one published camera for its pipeline, so that a pipeline that waits
// for its turn holds up no other camera.
type inbox struct {
	newest  chan capture.Picture
	skipped func(capture.Picture) // is called for each picture that made way for a newer one
}

func newInbox(skipped func(capture.Picture)) *inbox {
	return &inbox{newest: make(chan capture.Picture, 1), skipped: skipped}
}

// put never blocks. It is called by one goroutine.
func (i *inbox) put(p capture.Picture) {
	select {
	case i.newest <- p:
		return
	default:
	}
	select {
	case old := <-i.newest:
		if old.Release != nil {
			old.Release()
		}
		if old.Committed != nil { // it need not come again
			old.Committed()
		}
		i.skipped(old)
	default: // it was just taken
	}
	i.newest <- p
}

// run hands pictures on until ctx ends.
func (i *inbox) run(ctx context.Context, emit func(context.Context, capture.Picture) error) error {
	for {
		select {
		case p := <-i.newest:
			if err := emit(ctx, p); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
