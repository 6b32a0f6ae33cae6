package capture

import (
	"fmt"
	"path/filepath"

	"cloudcanvas/shared/event"
)

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (c CameraConfig) Problems(add func(field, message, hint string)) {
	if err := event.CheckName(c.Name); err != nil {
		add("name", err.Error(), "name the camera in letters and digits, such as gate-1")
	}
	if _, err := parseInput(c.Address, c.Transport); err != nil {
		add("address", err.Error(), "give a video file, rtsp://host/path or /dev/video0")
	}
	switch c.Transport {
	case "", "tcp", "udp":
	default:
		add("transport", fmt.Sprintf("%q is unknown", c.Transport), "use tcp, or udp where the camera has nothing else")
	}
	if c.Width < 0 || c.Height < 0 || (c.Width == 0) != (c.Height == 0) {
		add("width", fmt.Sprintf("%d x %d pixels", c.Width, c.Height), "give width and height, or neither")
	}
	if c.Rate < 0 || c.Rate > 1000 {
		add("rate", fmt.Sprintf("%v frames a second", c.Rate), "use 1 to 1000, or leave it out")
	}
	notNegative(add, "decode_threads", int64(c.DecodeThreads))
	notNegative(add, "max_pixels", c.MaxPixels)
	notNegative(add, "queue", int64(c.Queue))
	notNegative(add, "open_timeout", int64(c.OpenTimeout))
	notNegative(add, "stall", int64(c.Stall))
	notNegative(add, "restart.first", int64(c.Restart.First))
	notNegative(add, "restart.most", int64(c.Restart.Most))
	notNegative(add, "restart.give_up", int64(c.Restart.GiveUp))
	if c.DecodeThreads > 64 {
		add("decode_threads", fmt.Sprintf("%d threads for one camera", c.DecodeThreads), "use 1 to 4")
	}
	if c.Queue > 64 {
		add("queue", fmt.Sprintf("%d whole pictures held in memory", c.Queue), "use 1 to 8")
	}
}

// Problems names every mistake.
func (c ImagesConfig) Problems(add func(field, message, hint string)) {
	if c.Name != "" {
		if err := event.CheckName(c.Name); err != nil {
			add("name", err.Error(), "name the set in letters and digits")
		}
	}
	if c.Path == "" {
		add("path", "it is missing", "give a folder, or a glob such as /data/*.jpg")
	} else if _, err := filepath.Match(filepath.Base(c.Path), "x"); err != nil {
		add("path", "the pattern is wrong", "close each [ with ]")
	}
	notNegative(add, "max_pixels", int64(c.MaxPixels))
	notNegative(add, "max_bytes", c.MaxBytes)
}

// Problems names every mistake.
func (c FrameConfig) Problems(add func(field, message, hint string)) {
	notNegative(add, "max_streams", int64(c.MaxStreams))
	notNegative(add, "max_pixels", int64(c.MaxPixels))
	notNegative(add, "max_bytes", c.MaxBytes)
	notNegative(add, "queue", int64(c.Queue))
}

// Problems names every mistake.
func (c ReadingConfig) Problems(add func(field, message, hint string)) {
	notNegative(add, "max_streams", int64(c.MaxStreams))
	notNegative(add, "readings", int64(c.Readings))
}

// Problems names every mistake.
func (c FolderConfig) Problems(add func(field, message, hint string)) {
	if c.Path == "" {
		add("path", "it is missing", "give the folder to watch")
	}
	for i, p := range c.Patterns {
		if _, err := filepath.Match(p, "x"); err != nil || p == "" {
			add(fmt.Sprintf("patterns.%d", i), fmt.Sprintf("%q is no pattern", p), "use one such as *.tif")
		}
	}
	switch c.After {
	case "", Keep, Move, Delete:
	default:
		add("after", fmt.Sprintf("%q is unknown", c.After), "use keep, move or delete")
	}
	notNegative(add, "every", int64(c.Every))
	notNegative(add, "settle", int64(c.Settle))
}

func notNegative(add func(field, message, hint string), field string, v int64) {
	if v < 0 {
		add(field, "it is negative", "leave it out for the default")
	}
}
