package edge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// Why frames were left out, besides what screening says of them.
const (
	skippedBehind = "behind" // the network could not keep up, and a newer one took its place
	skippedPower  = "power"  // heat or the power mode allow fewer frames
)

// streamStates are what became of the frames of each stream, as status displays ask for it.
type streamStates struct {
	mu      sync.Mutex
	skipped map[string]map[string]int64 // frames by stream and reason
	lag     map[string]time.Duration    // between taking and looking, of the newest frame

	crossings map[string]func() []detect.Crossed // of lines, by camera
}

// stream is how one stream fares.
type stream struct {
	Name    string           `json:"name"`
	Skipped map[string]int64 `json:"left_out"` // frames by reason, before they could become items
	Lag     float64          `json:"lag"`      // seconds from the lens to the network, of live streams

	Crossings []detect.Crossed `json:"crossings,omitempty"` // of lines, since the agent began
}

// skip counts a frame that was left out, by its reason.
func (s *streamStates) skip(stream, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.skipped == nil {
		s.skipped = map[string]map[string]int64{}
	}
	if s.skipped[stream] == nil {
		s.skipped[stream] = map[string]int64{}
	}
	s.skipped[stream][reason]++
}

// setLag takes how old a live frame was when the network got it.
func (s *streamStates) setLag(stream string, lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lag == nil {
		s.lag = map[string]time.Duration{}
	}
	s.lag[stream] = lag
}

// addCrossings takes what counts how often a camera's lines were crossed.
func (s *streamStates) addCrossings(camera string, crossings func() []detect.Crossed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crossings == nil {
		s.crossings = map[string]func() []detect.Crossed{}
	}
	s.crossings[camera] = crossings
}

// streams are all streams of which something is known, by name. What a camera's decoder gave up for
// a busy pipeline counts with what was left behind later.
func (a *Agent) streams() []stream {
	byName := map[string]*stream{}
	of := func(name string) *stream {
		if byName[name] == nil {
			byName[name] = &stream{Name: name, Skipped: map[string]int64{}}
		}
		return byName[name]
	}
	for _, c := range a.cameraStates() {
		if c.Dropped > 0 {
			of(c.Name).Skipped[skippedBehind] += c.Dropped
		}
	}
	a.states.mu.Lock()
	defer a.states.mu.Unlock()
	for name, reasons := range a.states.skipped {
		for reason, n := range reasons {
			of(name).Skipped[reason] += n
		}
	}
	for name, lag := range a.states.lag {
		of(name).Lag = lag.Seconds()
	}
	for name, counted := range a.states.crossings {
		if crossed := counted(); len(crossed) > 0 {
			of(name).Crossings = crossed
		}
	}
	all := make([]stream, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all
}

// cameraStates are the videos and cameras as they stand now.
func (a *Agent) cameraStates() []capture.State {
	all := make([]capture.State, len(a.videos))
	for i, v := range a.videos {
		all[i] = v.State()
	}
	slices.SortFunc(all, func(x, y capture.State) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// statsNext is how many of the items that go next canvas/stats names.
const statsNext = 5

// stats is what canvas/stats says.
func (a *Agent) stats() any {
	messages := map[string]capture.DeviceCounts{}
	for name, count := range a.messages {
		messages[name] = count()
	}
	dropped, forgotten, wentBack := int64(0), int64(0), int64(0)
	if a.local != nil && a.local.drops != nil {
		dropped, forgotten, wentBack = a.local.drops.all.Load(), a.local.sessions.forgotten.Load(), a.local.numbers.times()
	}
	own, _ := certificate(a.config.Cloud.Security, a.config.Edge, time.Now())
	return map[string]any{"edge": a.config.Edge, "certificate": own, "version": a.parts.Version, "outbox": a.outbox.Stats(), "epochs": a.outbox.Epochs(), "troubles": a.troubles(), "uplink": a.uplink.Next(statsNext),
		"quarantined": a.Quarantined(), "shed": a.shedding.count.Load(), "cameras": a.cameraStates(), "streams": a.streams(), "messages": messages, "models": a.networkCounts(), "broker_dropped": dropped, "sessions_forgotten": forgotten, "broker_went_back": wentBack, "power": a.power.State(),
		"connections": a.connections(), "references": a.changes.counts(), "signatures": a.link.Signatures()}
}

// troubles are those of what comes down from the cloud and of the buffer.
func (a *Agent) troubles() []event.Trouble {
	all := a.outbox.Troubles()
	if refused := a.link.Refused(); refused != nil {
		all = append([]event.Trouble{*refused}, all...)
	}
	return all
}

// connection is how the agent and one broker fare.
type connection struct {
	Problem string `json:"problem"` // why it does not hold; empty: nothing is known against it
}

// connections are those to brokers: cloud, and on the device local, readings and frames.
func (a *Agent) connections() map[string]connection {
	all := map[string]connection{"cloud": {a.link.Problem()}}
	if a.local == nil {
		return all
	}
	for name, client := range map[string]*mqtt.Client{"local": a.local.client, "readings": a.local.readings, "frames": a.local.frames} {
		if client != nil {
			all[name] = connection{client.Problem()}
		}
	}
	return all
}

// register makes the buffer's counts, what became of frames, and the device's heat readable as
// metrics.
func (a *Agent) register(to prometheus.Registerer) error {
	if to == nil {
		return nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "canvas_edge_" + name, Help: help}, value)
	}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "canvas_edge_" + name + "_total", Help: help}, value)
	}
	if a.config.Cloud.Security.Cert != "" {
		left := gauge("certificate_left_seconds", "Time until the device's certificate for the cloud ends, below 0 once it has; 0: it can't be read.", func() float64 {
			c, _ := certificate(a.config.Cloud.Security, a.config.Edge, time.Now())
			if c == nil {
				return 0
			}
			return time.Until(c.Until).Seconds()
		})
		if err := to.Register(left); err != nil {
			return err
		}
	}
	for _, c := range []prometheus.Collector{
		counter("outbox_committed_items", "Items committed since the buffer's database was made.", func() float64 { return float64(a.outbox.Stats().Committed) }),
		counter("outbox_received_items", "Items that the cloud has.", func() float64 { return float64(a.outbox.Stats().Received) }),
		counter("outbox_dropped_items", "Items in the ledger of drops.", func() float64 { return float64(a.outbox.Stats().Dropped) }),
		gauge("outbox_waiting_items", "Items that wait for the cloud.", func() float64 { return float64(a.outbox.Stats().Waiting) }),
		gauge("outbox_waiting_bytes", "Data that waits for the cloud.", func() float64 { return float64(a.outbox.Stats().Bytes) }),
		gauge("outbox_troubles", "What is wrong with the buffer; the status says what.", func() float64 { return float64(len(a.outbox.Troubles())) }),
		counter("outbox_foreign_receipts", "Receipts for epochs that are not this buffer's.", func() float64 { foreign, _ := a.outbox.Receipts(); return float64(foreign) }),
		counter("outbox_refused_receipts", "Receipts that could not be true of this buffer.", func() float64 { _, refused := a.outbox.Receipts(); return float64(refused) }),
		counter("quarantined", "Inputs left out because they killed the process.", func() float64 { return float64(a.Quarantined()) }),
		counter("shed", "Items of live sources that could not be committed.", func() float64 { return float64(a.shedding.count.Load()) }),
		gauge("link_up", "1 while there is a connection to the cloud's broker.", func() float64 {
			if a.Ready() == nil {
				return 1
			}
			return 0
		}),
		gauge("frames_allowed_ratio", "Share of the cameras' frames that heat and the power mode allow.", a.power.Share),
		gauge("temperature_celsius", "Heat of the device's hottest thermal zone; 0: not watched.", func() float64 { return a.power.State().Celsius }),
		counter("unchanged_tiles", "Tiles of scenes that were left out because their ground has not changed.", func() float64 { return float64(a.changes.counts().Unchanged) }),
		counter("unchanged_tiles_by_others", "Those of them whose ground another device had shown.", func() float64 { return float64(a.changes.counts().ByOthers) }),
		counter("reference_views", "Views of the ground that came from the cloud.", func() float64 { return float64(a.changes.counts().Shared.Views) }),
		counter("reference_received_bytes", "Bytes of views of the ground that came from the cloud.", func() float64 { return float64(a.changes.counts().Shared.Bytes) }),
		counter("reference_refused", "Views and messages from the cloud that can't be.", func() float64 { return float64(a.changes.counts().Shared.Refused) }),
		gauge("reference_bytes", "Bytes of views of the ground on disk.", func() float64 { return float64(a.changes.counts().Bytes) }),
		gauge("trusted_keys", "Keys of the cloud that are trusted; 0: everything that the broker delivers is believed.", func() float64 { return float64(len(a.link.Signatures().Keys)) }),
		refusedMetric{a},
		streamMetrics{a},
		networkMetrics{a},
	} {
		if err := to.Register(c); err != nil {
			return fmt.Errorf("register the device's metrics: %w", err)
		}
	}
	return nil
}

// refusedMetric counts what came from the cloud and was not believed.
type refusedMetric struct{ agent *Agent }

var refusedMessages = prometheus.NewDesc("canvas_edge_refused_messages_total", "Messages from the cloud's broker that no holder of a trusted key has signed for now.", []string{"reason"}, nil)

// Describe names the metric.
func (refusedMetric) Describe(to chan<- *prometheus.Desc) { to <- refusedMessages }

// Collect reads it as it stands.
func (m refusedMetric) Collect(to chan<- prometheus.Metric) {
	for reason, n := range m.agent.link.Signatures().Refused {
		to <- prometheus.MustNewConstMetric(refusedMessages, prometheus.CounterValue, float64(n), reason)
	}
}

// streamMetrics are those that each stream has for itself.
type streamMetrics struct{ agent *Agent }

var (
	skippedFrames = prometheus.NewDesc("canvas_edge_left_out_frames_total", "Frames that were left out before they could become items.", []string{"stream", "reason"}, nil)
	frameLag      = prometheus.NewDesc("canvas_edge_frame_lag_seconds", "From the lens to the network, of a live stream's newest frame.", []string{"stream"}, nil)
	lineCrossings = prometheus.NewDesc("canvas_edge_line_crossings_total", "Objects that crossed a line of a camera.", []string{"stream", "line", "direction", "label"}, nil)
)

// Describe names the metrics.
func (streamMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- skippedFrames
	to <- frameLag
	to <- lineCrossings
}

// Collect reads them as they stand.
func (m streamMetrics) Collect(to chan<- prometheus.Metric) {
	for _, s := range m.agent.streams() {
		for reason, n := range s.Skipped {
			to <- prometheus.MustNewConstMetric(skippedFrames, prometheus.CounterValue, float64(n), s.Name, reason)
		}
		for _, c := range s.Crossings {
			to <- prometheus.MustNewConstMetric(lineCrossings, prometheus.CounterValue, float64(c.Count), s.Name, c.Line, c.Direction, c.Label)
		}
		to <- prometheus.MustNewConstMetric(frameLag, prometheus.GaugeValue, s.Lag, s.Name)
	}
}

// networkCounts are what became of the pictures that each loaded model was given, sorted by name.
func (a *Agent) networkCounts() []event.NetworkCounts {
	all := []event.NetworkCounts{}
	for _, l := range a.networks.loaded() {
		c := event.NetworkCounts{Model: l.model.Name, Version: l.model.Version, Engine: l.report.Engine, Pictures: l.runs.Load(), Failed: l.failed.Load()}
		c.Candidates, c.ThrownAway = l.Candidates()
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b event.NetworkCounts) int { return cmp.Compare(a.Model, b.Model) })
	return all
}

// networkMetrics are those that each loaded model has for itself.
type networkMetrics struct{ agent *Agent }

var (
	pictures   = networkDesc("pictures", "Pictures that were given to a model since it was loaded.")
	failures   = networkDesc("failed_pictures", "Pictures on which a model failed; nothing was detected in them.")
	candidates = networkDesc("candidate_boxes", "Boxes above a detector's score floor, before suppression.")
	invalid    = networkDesc("thrown_boxes", "Boxes above a detector's score floor that can't be boxes: not finite, without a size, or of a class without a label.")
)

func networkDesc(what, help string) *prometheus.Desc {
	return prometheus.NewDesc("canvas_edge_model_"+what+"_total", help, []string{"model"}, nil)
}

// Describe names the metrics.
func (networkMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{pictures, failures, candidates, invalid} {
		to <- d
	}
}

// Collect reads them as they stand.
func (m networkMetrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.agent.networkCounts() {
		for d, n := range map[*prometheus.Desc]int64{pictures: c.Pictures, failures: c.Failed, candidates: c.Candidates, invalid: c.ThrownAway} {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), c.Model)
		}
	}
}
