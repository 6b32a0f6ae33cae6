// Package infer is the only door to native inference: OpenCV's DNN module through GoCV and ONNX
// Runtime behind one interface, with pre- and post-processing driven by the model's manifest.
package infer

import (
	"context"
	"log/slog"
	"time"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// Engines, as configuration and reports name them.
const (
	Auto           = "auto"
	OpenCVCPU      = "opencv-cpu"
	OpenCVCUDA     = "opencv-cuda"
	OpenCVCUDAFP16 = "opencv-cuda-fp16"
	ORTCPU         = "onnxruntime-cpu"
	ORTCUDA        = "onnxruntime-cuda"
)

// Layout says how a network uses the machine. The zero value is a good default: one session of one
// thread for each core.
type Layout struct {
	Sessions int           `yaml:"sessions"`  // networks side by side; 0: cores / threads
	Threads  int           `yaml:"threads"`   // of each; 0: 1 on a CPU
	MaxBatch int           `yaml:"max_batch"` // images in one pass where the model allows it; 0: 1 on a CPU, 8 on a GPU
	MaxWait  time.Duration `yaml:"max_wait"`  // how long a batch waits to fill; 0: 2ms
	Queue    int           `yaml:"queue"`     // images waiting before Run blocks; 0: 2 for each session
	Runtime  string        `yaml:"runtime"`   // folder of libonnxruntime.so; empty: ../.deps/lib beside the program, $CANVAS_HOME/lib
}

// Report is what Open found out: every engine tried, and which one runs.
type Report struct {
	Model   string  `json:"model"`
	Version string  `json:"version"`
	Engine  string  `json:"engine"`
	Device  string  `json:"device"` // "CPU, 2 cores", "NVIDIA …"
	Golden  string  `json:"golden"` // match, or none where the model has no golden case
	Ms      float64 `json:"ms"`     // one forward pass of one image
	Layout  Layout  `json:"-"`
	Trials  []Trial `json:"trials"`
}

// Trial is one engine's chance.
type Trial struct {
	Engine string  `json:"engine"`
	Device string  `json:"device,omitempty"`
	Golden string  `json:"golden,omitempty"` // match, mismatch, none
	Ms     float64 `json:"ms,omitempty"`
	Reason string  `json:"reason,omitempty"` // why it was discarded
}

// Network is a loaded model. Run is safe for concurrent use; keep at least Layout.Sessions images in
// flight (in one call or in several) to use the whole machine.
type Network struct{}

// Open loads m. want is an engine's name, or "auto" for the fastest that passes the golden case. The
// Report tells every trial, also with an error. The model's sha256 is checked first.
func Open(ctx context.Context, m model.Model, want string, l Layout, log *slog.Logger) (*Network, Report, error) {
	return &Network{}, Report{}, nil
}

// Run gives one Output for each image, in order. It blocks while the queue is full, and ends early
// with the context's error. Images are only read.
func (n *Network) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	return make([]vision.Output, len(in)), nil
}

// Layout is the layout in use, with defaults filled in.
func (n *Network) Layout() Layout { return Layout{} }

// Close waits for the images in hand and frees the native memory. Run gives ErrClosed afterwards.
func (n *Network) Close() error { return nil }

// BestLayout measures sessions x threads (1x1, 1xN, Nx1, …) on the model's own input for about budget.
func BestLayout(ctx context.Context, m model.Model, engine string, budget time.Duration, log *slog.Logger) (Layout, error) {
	return Layout{}, nil
}

// DecodeImage decodes a JPEG or PNG. The size in the header is checked against maxPixels (width*height)
// before anything is decoded.
func DecodeImage(data []byte, maxPixels int) (vision.Image, error) { return vision.Image{}, nil }

// EncodeJPEG encodes im with quality 1 … 100. A picture of bands must be turned into Pix first.
func EncodeJPEG(im vision.Image, quality int) ([]byte, error) { return nil, nil }

// EncodePNG encodes im without loss.
func EncodePNG(im vision.Image) ([]byte, error) { return nil, nil }

// Annotate is a copy of im with boxes, labels and scores drawn.
func Annotate(im vision.Image, boxes []vision.Box) (vision.Image, error) { return im, nil }

// Resize scales Pix with OpenCV's INTER_LINEAR (INTER_AREA when shrinking to less than half).
func Resize(im vision.Image, w, h int) (vision.Image, error) { return im, nil }
