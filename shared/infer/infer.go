// Package infer is the only package with native inference: OpenCV's DNN module through GoCV and ONNX
// Runtime behind one interface, with pre- and post-processing driven by the model's manifest.
//
//	image ─▶ plan (fit, look up, lay out) ─▶ session (one engine's copy) ─▶ decoder ─▶ boxes, mask, labels
//
// Each session belongs to one goroutine; Run hands images to them through one bounded queue.
package infer

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

var (
	// ErrClosed is what Run gives after Close.
	ErrClosed = errors.New("the network is closed")
	// ErrUnavailable says that an engine cannot run here: no device, not built in, no library.
	ErrUnavailable = errors.New("engine is not available")
	// ErrDisagrees says that an engine computes something else than the golden case.
	ErrDisagrees = errors.New("engine disagrees with the golden case")
	// ErrImage says that an image does not fit the network: missing bands, wrong kind, too large.
	ErrImage = errors.New("image does not fit the network")
)

// Layout says how a network uses the machine. The zero value is a good default: one session of one
// thread for each core, one image at a time.
type Layout struct {
	Sessions int           `yaml:"sessions" json:"sessions"`   // networks side by side; 0: cores / threads, 1 on a GPU
	Threads  int           `yaml:"threads" json:"threads"`     // of each; 0: 1
	MaxBatch int           `yaml:"max_batch" json:"max_batch"` // images in one pass where the model allows it; 0: 1 on a CPU, 8 on a GPU
	MaxWait  time.Duration `yaml:"max_wait" json:"max_wait"`   // how long a batch waits to fill; 0: 2ms
	Queue    int           `yaml:"queue" json:"queue"`         // images waiting before Run blocks; 0: 2 for each session and place in a batch
	Remember string        `yaml:"remember" json:"-"`          // folder where the outcome of trials is kept for 30 days; empty: tried at each start
	Runtime  string        `yaml:"runtime" json:"-"`           // folder of libonnxruntime.so; empty: .deps/lib beside the program's folder, $CANVAS_HOME/lib

	// A model that the project does not know is read and run in a process of its own first, once for each
	// engine, machine and version of the libraries.
	Trials      string        `yaml:"-" json:"-"`                  // folder of what became of it; empty: Remember's
	TrialTime   time.Duration `yaml:"trial_time" json:"-"`         // of computing; 0: 30s and 1s for each MB of the file and each million values of its input
	TrialMemory int64         `yaml:"trial_memory_bytes" json:"-"` // 0: 1 GiB, 16 times the file and 128 times its input
}

// Problems lists every mistake. field is the dotted path inside Layout.
func (l Layout) Problems(add func(field, message, hint string)) {
	for _, f := range []struct {
		name  string
		value int
		most  int
	}{{"sessions", l.Sessions, 256}, {"threads", l.Threads, 256}, {"max_batch", l.MaxBatch, 256}, {"queue", l.Queue, 65536}} {
		if f.value < 0 || f.value > f.most {
			add(f.name, fmt.Sprintf("%d is out of range", f.value), fmt.Sprintf("give 0 (chosen for the machine) to %d", f.most))
		}
	}
	if l.TrialTime < 0 || l.TrialTime > time.Hour {
		add("trial_time", fmt.Sprintf("%s is out of range", l.TrialTime), "give a time up to 1h, or leave it out")
	}
	if l.TrialMemory < 0 {
		add("trial_memory_bytes", fmt.Sprintf("%d is negative", l.TrialMemory), "give bytes, or leave it out")
	}
	if l.MaxWait < 0 || l.MaxWait > time.Minute {
		add("max_wait", fmt.Sprintf("%s is out of range", l.MaxWait), "give a time up to 1m, often 2ms")
	}
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
