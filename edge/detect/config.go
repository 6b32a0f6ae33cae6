package detect

import (
	"fmt"
	"time"
)

// Config says how a camera is watched.
type Config struct {
	InFlight int         `yaml:"in_flight"` // frames in the network at once; 0: 4. The network's sessions and two more keep it busy
	Tracks   TrackConfig `yaml:"tracks"`
	Alerts   AlertConfig `yaml:"alerts"`
	Batch    BatchConfig `yaml:"batch"`
	Snapshot Snapshot    `yaml:"snapshot"`
	Second   SecondLook  `yaml:"second_look"`
	Places   Places      `yaml:"-"` // of one camera: they stand with it
}

// TrackConfig says when detections in consecutive frames are the same object.
type TrackConfig struct {
	Off      bool          `yaml:"off"`       // for images that have nothing to do with each other
	MinScore float64       `yaml:"min_score"` // a track begins with such a detection; 0: the model's report score
	Continue float64       `yaml:"continue"`  // and goes on with such a one; 0: half of min_score
	MinIoU   float64       `yaml:"min_iou"`   // between where it should be and where it is seen
	Confirm  int           `yaml:"confirm"`   // frames in which it was seen before it is told
	MaxGap   int           `yaml:"max_gap"`   // frames in which it is not seen before it ends
	Update   time.Duration `yaml:"update"`    // between two updates of one track
	Most     int           `yaml:"most"`      // tracks at once
}

// AlertConfig says when a person is told.
type AlertConfig struct {
	Off    bool          `yaml:"off"`
	Labels []string      `yaml:"labels"` // none: all
	Quiet  time.Duration `yaml:"quiet"`  // without such an object before the next alert of its label
}

// BatchConfig bounds a batch of detections.
type BatchConfig struct {
	Frames int           `yaml:"frames"` // at most
	Age    time.Duration `yaml:"age"`    // of its oldest frame
}

// Snapshot says how objects are pictured.
type Snapshot struct {
	Off     bool    `yaml:"off"`
	Quality int     `yaml:"quality"`  // of the JPEG, 1 … 100
	Margin  float64 `yaml:"margin"`   // around the object, in its own sides
	MinSide int     `yaml:"min_side"` // pixels of the original, where the frame has them
}

// SecondLook says what a larger model of the cloud shall see: objects, when their track ends, whose
// best score stays below a limit, or whose picture is worth its bytes; it goes there in place of a
// snapshot. And whole frames that are worth their bytes.
type SecondLook struct {
	Below float64 `yaml:"below"` // 0: none
	Crops float64 `yaml:"crops"` // expected wrong decisions a KiB of an object's picture, from which on it goes; 0: none
	Want  string  `yaml:"want"`  // detect, classify: what worker.models of the cloud has a model for

	Pictures float64       `yaml:"pictures"`       // expected wrong decisions a KiB, from which on a whole frame goes; 0: none
	Every    time.Duration `yaml:"pictures_every"` // at least, between two of one camera; below 0: none. Sets of images have none
}

// DefaultConfig is a good start for a fixed camera of 5 to 30 frames a second.
func DefaultConfig() Config {
	return Config{
		InFlight: 4,
		Tracks:   TrackConfig{MinIoU: 0.2, Confirm: 3, MaxGap: 30, Update: 5 * time.Second, Most: 256},
		Alerts:   AlertConfig{Quiet: time.Minute},
		Batch:    BatchConfig{Frames: 64, Age: 2 * time.Second},
		Snapshot: Snapshot{Quality: 85, Margin: 0.5, MinSide: 192},
		Second:   SecondLook{Want: "detect", Every: 10 * time.Second},
	}
}

// maxInFlight bounds the frames that are held; each may be tens of megabytes.
const maxInFlight = 64

// withDefaults fills what is 0.
func (c Config) withDefaults(m Model) Config {
	d := DefaultConfig()
	if c.InFlight <= 0 {
		c.InFlight = d.InFlight
	}
	c.InFlight = min(c.InFlight, maxInFlight)
	t := &c.Tracks
	if t.MinScore <= 0 {
		t.MinScore = m.Report
	}
	if t.MinScore <= 0 {
		t.MinScore = 0.3
	}
	if t.Continue <= 0 {
		t.Continue = t.MinScore / 2
	}
	orDefault(&t.MinIoU, d.Tracks.MinIoU)
	orDefault(&t.Confirm, d.Tracks.Confirm)
	orDefault(&t.MaxGap, d.Tracks.MaxGap)
	orDefault(&t.Update, d.Tracks.Update)
	orDefault(&t.Most, d.Tracks.Most)
	orDefault(&c.Alerts.Quiet, d.Alerts.Quiet)
	orDefault(&c.Batch.Frames, d.Batch.Frames)
	orDefault(&c.Batch.Age, d.Batch.Age)
	orDefault(&c.Snapshot.Quality, d.Snapshot.Quality)
	orDefault(&c.Snapshot.Margin, d.Snapshot.Margin)
	orDefault(&c.Snapshot.MinSide, d.Snapshot.MinSide)
	if c.Second.Want == "" {
		c.Second.Want = d.Second.Want
	}
	if c.Second.Every == 0 {
		c.Second.Every = d.Second.Every
	}
	return c
}

func orDefault[T int | float64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

const worthHint = "use 0 for none, or expected wrong decisions a KiB such as 0.15; canvas eval cascade measures it"

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (c Config) Problems(add func(field, message, hint string)) {
	within := func(field string, v, most float64, hint string) {
		if !(v >= 0 && v <= most) {
			add(field, fmt.Sprintf("%v is not between 0 and %v", v, most), hint)
		}
	}
	within("in_flight", float64(c.InFlight), maxInFlight, "use the number of the network's sessions and two more, or leave it out")
	within("tracks.min_score", c.Tracks.MinScore, 1, "leave it out for the model's own")
	within("tracks.continue", c.Tracks.Continue, 1, "leave it out for half of min_score")
	within("tracks.min_iou", c.Tracks.MinIoU, 1, "use about 0.2")
	within("tracks.confirm", float64(c.Tracks.Confirm), 1000, "use 2 to 5 frames")
	within("tracks.max_gap", float64(c.Tracks.MaxGap), 10000, "use the frames of one or two seconds")
	within("tracks.update", c.Tracks.Update.Seconds(), 86400, "use about 5s")
	within("tracks.most", float64(c.Tracks.Most), 10000, "leave it out for 256")
	within("alerts.quiet", c.Alerts.Quiet.Hours(), 24*366, "use about 60s")
	within("batch.frames", float64(c.Batch.Frames), 64, "use up to 64")
	within("batch.age", c.Batch.Age.Seconds(), 60, "use about 2s")
	within("snapshot.quality", float64(c.Snapshot.Quality), 100, "use about 85")
	within("snapshot.margin", c.Snapshot.Margin, 10, "use about 0.5")
	within("second_look.below", c.Second.Below, 1, "use 0 for none, or the score from which the device is sure; canvas eval cascade measures it")
	within("second_look.crops", c.Second.Crops, 1000, worthHint)
	within("second_look.pictures", c.Second.Pictures, 1000, worthHint)
	within("second_look.pictures_every", c.Second.Every.Seconds(), 86400, "use about 10s: a thin link carries other things too")
	if (c.Second.Below > 0 || c.Second.Crops > 0) && c.Snapshot.Off {
		add("second_look.below", "can't be combined with snapshot.off", "a second look needs the object's picture: leave snapshot.off out")
	}
	if want := c.Second.Want; want != "" && want != "detect" && want != "classify" {
		add("second_look.want", fmt.Sprintf("%q is nothing that can be done with a picture", want), "use detect or classify")
	}
	within("snapshot.min_side", float64(c.Snapshot.MinSide), 10000, "use about 192")
}
