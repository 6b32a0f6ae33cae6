// Package capture takes pictures and readings from where they are made: video files, cameras,
// folders of images, satellite scenes, and what cameras and sensors publish on the device's own broker.
// docs/capture.md says how each kind of source behaves when it fails.
//
//	video*    a video file or a camera, decoded by ffmpeg in a child process; ffmpeg*: the program itself
//	images*   a folder of pictures; decode: how one is opened
//	scene*    a scene's tiles; folder*: a watched folder of scenes
//	echoes*   a radar's raw echoes, block by block; folder_echoes: a watched folder of them
//	device*   what cameras and sensors publish on the device's own broker
//	newest    what stands between a live source and a slower pipeline
package capture

import (
	"context"
	"time"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// Source is a loop that takes pictures until ctx ends or a finite source is at its end.
//
// Run returns nil at the end of a finite source, ctx's error when it was stopped, and any
// other error when the source can give nothing more. emit blocks while the pipeline is full, and
// that is the backpressure: a source never queues without bound. An error of emit ends Run.
type Source interface {
	Name() string
	Run(ctx context.Context, emit func(context.Context, Picture) error) error
}

// Picture is one thing taken: a camera's frame, a tile of a scene, or a sensor's reading, which has
// no pixels. The pixels belong to the holder of the Picture; they are passed on, never shared.
type Picture struct {
	Stream string    // the camera, image set, scene or sensor
	At     time.Time // when it was taken; for files, their start plus the frame's place in them
	Frame  int64     // its number in the stream, from 0
	Name   string    // of a picture that was a file: the file's name
	// Spacing of its pixels, where the file says it.
	Spacing vision.Spacing
	Began   time.Time // when its reading began, by the device's clock; zero where that is not known

	Image   vision.Image
	Scene   *SceneInfo         // of a scene's tile: its scene …
	Tile    *raster.Tile       // … and its place in the scene's grid
	Lost    string             // of a tile: why some of its pixels are marked as without data, though they have some
	Echoes  *EchoesInfo        // of a block of a radar's echoes: its acquisition …
	Block   *EchoesBlock       // … and its lines
	Reading map[string]float64 // a sensor's values by name; a plain number is "value"

	// Last closes a finite stream. It comes alone, without pixels, after everything else, and Frame
	// is the number of pictures before it. Partial then says what of the stream is missing;
	// empty means that all of it came.
	Last    bool
	Partial string

	// Release gives the pixels back for the next frame; nil where they are not pooled. Whoever is
	// done with the pixels calls it once, and reads them no more. Not calling it costs an
	// allocation, nothing else.
	Release func()

	// Committed is called once everything that was made of this and of all earlier pictures of the
	// stream is safe in the outbox; nil where the source does not care. A watched folder then knows
	// that it need not read the file again.
	Committed func()

	Trace string // trace context that the pipeline has begun for it; empty where nothing is traced

	payload []byte // a message that is not decoded yet
}
