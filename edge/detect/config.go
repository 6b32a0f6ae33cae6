package detect

import (
	"time"

	"cloudcanvas/shared/config"
)

// Config says how a camera is watched.
type Config struct {
	InFlight int         `yaml:"in_flight" desc:"frames in the model at once; the model's sessions and two more keep it busy. 0: 4" range:"0..64"`
	Tracks   TrackConfig `yaml:"tracks" desc:"when detections in consecutive frames are the same object"`
	Alerts   AlertConfig `yaml:"alerts" desc:"when people are alerted"`
	Batch    BatchConfig `yaml:"batch" desc:"how large a batch of detections gets"`
	Snapshot Snapshot    `yaml:"snapshot" desc:"the picture of an object"`
	Second   SecondLook  `yaml:"second_look" desc:"what a larger model of the cloud looks at again"`
	Places   Places      `yaml:"-"` // of one camera: they stand with it
}

// TrackConfig says when detections in consecutive frames are the same object.
type TrackConfig struct {
	Off      bool          `yaml:"off" desc:"no tracks, for images that have nothing to do with each other"`
	MinScore float64       `yaml:"min_score" desc:"score of a detection from which on a track begins; 0: the model's report score" range:"0..1"`
	Continue float64       `yaml:"continue" desc:"score with which a track goes on; 0: half of min_score" range:"0..1"`
	MinIoU   float64       `yaml:"min_iou" desc:"overlap (IoU) between where an object should be and where it is seen; 0: 0.2" range:"0..1"`
	Confirm  int           `yaml:"confirm" desc:"frames in which an object is seen before it is reported; 0: 3" range:"0..1000"`
	MaxGap   int           `yaml:"max_gap" desc:"frames in which an object is not seen before its track ends; 0: 30" range:"0..10000"`
	Update   time.Duration `yaml:"update" desc:"time between two updates of one track; 0: 5s" range:"0s..24h"`
	Most     int           `yaml:"most" desc:"tracks at once; 0: 256" range:"0..10000"`
}

// AlertConfig says when a person is told.
type AlertConfig struct {
	Off    bool          `yaml:"off" desc:"no alerts"`
	Labels []string      `yaml:"labels" desc:"labels that are alerted" default:"all"`
	Quiet  time.Duration `yaml:"quiet" desc:"how long no such object must be seen before the next alert of its label; 0: 1m" range:"0s..8784h"`
}

// BatchConfig bounds a batch of detections.
type BatchConfig struct {
	Frames int           `yaml:"frames" desc:"frames in one batch at most; 0: 64" range:"0..64"`
	Age    time.Duration `yaml:"age" desc:"age of its oldest frame at which a batch is closed; 0: 2s" range:"0s..1m"`
}

// Snapshot says how objects are pictured.
type Snapshot struct {
	Off     bool    `yaml:"off" desc:"no pictures of objects"`
	Quality int     `yaml:"quality" desc:"quality of the JPEG that people see, 1 to 100; 0: 85" range:"0..100"`
	Margin  float64 `yaml:"margin" desc:"margin around the object, in its own sides; 0: 0.5" range:"0..10"`
	MinSide int     `yaml:"min_side" desc:"pixels a side at least, where the frame has them; 0: 192" range:"0..10000"`
}

// SecondLook says what a larger model of the cloud shall see: objects, when their track ends, whose
// best score stays below a limit, or whose picture is worth its bytes; it goes there in place of a
// snapshot. And whole frames that are worth their bytes.
type SecondLook struct {
	Below float64 `yaml:"below" desc:"objects whose best score stays below it are looked at again when their track ends; canvas eval cascade measures from which score the device is sure. 0: none" range:"0..1"`
	Crops float64 `yaml:"crops" desc:"expected wrong decisions a KiB of an object's picture, from which on it is looked at again, such as 0.15: canvas eval cascade measures it. 0: none" range:"0..1000"`
	Want  string  `yaml:"want" desc:"what the cloud does with it, as far as worker.models has a model for that" enum:"detect, classify"`

	Pictures float64       `yaml:"pictures" desc:"expected wrong decisions a KiB, from which on a whole frame goes to the cloud's detector, whose boxes replace the device's, such as 0.15. 0: none" range:"0..1000"`
	Quality  int           `yaml:"quality" desc:"quality of the JPEG that the cloud's model sees, 1 to 100; 0: 75" range:"0..100"`
	Every    time.Duration `yaml:"pictures_every" desc:"least time between two such frames of one camera; a thin link carries other things too. Sets of images have none" range:"0s..24h"`
}

// DefaultConfig is a good start for a fixed camera of 5 to 30 frames a second.
func DefaultConfig() Config {
	return Config{
		InFlight: 4,
		Tracks:   TrackConfig{MinIoU: 0.2, Confirm: 3, MaxGap: 30, Update: 5 * time.Second, Most: 256},
		Alerts:   AlertConfig{Quiet: time.Minute},
		Batch:    BatchConfig{Frames: 64, Age: 2 * time.Second},
		Snapshot: Snapshot{Quality: 85, Margin: 0.5, MinSide: 192},
		Second:   SecondLook{Want: "detect", Quality: 75, Every: 10 * time.Second},
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
	orDefault(&c.Second.Quality, d.Second.Quality)
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

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
	if (c.Second.Below > 0 || c.Second.Crops > 0) && c.Snapshot.Off {
		add("second_look.below", "can't be combined with snapshot.off", "a second look needs the object's picture: leave snapshot.off out")
	}
}
