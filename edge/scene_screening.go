package edge

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	v := s.rules.Tile(p.Image, nil, "")
	if !v.Masked {
		return v, nil, nil
	}
	_, class := s.rules.SpectralMask(p.Image)
	return v, &vision.Mask{W: p.Image.W, H: p.Image.H, Class: class}, nil
}

func (s spectralScreener) name() (name, version string) { return Spectral, "" }

func (s spectralScreener) bands() []string { return nil }

// fallbackScreener is the spectral test where a network should screen, and why none does.
type fallbackScreener struct {
	spectralScreener
	why string
}

// insteadOfNetwork says why a scene is screened by the test and not by a network, where one should.
func insteadOfNetwork(s screener) string {
	if test, ok := s.(fallbackScreener); ok {
		return "by the spectral test: " + test.why
	}
	return ""
}

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
	v := s.rules.Tile(p.Image, &mask, name)
	if s.coloursOnly() && !s.rules.Scenes.TrustVisible {
		v = v.Ranked()
	}
	if v.Reason == screen.Cloud {
		mask = s.rules.Overcast(mask)
	}
	return v, &mask, nil
}

// coloursOnly: without an infrared band snow, ice and bright roofs look like cloud to a network too
// (docs/benchmarks.md), so its masks order the tiles and keep none back.
func (s networkScreener) coloursOnly() bool {
	return !slices.ContainsFunc(s.bands(), func(b string) bool { return !slices.Contains(colours, b) })
}

// colours are the bands that a photograph has.
var colours = []string{"coastal", "blue", "green", "yellow", "red"}

func (s networkScreener) name() (name, version string) { return s.net.model.Name, s.net.model.Version }

func (s networkScreener) bands() []string { return s.net.model.Input.Bands }

// chooseScreener gives the screener of a scene with these bands. The error is not nil only when ctx ended.
type chooseScreener func(ctx context.Context, bands []string) (screener, error)

// always is a choice of one.
func always(s screener) chooseScreener {
	return func(context.Context, []string) (screener, error) { return s, nil }
}

func lacksAny(have, need []string) bool {
	return slices.ContainsFunc(need, func(b string) bool { return !slices.Contains(have, b) })
}

// fitting is the first screener that finds all its bands among these; where none does the last one, which
// then says what it lacks.
func fitting(screeners []screener, bands []string) screener {
	for _, s := range screeners {
		if !lacksAny(bands, s.bands()) {
			return s
		}
	}
	return screeners[len(screeners)-1]
}

// sceneScreeners are the networks that are configured for a source, and the spectral test where that is named; where
// none is, the default ones. Those that are configured are loaded now, so that one that is not there is told at the start.
func (a *Agent) sceneScreeners(ctx context.Context, s SceneSource) (chooseScreener, error) {
	names := s.screens()
	if len(names) == 0 {
		return func(ctx context.Context, bands []string) (screener, error) {
			return a.defaultScreener(ctx, s.Name, bands)
		}, nil
	}
	var screeners []screener
	for _, name := range names {
		if name == Spectral {
			screeners = append(screeners, spectralScreener{a.config.Screen})
			continue
		}
		net, err := a.networks.get(ctx, name)
		if err != nil {
			return nil, err
		}
		screeners = append(screeners, a.screensWith(net, s.Name))
	}
	return func(_ context.Context, bands []string) (screener, error) { return fitting(screeners, bands), nil }, nil
}

// defaultScreener is the first default network that finds all its bands in a scene and can be loaded, which is done
// only now: most devices see scenes of one kind. Where there is none it is the spectral test, which knows why.
func (a *Agent) defaultScreener(ctx context.Context, source string, bands []string) (screener, error) {
	var instead []string
	for _, name := range DefaultScreens() {
		net, fits, first, err := a.networks.fitting(ctx, name, bands)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			if first {
				a.log.Warn("scenes are screened without one of the default networks, which can't be loaded", telemetry.Model, name, telemetry.Err, err)
			}
			instead = append(instead, fmt.Sprintf("%s can't be loaded: %v", name, err))
		case fits:
			return a.screensWith(net, source), nil
		}
	}
	test := spectralScreener{a.config.Screen}
	if len(instead) > 0 {
		return fallbackScreener{test, strings.Join(instead, "; ")}, nil
	}
	return test, nil
}

func (a *Agent) screensWith(net *loadedModel, source string) screener {
	return networkScreener{a.config.Screen, guardedNetwork{net, a.attempts, source, false, a.trace}}
}
