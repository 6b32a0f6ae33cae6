package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/console"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
)

// The simulated scene of the demo: large enough to show windows at work, small enough for two cores.
const (
	demoSide   = 2048
	demoClouds = 0.3
	demoSeed   = 7
)

// peopleEvery is of how many frames one is looked at by the built-in people detector, which takes a
// tenth of a second for each.
const peopleEvery = 10

func demoCommand() *urfave.Command {
	return &urfave.Command{
		Name: "demo", Usage: "run the samples that set-up brought through the whole pipeline, and print the results",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "out", Value: "demo-out", Usage: "`DIR` for what it makes"},
			&urfave.StringSliceFlag{Name: "models", Usage: "a model repository, or a folder of .onnx files, for the video's detector; `DIR`"},
			&urfave.BoolFlag{Name: "keep", Usage: "serve the console, and stay until Ctrl-C"},
			&urfave.StringFlag{Name: "listen", Value: console.DefaultConfig().Listen, Usage: "`HOST:PORT` of the console on this machine, with --keep"},
		},
		Action: func(c *urfave.Context) error {
			log, err := cli.Logger(c, "warn")
			if err != nil {
				return err
			}
			return demo(c, log)
		},
	}
}

func demo(c *urfave.Context, log *slog.Logger) (err error) {
	ctx, out, say := c.Context, c.String("out"), c.App.Writer
	samples := filepath.Join(cli.Home(), "samples")
	inputs := map[string]string{"sentinel2": "sentinel2.tif", "landsat8": "landsat8.tif", "video": "vtest.avi"}
	for name, file := range inputs {
		inputs[name] = filepath.Join(samples, file)
		if _, err := os.Stat(inputs[name]); err != nil {
			return fmt.Errorf("the sample %s is not here: run make setup", inputs[name])
		}
	}
	if err := removeMade(out); err != nil {
		return cli.Usagef("what an earlier demo made can't be removed: %w; choose another --out", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return cli.Usagef("the demo's folder can't be made: %w; choose another --out", err)
	}
	before, err := filesIn(out)
	if err != nil {
		return cli.Usagef("the demo's folder can't be read: %w; choose another --out", err)
	}
	defer func() { err = errors.Join(err, noteMade(out, before)) }()
	work, err := os.MkdirTemp(out, ".inputs-")
	if err != nil {
		return cli.Usagef("the demo's folder can't be written: %w; choose another --out", err)
	}
	defer os.RemoveAll(work)

	visible.Fprintf(say, "making a simulated scene of %d x %d x 6 with known clouds and shadows over the Sentinel-2 sample\n", demoSide, demoSide)
	simulated := filepath.Join(work, "simulated")
	if err := simulate.Scene(ctx, simulate.SceneOptions{Out: simulated, Width: demoSide, Height: demoSide, Base: inputs["sentinel2"], Clouds: demoClouds, Seed: demoSeed}); err != nil {
		return err
	}
	scene := filepath.Join(work, "simulated.tif")
	if err := os.Rename(filepath.Join(simulated, "scene.tif"), scene); err != nil {
		return err
	}
	visible.Fprintf(say, "making simulated radar echoes of a coast with %d ships, %d lines of %d samples\n", demoShips, demoLines, demoSamples)
	echoes, err := makeEchoes(ctx, filepath.Join(work, "echoes"))
	if err != nil {
		return err
	}
	j := job{out: out, scenes: []string{inputs["sentinel2"], inputs["landsat8"], scene}, echoes: []string{echoes}, videos: []string{inputs["video"]}, models: c.StringSlice("models"), cut: sceneDefaults().SceneOptions, say: say, log: log}
	if err := j.thinForPeople(ctx, work); err != nil {
		return err
	}
	truth := filepath.Join(simulated, "truth.tif")
	sent, err := sendInModes(ctx, j, scene, truth)
	if err != nil {
		return err
	}
	tell := func(s summary) error {
		figures, err := compare(filepath.Join(out, "simulated", "mask.tif"), truth)
		if err != nil {
			return err
		}
		ships, err := radarShips(out, filepath.Join(work, "echoes", "truth.json"))
		if err != nil {
			return err
		}
		report(c, s, figures, ships, out)
		return sent.tell(s)
	}
	if c.Bool("keep") {
		j.console = c.String("listen")
		if !(console.Config{Listen: j.console}).Loopback() {
			return cli.Usagef("the demo's console has no login: --listen must be an address of this machine alone, not %s", j.console)
		}
		j.linger = func(ctx context.Context, s summary) error {
			if err := tell(s); err != nil {
				return err
			}
			fmt.Fprintln(say, "console  stays until Ctrl-C")
			<-ctx.Done()
			return nil
		}
	}
	s, err := j.run(ctx)
	if err != nil || j.linger != nil {
		return err
	}
	return tell(s)
}

// thinForPeople gives the built-in people detector, where no detector model is installed, one frame
// in ten of the video, so that the demo stays short. It says so.
func (j *job) thinForPeople(ctx context.Context, work string) error {
	models, err := model.Open(model.Folders(j.models, cli.Home())...)
	if err != nil {
		return err
	}
	name := j.firstDetector(models)
	if name != builtinDetector {
		return nil
	}
	visible.Fprintf(j.say, "no detector model is installed: OpenCV's people detector runs on one frame in %d of the video\n", peopleEvery)
	thin := filepath.Join(work, "vtest.avi")
	cut := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-nostdin", "-i", j.videos[0], "-vf", fmt.Sprintf("select=not(mod(n\\,%d)),setpts=N/FRAME_RATE/TB", peopleEvery),
		"-c:v", "mjpeg", "-q:v", "3", "-y", thin)
	if text, err := cut.CombinedOutput(); err != nil {
		return fmt.Errorf("cut the video: %w: %s", err, text)
	}
	j.videos[0] = thin
	return nil
}

// cloudiness says how cloudy a scene is, and how much of it nobody judged.
func cloudiness(l sceneLine) string {
	if l.CloudFraction == nil {
		return "not judged"
	}
	text := percent(*l.CloudFraction) + " cloud"
	if l.NotJudged != nil && *l.NotJudged > 0 {
		text += ", not judged " + percent(*l.NotJudged)
	}
	return text
}

// report says in a few lines what came of the demo, and where to look.
func report(c *urfave.Context, s summary, a agreement, ships map[string]shipsFound, out string) {
	say := func(format string, args ...any) { visible.Fprintf(c.App.Writer, format+"\n", args...) }
	say("")
	for _, e := range s.Engines {
		say("model    %-22s %s on %s, %.1f ms an image, golden case: %s", e.Model, e.Engine, e.Device, e.Ms, e.Golden)
	}
	for _, l := range s.Scenes {
		d := l.Tiles.Dropped
		say("scene    %-12s %d x %d: screened by %s, %d of %d tiles sent, %d more as the device's mask, left out: %d no data, %d cloud; %.1f of %.1f MB over the link; %s", l.ID, l.Width, l.Height,
			l.Screening, l.Tiles.Sent-l.Tiles.Masks, l.Tiles.Total, l.Tiles.Masks, d.NoData, d.Cloud, float64(l.Bytes.Uplinked)/1e6, float64(l.Bytes.Scene)/1e6, cloudiness(l))
	}
	say("truth    simulated    %.1f %% of pixels right, IoU of cloud %.1f %%, of shadow %.1f %% (clouds made up by this program)", share(a.right, a.pixels), share(a.cloudBoth, a.cloudAny), share(a.shadowBoth, a.shadowAny))
	reportRadar(c.App.Writer, s.Radar, ships)
	for _, l := range s.Cameras {
		say("camera   %-12s %d frames, %d detections, %.1f frames/s", l.Name, l.Frames, l.Detections, l.FramesPerSecond)
	}
	d := s.Delivery
	say("delivery %d items committed on the edge, %d received, %d in Kafka, %d in the ledger: lost %d, duplicates %d", d.Committed, d.Received, d.KafkaRecords, d.Ledger, d.Lost, d.Duplicates)
	say("look at  %s/simulated/quicklook.png, %s/vtest/annotated/, %s/landsat8/mask.tif, %s/%s/quicklook.png, %s/summary.json", out, out, out, out, demoCoast, out)
}
