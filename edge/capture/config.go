package capture

import (
	"fmt"
	"path/filepath"

	"cloudcanvas/shared/config"
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
	if c.Width < 0 || c.Height < 0 || (c.Width == 0) != (c.Height == 0) {
		add("width", fmt.Sprintf("%d x %d pixels", c.Width, c.Height), "give width and height, or neither")
	}
	config.Limits(c, CameraConfig{}, add)
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
	config.Limits(c, ImagesConfig{}, add)
}

// Problems names every mistake.
func (c FrameConfig) Problems(add func(field, message, hint string)) {
	config.Limits(c, FrameConfig{}, add)
}

// Problems names every mistake.
func (c ReadingConfig) Problems(add func(field, message, hint string)) {
	config.Limits(c, ReadingConfig{}, add)
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
