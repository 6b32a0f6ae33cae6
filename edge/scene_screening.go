package edge

import (
	"context"
	"slices"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// screener says whether a tile is worth the link, with the mask that it found, if there is one.
type screener interface {
	screen(ctx context.Context, p capture.Picture) (screen.Decision, *vision.Mask, error)
	name() (name, version string)
	bands() []string // that it needs
}

// spectralScreener screens by published tests on reflectance.
type spectralScreener struct{ rules screen.Config }

func (s spectralScreener) screen(_ context.Context, p capture.Picture) (screen.Decision, *vision.Mask, error) {
	return s.rules.Tile(p.Image, nil, ""), nil, nil
}

func (s spectralScreener) name() (name, version string) { return Spectral, "" }

func (s spectralScreener) bands() []string { return nil }

// networkScreener screens by a small segmentation network.
type networkScreener struct {
	rules screen.Config
	net   guardedNetwork
}

// windowsAtOnce are handed to the network together.
const windowsAtOnce = 4

func (s networkScreener) screen(ctx context.Context, p capture.Picture) (screen.Decision, *vision.Mask, error) {
	part := windows.Part{Grid: p.Scene.Grid, Tile: *p.Tile}
	mask, err := part.Segment(ctx, p.Image, nil, windowsAtOnce, s.net.Run)
	if err != nil {
		return screen.Decision{}, nil, err
	}
	name, _ := s.name()
	return s.rules.Tile(p.Image, &mask, name), &mask, nil
}

func (s networkScreener) name() (name, version string) { return s.net.model.Name, s.net.model.Version }

func (s networkScreener) bands() []string { return s.net.model.Input.Bands }

// chooseScreener gives the screener of a scene with these bands.
type chooseScreener func(bands []string) screener

// always is a choice of one.
func always(s screener) chooseScreener { return func([]string) screener { return s } }

// fitting is the first screener that finds all its bands among these; where none does the last one, which
// then says what it lacks.
func fitting(screeners []screener, bands []string) screener {
	for _, s := range screeners {
		if !slices.ContainsFunc(s.bands(), func(b string) bool { return !slices.Contains(bands, b) }) {
			return s
		}
	}
	return screeners[len(screeners)-1]
}

// sceneScreeners are the networks that are configured for a source, or the default ones that are there;
// and the spectral test where that is named, and behind the default ones.
func (a *Agent) sceneScreeners(ctx context.Context, s SceneSource) (chooseScreener, error) {
	rules := a.config.Screen
	names, byDefault := s.screens(), false
	if byDefault = len(names) == 0; byDefault {
		names = append(DefaultScreens(), Spectral)
	}
	var screeners []screener
	for _, name := range names {
		if name == Spectral {
			screeners = append(screeners, spectralScreener{rules})
			continue
		}
		if _, _, err := a.networks.find(name); err != nil && byDefault {
			continue
		}
		net, err := a.networks.get(ctx, name)
		if err != nil && byDefault && ctx.Err() == nil {
			a.log.Warn("scenes are screened without one of the default networks, which can't be loaded", telemetry.Model, name, telemetry.Err, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		screeners = append(screeners, networkScreener{rules, guardedNetwork{net, a.attempts, s.Name, false, a.trace}})
	}
	return func(bands []string) screener { return fitting(screeners, bands) }, nil
}
