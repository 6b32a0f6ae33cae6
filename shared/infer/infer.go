// Package infer is the only package with native inference: OpenCV's DNN module through GoCV and ONNX
// Runtime behind one interface, with pre- and post-processing driven by the model's manifest.
//
//	image ─▶ plan (fit, look up, lay out) ─▶ session (one engine's copy) ─▶ decoder ─▶ boxes, mask, labels
//
// Each session belongs to one goroutine; Run hands images to them through one bounded queue.
package infer

import (
	"errors"
	"runtime"
	"time"

	"cloudcanvas/shared/config"
)

var (
	// ErrClosed is what Run gives after Close.
	ErrClosed = errors.New("the network is closed")
	// ErrUnavailable says that an engine cannot run here: no device, not built in, no library.
	ErrUnavailable = errors.New("engine is not available")
	// ErrDisagrees says that an engine computes something else than the golden case.
	ErrDisagrees = errors.New("engine disagrees with the golden case")
	// ErrImage says that an image can't be decoded, or does not fit the network: missing bands, wrong kind, too large.
	ErrImage = errors.New("the picture can't be used")
)

// Layout says how a network uses the machine. The zero value is a good default: one session of one
// thread for each core, one image at a time.
type Layout struct {
	Sessions int           `yaml:"sessions" json:"sessions" desc:"models side by side; 0: cores / threads, 1 on a GPU" range:"0..256"`
	Threads  int           `yaml:"threads" json:"threads" desc:"threads of each session; 0: 1" range:"0..256"`
	MaxBatch int           `yaml:"max_batch" json:"max_batch" desc:"images in one pass, where the model allows it; 0: 1 on a CPU, 8 on a GPU" range:"0..256"`
	MaxWait  time.Duration `yaml:"max_wait" json:"max_wait" desc:"how long a batch waits to fill; 0: 2ms" range:"0s..1m"`
	Queue    int           `yaml:"queue" json:"queue" desc:"images that wait before the next one is held up; 0: 2 for each session and place in a batch" range:"0..65536"`
	Remember string        `yaml:"remember" json:"-" desc:"folder that keeps the outcome of trials for 30 days, and the model that won, laid out for this machine; empty: tried at each start" default:"in the service's cache folder, else the user's"`
	Runtime  string        `yaml:"runtime" json:"-" desc:"folder of libonnxruntime.so" default:".deps/lib beside the program's folder, or lib in $CANVAS_HOME"`

	// A model that the project does not know is read and run in a process of its own first, once for each
	// engine, machine and version of the libraries.
	Trials      string        `yaml:"-" json:"-"` // folder of what became of it; empty: Remember's
	TrialTime   time.Duration `yaml:"trial_time" json:"-" desc:"time of computing that a trial of an unknown model may take (models.md#models-on-trial); 0: by the size of model and input" range:"0s..1h"`
	TrialMemory int64         `yaml:"trial_memory_bytes" json:"-" desc:"bytes of memory that a trial may take; 0: by the size of model and input" range:"0.."`
}

// Problems lists every mistake. field is the dotted path inside Layout.
func (l Layout) Problems(add func(field, message, hint string)) {
	config.Limits(l, Layout{}, add)
}

// withDefaults fills the layout in for an engine and a model that takes up to batch images a pass.
func (l Layout) withDefaults(engine string, batch int) Layout {
	gpu := onGPU(engine)
	if l.Threads <= 0 {
		l.Threads = 1
	}
	if l.Sessions <= 0 {
		l.Sessions = max(1, runtime.GOMAXPROCS(0)/l.Threads)
		if gpu {
			l.Sessions = 1
		}
	}
	if l.MaxBatch <= 0 {
		l.MaxBatch = 1
		if gpu {
			l.MaxBatch = 8
		}
	}
	l.MaxBatch = min(l.MaxBatch, batch)
	if l.MaxWait <= 0 {
		l.MaxWait = 2 * time.Millisecond
	}
	if l.Queue <= 0 {
		l.Queue = 2 * l.Sessions * l.MaxBatch
	}
	return l
}

// Report is what Open found out: every engine tried, and which one runs.
type Report struct {
	Model   string  `json:"model"`
	Version string  `json:"version"`
	Engine  string  `json:"engine"`
	Device  string  `json:"device"` // "CPU, 2 cores", or the GPU's name
	Golden  string  `json:"golden"` // match, or none where the model has no golden case
	Ms      float64 `json:"ms"`     // one forward pass of one image in one session
	Layout  Layout  `json:"layout"`
	Trials  []Trial `json:"trials"`
	// Candidates are the boxes above the score floor that a detector gave while it ran, ThrownAway those of
	// them that can't be boxes. Open leaves them to who asks the network at the end.
	Candidates int64 `json:"candidates,omitempty"`
	ThrownAway int64 `json:"thrown_away,omitempty"`
	// Remembered is when the trials were made, where that was at an earlier start on this machine. The
	// golden case is run at each start.
	Remembered time.Time `json:"remembered,omitzero"`
}

// when says whether the trials were made now.
func (r Report) when() string {
	if r.Remembered.IsZero() {
		return "now"
	}
	return r.Remembered.Format(time.RFC3339)
}

// Trial is one engine's chance.
type Trial struct {
	Engine string  `json:"engine"`
	Device string  `json:"device,omitempty"`
	Golden string  `json:"golden,omitempty"` // match, mismatch, none
	Ms     float64 `json:"ms,omitempty"`
	Reason string  `json:"reason,omitempty"` // why it was discarded
}

// Outcomes of a golden case.
const (
	goldenMatch    = "match"
	goldenMismatch = "mismatch"
	goldenNone     = "none"
)
