package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cmd/internal/appliance"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

func processCommand() *urfave.Command {
	return &urfave.Command{
		Name: "process", Usage: "run scenes, radar echoes, videos and images through the whole pipeline, and wait for the products",
		Flags: append([]urfave.Flag{
			&urfave.StringFlag{Name: "out", Required: true, Usage: "`DIR` for the products and summary.json"},
			&urfave.StringSliceFlag{Name: "scene", Usage: "`FILE|DIR|GLOB` of rasters; may be given again"},
			&urfave.StringSliceFlag{Name: "stac", Usage: "`ITEM.json` of a scene, a STAC item whose files lie beside it; may be given again"},
			&urfave.StringSliceFlag{Name: "echoes", Usage: "`FILE.yaml|DIR|GLOB` that describe raw echoes of a radar, which lie beside them, or CPHD files; may be given again"},
			&urfave.StringFlag{Name: "doppler-centroid", Usage: "of the echoes, in `HZ` with its ambiguity, such as -6900; default: that of the file, else of the echoes themselves"},
			&urfave.StringFlag{Name: "land", Usage: "GeoJSON `FILE` of land: what lies within is no ship of a radar's image; needs an orbit"},
			&urfave.StringFlag{Name: "weighting", Value: "none", Usage: "window on the spectra of radar images: none, hamming or kaiser; lower side lobes for wider peaks"},
			&urfave.StringSliceFlag{Name: "video", Usage: "`FILE|rtsp://…`; may be given again"},
			&urfave.DurationFlag{Name: "length", Usage: "of each live camera, from its first picture, such as 10m; default: until it is interrupted"},
			&urfave.StringSliceFlag{Name: "images", Usage: "`DIR|GLOB` of " + pictures.Kinds + ", recognised by content; may be given again"},
			&urfave.BoolFlag{Name: "folders", Usage: "take in the folders in those of --images too"},
			&urfave.StringFlag{Name: "detector", Usage: "a model's name, or an .onnx `FILE` that says enough of itself; default: the first that detects, else OpenCV's people detector"},
			classNamesFlag("--detector"),
			&urfave.StringSliceFlag{Name: "models", Usage: "a model repository, or a folder of .onnx files; `DIR`"},
			&urfave.StringFlag{Name: "cloud-model", Usage: "a small network that screens the tiles of scenes, `NAME`, or several, NAME,NAME: the first whose bands a scene has; spectral: the spectral test; default: the project's own by the bands there are, as far as they are there, else the spectral test"},
			&urfave.IntFlag{Name: "overlap", Value: sceneDefaults().Overlap, Usage: "pixels that a scene's neighbouring windows share; 52 cuts as ukis-csmask does"},
			&urfave.IntFlag{Name: "tile-size", Value: sceneDefaults().WithDefaults().TileSize, Usage: "the most pixels a side of a scene's tile, as it goes over the link: a group of windows"},
			&urfave.IntFlag{Name: "window", Value: sceneDefaults().WithDefaults().Window, Usage: "pixels a side of what a network sees of a scene at once"},
			&urfave.BoolFlag{Name: "refine", Usage: "what --precision leaves away follows, once everything else has gone (default: false)"},
			&urfave.Float64Flag{Name: "precision", Usage: "by how much a scene's pixel may be off that is sent, in reflectance, such as 0.0005; 0: not at all"},
			&urfave.BoolFlag{Name: "keep-everything", Usage: "screen, but drop nothing"},
			&urfave.Float64Flag{Name: "unsure", Usage: "a tile goes as the mask of the network that screens it where less than this `SHARE` of its pixels is unsure, such as 0.05: a thousandth of the bytes; default: all go as pixels"},
		}, sceneFlags()...),
		Action: func(c *urfave.Context) error {
			log, err := cli.Logger(c, "warn") // progress goes to stdout
			if err != nil {
				return err
			}
			if c.Args().Present() {
				return cli.Usagef("%q is no option: scenes, echoes, videos and images are given with --scene, --echoes, --video and --images", c.Args().First())
			}
			if c.Duration("length") < 0 {
				return cli.Usagef("--length %s is negative: give a time such as 10m, or leave it out", c.Duration("length"))
			}
			if u := c.Float64("unsure"); !(u >= 0 && u <= 1) {
				return cli.Usagef("--unsure %v is no share: give a number from 0 to 1, or leave it out", u)
			}
			given, err := sceneOptions(c)
			if err != nil {
				return err
			}
			radar, err := radarOptions(c)
			if err != nil {
				return err
			}
			j := job{given: given, radar: radar, land: c.String("land"), echoes: c.StringSlice("echoes"), out: c.String("out"), scenes: append(c.StringSlice("scene"), c.StringSlice("stac")...), videos: c.StringSlice("video"), images: c.StringSlice("images"),
				length: c.Duration("length"), folders: c.Bool("folders"), cut: capture.SceneOptions{Overlap: c.Int("overlap"), TileSize: c.Int("tile-size"), Window: c.Int("window"), Precision: c.Float64("precision"), Refine: c.Bool("refine")}, cloudModel: c.String("cloud-model"), detector: c.String("detector"), labels: c.String("labels"),
				models: c.StringSlice("models"), keepEverything: c.Bool("keep-everything"), unsure: c.Float64("unsure"), say: c.App.Writer, log: log}
			_, err = j.run(c.Context)
			return err
		},
	}
}

// job is one run over given inputs.
type job struct {
	out                            string
	scenes, echoes, videos, images []string
	length                         time.Duration         // of live cameras; 0: until interrupted
	given                          raster.Options        // what a person says of the scenes
	radar                          capture.EchoesOptions // and of echoes
	land                           string                // their land mask; empty: none
	cut                            capture.SceneOptions  // how scenes are cut and sent; zero fields stand for defaults
	cloudModel                     string                // screens them; empty: as the edge does by default
	detector                       string
	labels                         string // a file that names its classes
	models                         []string
	folders                        bool // in those of images, too
	keepEverything                 bool
	unsure                         float64 // tiles of which less is unsure go as masks; 0: none
	say                            io.Writer
	log                            *slog.Logger

	console string // host:port to serve the console on; empty: none
	// linger is called when everything is done and the appliance still runs; it may be nil.
	linger func(ctx context.Context, s summary) error
}

// run takes all inputs through the whole pipeline. The error says with its exit code whether all of it arrived.
func (j job) run(ctx context.Context) (summary, error) {
	start := time.Now()
	edgeConfig, err := j.edge()
	if err != nil {
		return summary{}, err
	}
	models, err := model.Open(model.Folders(j.models, cli.Home())...)
	if err != nil {
		return summary{}, err
	}
	models, _, release, err := given{j.detector, "--detector", j.labels, j.say}.among(ctx, models)
	defer release()
	if err != nil {
		return summary{}, err
	}
	if err := j.chooseDetector(&edgeConfig, models); err != nil {
		return summary{}, err
	}
	for _, name := range edgeConfig.ModelNames() {
		if _, err := models.Find(name); err != nil && !model.Carried(name) {
			return summary{}, cli.Usage(err)
		}
	}
	if err := durable.MkdirAll(j.out, 0o755); err != nil {
		return summary{}, cli.Usagef("the output folder can't be made: %w; choose another --out", err)
	}
	work, err := os.MkdirTemp(j.out, ".work-")
	if err != nil {
		return summary{}, cli.Usagef("the output folder can't be written to: %w; choose another --out", err)
	}
	defer os.RemoveAll(work)
	j.limitMemory()
	defer forgetAttempts(filepath.Join(j.out, attemptsFolder))

	watch := newWatch(edgeConfig, j.say)
	ctx, end, leave := j.interrupted(ctx, watch)
	defer leave()
	o := appliance.Options{Edge: edgeConfig, Cloud: j.cloud(models), Work: work, Models: models, Version: version, Log: j.log, Finished: watch.sourceEnded, End: end}
	if j.console != "" {
		metrics := telemetry.NewRegistry()
		o.Metrics, o.Gatherer = metrics, metrics
		o.ConsoleReady = func(url string) { visible.Fprintf(j.say, "console  %s\n", url) }
	}
	a, err := appliance.Start(ctx, o)
	if err != nil {
		return j.refused(ctx, watch, err)
	}
	watch.tellLive(edgeConfig)
	complete, err := watch.wait(ctx, a)
	if ctx.Err() != nil {
		a.Stop()
		return summary{}, errors.New("interrupted: the products that are there are whole, others are missing")
	}
	counts, countErr := countDelivery(ctx, a)
	reports := a.Reports()
	s := watch.summary(reports, counts, time.Since(start))
	if err = errors.Join(err, countErr); err == nil && j.linger != nil {
		err = j.linger(ctx, s)
	}
	if err = errors.Join(err, a.Stop()); err != nil {
		return s, err
	}
	if err := errors.Join(durable.WriteJSON(filepath.Join(j.out, "summary.json"), s), writeCatalog(j.out)); err != nil {
		return s, err
	}
	return s, outcome(s, complete)
}

// refused writes a summary of a job that could not begin, such as one whose model does not fit.
func (j job) refused(ctx context.Context, w *watch, why error) (summary, error) {
	if ctx.Err() != nil {
		return summary{}, why
	}
	for _, name := range w.names {
		w.ended[name] = sourceEnd{err: why}
	}
	s := w.summary(nil, deliveryCounts{}, time.Since(w.start))
	return s, errors.Join(why, durable.WriteJSON(filepath.Join(j.out, "summary.json"), s))
}

// attemptsFolder inside --out remembers inputs that killed the process: run again, it leaves them out.
const attemptsFolder = ".attempts"

// forgetAttempts removes the folder where nothing is in it.
func forgetAttempts(folder string) {
	for _, part := range []string{"suspects", "quarantine", "notes", ""} {
		os.Remove(filepath.Join(folder, part))
	}
}

// outcome turns a summary into the exit code.
func outcome(s summary, complete bool) error {
	switch {
	case s.Delivery.Lost > 0:
		return fmt.Errorf("%d items were lost: this must not happen; please keep the logs", s.Delivery.Lost)
	case len(s.Failed) > 0 && len(s.Scenes)+len(s.Radar)+len(s.Cameras) == 0:
		return fmt.Errorf("none of the inputs could be used")
	case len(s.Failed) > 0:
		return cli.Incompletef("%s could not be used, or not wholly; see failed in summary.json", counted(len(s.Failed), "input"))
	case s.Delivery.Quarantined > 0:
		return cli.Incompletef("%d inputs are quarantined: edge ones in %s, with the reason; the others are in the DLQ", s.Delivery.Quarantined, attemptsFolder)
	case !complete:
		return cli.Incompletef("some products are incomplete; see summary.json")
	}
	return nil
}

// edge is the device's configuration for the job.
func sceneDefaults() (s edge.SceneSource) {
	s.SetDefaults()
	return s
}

// largestFile bounds a file of --images: volumes and series are larger than photographs.
const largestFile = 512 << 20

func (j job) edge() (edge.Config, error) {
	c := edge.DefaultConfig()
	c.Edge = "process"
	c.Attempts.Folder = filepath.Join(j.out, attemptsFolder)
	c.Screen.KeepEverything, c.Screen.Scenes.Unsure = j.keepEverything, j.unsure
	scenes, err := each(j.scenes, func(a string) ([]string, error) { return expandScenes(a, nil) })
	if err != nil {
		return c, err
	}
	echoes, err := j.expandAll(j.echoes, echoesEndings)
	if err != nil {
		return c, err
	}
	if len(scenes)+len(echoes)+len(j.videos)+len(j.images) == 0 {
		return c, cli.Usagef("nothing to process: give --scene, --stac, --echoes, --video or --images")
	}
	var names capture.SceneIDs // of videos and image sets as well: no two products share a folder
	for _, path := range scenes {
		s := sceneDefaults()
		s.Name, s.Path = names.ID(path), path
		s.Options, s.CloudModel = j.given, j.cloudModel
		s.Overlap, s.TileSize, s.Window, s.Precision, s.Refine = j.cut.Overlap, j.cut.TileSize, j.cut.Window, j.cut.Precision, j.cut.Refine
		s.SceneOptions.Problems(func(field, message, hint string) {
			err = errors.Join(err, cli.Usagef("--%s: %s; %s", strings.ReplaceAll(field, "_", "-"), message, hint))
		})
		c.Scenes = append(c.Scenes, s)
	}
	for _, path := range echoes {
		c.Echoes = append(c.Echoes, j.echoesSource(names.ID(path), path))
	}
	for _, address := range unique(j.videos) {
		c.Cameras = append(c.Cameras, edge.Camera{Detector: j.detector,
			CameraConfig: capture.CameraConfig{Name: names.ID(address), Address: address, Length: j.length, Restart: capture.Restart{GiveUp: liveGiveUp}}})
	}
	for _, path := range unique(j.images) {
		c.Images = append(c.Images, edge.ImageSet{Detector: j.detector, ImagesConfig: capture.ImagesConfig{Name: names.ID(setFolder(path)), Path: path, Folders: j.folders, MaxBytes: largestFile}})
	}
	return c, err
}

// liveGiveUp is how long a live camera that can't be reached is tried before it counts as failed.
const liveGiveUp = 20 * time.Second

func (j job) expandAll(arguments, endings []string) (files []string, err error) {
	return each(arguments, func(a string) ([]string, error) { return expand(a, endings, nil) })
}

func each(arguments []string, expand func(string) ([]string, error)) (files []string, err error) {
	for _, a := range arguments {
		f, err := expand(a)
		if err != nil {
			return nil, cli.Usage(err)
		}
		files = append(files, f...)
	}
	return unique(files), nil
}

// unique leaves out what is given a second time.
func unique(inputs []string) (once []string) {
	for _, in := range inputs {
		if !slices.Contains(once, in) {
			once = append(once, in)
		}
	}
	return once
}

// setFolder is the folder of an image set, which names it.
func setFolder(path string) string {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		path = filepath.Dir(path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// cloud is the cloud's configuration for the job: the heavy models that are there, and the rule for
// scenes that have nothing but colour.
func (j job) cloud(models *model.Repository) cloud.Config {
	c := cloud.DefaultConfig()
	c.Products = j.out
	if j.console != "" {
		c.Console.Listen = j.console
	}
	c.Mosaic.Settle, c.Mosaic.OneEdge, c.Mosaic.Catalog = 200*time.Millisecond, true, true
	c.Worker.Models, c.Worker.Preload, c.Worker.Land = present(c.Worker.Models, models), len(j.scenes) > 0, j.land
	return c
}

// firstDetector is the detector that was asked for, else the first that is there.
func (j job) firstDetector(models *model.Repository) string {
	if j.detector != "" {
		return j.detector
	}
	for _, m := range models.List() {
		if m.Task == model.Detect && m.Builtin == "" {
			return m.Name
		}
	}
	return builtinDetector
}

// builtinDetector finds people without a model file.
const builtinDetector = "opencv_hog_people"

func (j job) chooseDetector(c *edge.Config, models *model.Repository) error {
	if len(c.Cameras)+len(c.Images) == 0 {
		return nil
	}
	name := j.firstDetector(models)
	if isModelFile(name) {
		name = model.NameOf(name)
	}
	if _, err := models.Find(name); err != nil {
		if problems := models.Problems(); len(problems) > 0 { // a faulty file may be why it is not there
			return errors.Join(append([]error{err}, problems...)...)
		}
		return cli.Usage(err)
	}
	for i := range c.Cameras {
		c.Cameras[i].Detector = name
	}
	for i := range c.Images {
		c.Images[i].Detector = name
	}
	return nil
}

func splitBands(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.ReplaceAll(text, " ", ""), ",")
}
