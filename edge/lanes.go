package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/telemetry"
)

// makeLanes lays a lane for each source of the configuration. A model that can't be loaded is an
// error here, before anything moves.
func (a *Agent) makeLanes(ctx context.Context) (err error) {
	if a.ground, err = a.openGround(); err != nil {
		return err
	}
	if a.scenes, err = openSceneIndex(a.config.folder("scenes.json")); err != nil {
		a.log.Warn("tiles that were left out of earlier scenes can't be asked for", telemetry.Err, err)
	}
	for _, s := range a.config.Scenes {
		if err := a.sceneLane(ctx, s); err != nil {
			return fmt.Errorf("scenes of %s: %w", s.Name, err)
		}
	}
	for _, c := range a.config.Cameras {
		video, err := capture.NewVideo(c.CameraConfig, a.log, a.watchCamera)
		if err != nil {
			return err
		}
		a.videos = append(a.videos, video.EndsWith(a.parts.End))
		if err := a.cameraLane(ctx, video, c.Detector, video.Live(), !video.Live() || c.Restart.GiveUp > 0); err != nil {
			return fmt.Errorf("camera %s: %w", c.Name, err)
		}
	}
	for _, set := range a.config.Images {
		if err := a.cameraLane(ctx, capture.NewImages(set.ImagesConfig, a.opening(), a.log).Guarded(a.guard(false)), set.Detector, false, true); err != nil {
			return fmt.Errorf("images %s: %w", set.Name, err)
		}
	}
	return a.localLanes(ctx)
}

func (a *Agent) add(l lane) {
	if l.finite {
		a.finite.Add(1)
	}
	a.lanes = append(a.lanes, l)
}

// sceneLane is a lane for one scene, or for a folder that scenes come into.
func (a *Agent) sceneLane(ctx context.Context, s SceneSource) error {
	judges, err := a.sceneJudge(ctx, s)
	if err != nil {
		return err
	}
	hand := a.hands.New(s.Name)
	told := assumptions{}
	// begin is for the scene of one file.
	begin := func(path, id string) *sceneLane {
		key := fileKey(path)
		if err := a.scenes.put(indexedScene{Scene: id, Path: path, File: key, Options: s.SceneOptions}); err != nil {
			a.log.Warn("tiles that are left out of this scene can't be asked for later", telemetry.Scene, id, telemetry.Err, err)
		}
		l := newSceneLane(judges, a.ground, a.buffer(), key, hand, a.log)
		l.trace, l.want, l.assumed = a.trace, s.Want, told
		l.whole = len(a.requests.take(s.Name, time.Now())) > 0
		return l
	}
	if s.Folder == "" {
		a.add(lane{name: s.Name, finite: true, run: func(ctx context.Context) (int64, error) {
			l := begin(s.Path, s.Name)
			err := capture.NewSceneFile(s.Path, s.Name, s.SceneOptions).Guarded(a.sceneGuard(s.Path)).Run(ctx, l.take)
			return int64(len(l.manifest.Tiles)), errors.Join(err, l.wait())
		}})
		return nil
	}
	a.requests.addSource(s.Name)
	var ids capture.SceneIDs
	folder := capture.NewFolder(s.watched(), func(path string) (capture.Source, error) {
		return capture.NewSceneFile(path, ids.ID(path), s.SceneOptions).Guarded(a.sceneGuard(path)), nil
	}, a.log)
	a.add(lane{name: s.Name, run: func(ctx context.Context) (int64, error) {
		var l *sceneLane
		return 0, folder.Run(ctx, func(ctx context.Context, p capture.Picture) error {
			if l == nil || l.manifest.ID != p.Scene.ID {
				l = begin(p.Scene.Path, p.Scene.ID)
			}
			if err := l.take(ctx, p); err != nil {
				return err
			}
			if p.Last {
				l = nil
				p.Committed()
			}
			return nil
		})
	}})
	return nil
}

// sceneJudge says who screens the tiles of a scene with given bands: the first of the networks that are
// configured, or of the default ones that are there, whose bands it has; the spectral test where that is
// named, and behind the default ones.
func (a *Agent) sceneJudge(ctx context.Context, s SceneSource) (choice, error) {
	rules := a.config.Screen
	names, ownChoice := s.screens(), false
	if ownChoice = len(names) == 0; ownChoice {
		names = append(DefaultScreens(), Spectral)
	}
	var judges []judge
	for _, name := range names {
		if name == Spectral {
			judges = append(judges, spectralJudge{rules})
			continue
		}
		if _, _, err := a.networks.find(name); err != nil && ownChoice {
			continue
		}
		net, err := a.networks.get(ctx, name)
		if err != nil && ownChoice && ctx.Err() == nil {
			a.log.Warn("scenes are screened without a network that can't be loaded", "model", name, telemetry.Err, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		judges = append(judges, networkJudge{rules, guarded{net, a.attempts, s.Name, false, a.trace}})
	}
	return func(bands []string) judge { return fitting(judges, bands) }, nil
}

// fileKey tells this very file, or folder of a product, from another of the same name: its path, size and time.
func fileKey(path string) string {
	print, err := capture.Fingerprint(path)
	if err != nil {
		return path
	}
	return path + ":" + print
}
