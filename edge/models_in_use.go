package edge

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/modelupdate"
	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

// networks are the loaded models of a device, each shared by all who name it.
type networks struct {
	config  Models
	models  *model.Repository
	carried string // folder for the models that the program carries, where the repository lacks them
	log     *slog.Logger
	store   *modelupdate.Store // of versions that came from the cloud; nil: there are none
	spare   int                // frames more than a network looks at, so that it never waits

	loading sync.Mutex       // one is loaded at a time
	refused map[string]error // default networks that can't be loaded; under loading
	mu      sync.Mutex
	open    map[string]*loadedModel
}

type loadedModel struct {
	*infer.Network
	model  model.Model
	report infer.Report
	share  *fairShare // of the streams that share it

	runs, failed atomic.Int64 // of pictures, since it was loaded
}

// get loads a model where it is not loaded yet: the version that came from the cloud, or that which
// the device came with. One from the cloud that can't be loaded is taken back.
func (n *networks) get(ctx context.Context, name string) (*loadedModel, error) {
	n.loading.Lock()
	defer n.loading.Unlock()
	return n.load(ctx, name)
}

func (n *networks) load(ctx context.Context, name string) (*loadedModel, error) {
	n.mu.Lock()
	l := n.open[name]
	n.mu.Unlock()
	if l != nil {
		return l, nil
	}
	m, delivered, err := n.find(name)
	if err != nil {
		return nil, err
	}
	net, report, err := infer.Open(ctx, m, n.config.Engine, n.config.Layout, n.log)
	if err != nil && delivered && ctx.Err() == nil {
		if err := n.store.Refuse(name, m.Version, err.Error()); err != nil {
			return nil, err
		}
		return n.load(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	layout := net.Layout()
	l = &loadedModel{Network: net, model: m, report: report, share: newFairShare(layout.Sessions*max(layout.MaxBatch, 1) + n.spare)}
	n.mu.Lock()
	n.open[name] = l
	n.mu.Unlock()
	return l, nil
}

// fitting loads a model if it takes these bands, which its manifest says. A model that can't be loaded is tried once,
// and why is given each time; first says that it is for the first time.
func (n *networks) fitting(ctx context.Context, name string, bands []string) (l *loadedModel, fits, first bool, err error) {
	n.loading.Lock()
	defer n.loading.Unlock()
	if err := n.refused[name]; err != nil {
		return nil, true, false, err
	}
	m, _, err := n.find(name)
	if err == nil {
		if lacksAny(bands, m.Input.Bands) {
			return nil, false, false, nil
		}
		l, err = n.load(ctx, name)
	}
	if err != nil && ctx.Err() == nil {
		if n.refused == nil {
			n.refused = map[string]error{}
		}
		n.refused[name] = err
	}
	return l, true, true, err
}

// loaded are the models that are loaded now.
func (n *networks) loaded() []*loadedModel {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Values(n.open))
}

func (n *networks) find(name string) (m model.Model, delivered bool, err error) {
	if n.store != nil {
		if m, ok := n.store.Model(name); ok {
			return m, true, nil
		}
	}
	if n.models == nil {
		return m, false, errors.New("no model repository is configured")
	}
	m, err = n.models.Find(name)
	if errors.Is(err, model.ErrUnknown) && model.Carried(name) {
		m, err = (model.Puller{}).Pull(context.Background(), n.carried, name) // from the program itself
	}
	return m, false, err
}

func (n *networks) close() {
	for _, l := range n.loaded() {
		l.Close()
	}
}

// Reports say which engine runs each loaded model, and what became of the others.
func (a *Agent) Reports() []infer.Report {
	var reports []infer.Report
	for _, l := range a.networks.loaded() {
		r := l.report
		r.Candidates, r.ThrownAway = l.Candidates()
		reports = append(reports, r)
	}
	return reports
}

// acceptModels lets the cloud change the models that the configuration names without a version.
func (a *Agent) acceptModels() error {
	names := slices.DeleteFunc(a.config.ModelNames(), func(name string) bool { return strings.Contains(name, "@") })
	if a.parts.ModelStore == nil || a.config.Models.Fetch.Off || len(names) == 0 {
		return nil
	}
	open, err := a.linkOpen()
	if err != nil {
		return err
	}
	a.updates = modelupdate.New(a.config.Models.Fetch, modelupdate.Parts{
		Store: a.parts.ModelStore, Names: names, Announce: func(ctx context.Context) { a.link.Announce(ctx) }, Up: a.link.Up, Try: a.tryModel, Counts: a.networks.counts, Open: open, Log: a.log,
	})
	a.link.Down(event.DownModels, a.updates.Receive)
	a.link.SetModels(a.updates.Models)
	return nil
}

// linkOpen says of a time whether the link may be used then.
func (a *Agent) linkOpen() (func(now time.Time) bool, error) {
	plan, err := contact.New(a.config.Uplink.Contacts)
	if err != nil {
		return nil, err
	}
	calendar, mu := contact.NewCalendar(plan), sync.Mutex{}
	return func(now time.Time) bool {
		mu.Lock()
		defer mu.Unlock()
		_, open := calendar.At(now)
		return open
	}, nil
}

// tryModel loads a model beside those that run, and lets it answer its golden case: first in a process of
// its own, which it may take down.
func (a *Agent) tryModel(ctx context.Context, m model.Model) error {
	c := a.config.Models
	l := c.Layout
	l.Sessions, l.Trials, l.Remember = 1, l.Remember, "" // its speed beside what runs says nothing
	net, _, err := infer.Open(ctx, m, c.Engine, l, a.log)
	if err != nil {
		return err
	}
	return net.Close()
}

// counts are the pictures that a model has seen, and those on which it failed.
func (n *networks) counts(name string) (runs, failed int64) {
	if l := n.open[name]; l != nil {
		return l.runs.Load(), l.failed.Load()
	}
	return 0, 0
}

// OpenAttempts opens the notes on inputs that kill the process.
func (c Config) OpenAttempts(log *slog.Logger) (*crashguard.Guard, error) {
	dir := c.Attempts.Folder
	if dir == "" {
		dir = filepath.Join(c.Data, "attempts")
	}
	return crashguard.Open(dir, c.Attempts.Config, log)
}

func (a *Agent) openAttempts() (err error) {
	if a.attempts = a.parts.Attempts; a.attempts == nil {
		if a.attempts, err = a.config.OpenAttempts(a.log); err != nil {
			return err
		}
	}
	var seen time.Time
	a.liveness.Check("native code", func() bool {
		oldest := a.attempts.Oldest()
		hangs := !oldest.IsZero() && oldest.Before(seen) // in there since before the last look
		seen = time.Now()
		return hangs
	})
	return nil
}

// guard notes pictures before they are decoded; live ones will not come again.
func (a *Agent) guard(live bool) capture.Guard {
	return func(ctx context.Context, stream, name string, data []byte) (func(), error) {
		return a.attempts.Begin(ctx, crashguard.Input{Source: stream, Name: name, Data: data, Live: live})
	}
}

// sceneGuard notes a scene and its tiles before they are read.
func (a *Agent) sceneGuard(path string) capture.Guard {
	key := fileKey(path)
	return func(ctx context.Context, stream, name string, _ []byte) (func(), error) {
		return a.attempts.Begin(ctx, crashguard.Input{Source: stream, Name: name, Key: "scene:" + key + "/" + name, Path: path})
	}
}

// guardedNetwork is a network whose images are noted before it looks at them.
type guardedNetwork struct {
	*loadedModel
	attempts *crashguard.Guard
	source   string
	live     bool
	trace    *trace.Tracer
}

var _ detect.Network = guardedNetwork{}

// Run looks at images. One that is quarantined is an error that is crashguard.ErrQuarantined.
func (g guardedNetwork) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	done, err := g.attempts.Begin(ctx, g.input(in))
	if err != nil {
		return nil, err
	}
	defer done()
	began := time.Now()
	out, err := g.loadedModel.Run(ctx, in)
	g.loadedModel.runs.Add(1)
	if err != nil && ctx.Err() == nil {
		g.loadedModel.failed.Add(1)
	}
	g.traceRun(ctx, began, len(in), err)
	return out, err
}

// input is known by its pixels: a frame of a file that is read again has the same.
func (g guardedNetwork) input(in []vision.Image) crashguard.Input {
	i := crashguard.Input{Source: g.source, Name: "image for " + g.model.Name, Live: g.live}
	if len(in) == 1 && len(in[0].Planes) == 0 {
		i.Data, i.What = in[0].Pix, fmt.Sprintf("%dx%d pixels, blue, green, red", in[0].W, in[0].H)
		return i
	}
	digest := xxhash.New()
	block := make([]byte, 0, 4096)
	for _, im := range in {
		digest.Write(im.Pix)
		for _, plane := range im.Planes {
			for part := range slices.Chunk(plane, cap(block)/4) {
				block = block[:0]
				for _, v := range part {
					block = binary.LittleEndian.AppendUint32(block, math.Float32bits(v))
				}
				digest.Write(block)
			}
		}
	}
	i.Key = "planes:" + strconv.FormatUint(digest.Sum64(), 16)
	return i
}

// traceRun traces a network's run.
func (g guardedNetwork) traceRun(ctx context.Context, from time.Time, images int, err error) {
	if !g.trace.On() {
		return
	}
	attrs := []trace.Attr{{Key: "canvas.model", Text: g.model.Name}, {Key: "canvas.images", Number: int64(images)}}
	if err != nil {
		attrs = append(attrs, trace.Attr{Key: trace.Failure, Text: err.Error()})
	}
	if parent := trace.Parent(ctx); parent != "" {
		g.trace.Span(parent, trace.Infer, from, time.Now(), attrs...)
	}
}
