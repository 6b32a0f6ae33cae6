package edge

import (
	"context"
	"errors"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/telemetry"
)

// addEchoes adds one acquisition of a radar, or a folder that acquisitions come into.
func (a *Agent) addEchoes(s EchoesSource) {
	name := s.ID()
	probe := a.liveness.Probe(name)
	// begin is for the acquisition of one YAML file.
	begin := func(path, id string) *echoesPipeline {
		file := echoesKey(path)
		if err := a.scenes.put(indexedScene{Scene: id, Path: path, File: file, Echoes: &s.EchoesOptions}); err != nil {
			a.log.Warn("raw lines that are not sent of a scene will not be available to queries", telemetry.Scene, id, telemetry.Err, err)
		}
		return &echoesPipeline{source: s, buffer: a.buffer(), file: file, quality: a.config.LookQuality, guard: a.echoesGuard(path), probe: probe, trace: a.trace, log: a.log}
	}
	if s.Folder == "" {
		a.add(pipeline{name: name, finite: true, run: func(ctx context.Context) (int64, error) {
			p := begin(s.Path, name)
			err := capture.NewEchoesFile(s.Path, name, s.EchoesOptions).Guarded(a.echoesGuard(s.Path)).Run(ctx, p.take)
			return p.blocks, errors.Join(err, p.faults())
		}})
		return
	}
	var ids capture.SceneIDs
	folder := capture.NewEchoesFolder(s.watched(), func(path string) (capture.Source, error) {
		return capture.NewEchoesFile(path, ids.ID(path), s.EchoesOptions).Guarded(a.echoesGuard(path)), nil
	}, a.log)
	a.add(pipeline{name: name, run: func(ctx context.Context) (int64, error) {
		var p *echoesPipeline
		return 0, folder.Run(ctx, func(ctx context.Context, block capture.Picture) error {
			if p == nil || p.plan != block.Echoes.Plan {
				p = begin(block.Echoes.Path, block.Echoes.ID)
			}
			if err := p.take(ctx, block); err != nil {
				return err
			}
			if !block.Last {
				return nil
			}
			if err := p.faults(); err != nil {
				a.log.Error("an acquisition of the watched folder could not be used wholly", telemetry.Scene, block.Stream, telemetry.Err, err)
			}
			p = nil
			block.Committed()
			return nil
		})
	}})
}

// echoesGuard notes an acquisition before its Doppler centroid is estimated, and its blocks before they are focused.
func (a *Agent) echoesGuard(path string) capture.Guard {
	key := echoesKey(path)
	return func(ctx context.Context, stream, name string, _ []byte) (func(), error) {
		return a.attempts.Begin(ctx, crashguard.Input{Source: stream, Name: name, Key: "echoes:" + key + "/" + name, Path: path})
	}
}

// echoesKey tells this very acquisition, its YAML file and all that it names, from another of the same name.
func echoesKey(path string) string {
	print, err := capture.EchoesFingerprint(path)
	if err != nil {
		return path
	}
	return path + ":" + print
}
