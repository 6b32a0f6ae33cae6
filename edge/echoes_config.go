package edge

import (
	"path/filepath"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/sar"
)

// EchoesSource is a radar's acquisition, or a folder that acquisitions come into.
type EchoesSource struct {
	Name                  string `yaml:"name" desc:"the scene's id; of a folder, a name for the log" default:"the name of the file without its ending, or of the folder"`
	Path                  string `yaml:"path" desc:"a YAML file that describes raw echoes beside it, or a CPHD file: capture.md#raw-echoes-of-a-radar"`
	Folder                string `yaml:"folder" desc:"or a folder that is watched for such files"`
	Arrivals              `yaml:",inline"`
	Focus                 string       `yaml:"focus" desc:"where images are made: device makes alerts, a quicklook and amplitude of its own; cloud sends the raw echoes only" enum:"device, cloud" default:"device"`
	Amplitude             bool         `yaml:"amplitude" desc:"the image's amplitude is sent in steps of 0.5 dB, before the echoes"`
	Complex               bool         `yaml:"complex" desc:"the raw echoes are sent, of which the cloud makes the complex image; else only those that it asks for"`
	Alerts                EchoesAlerts `yaml:"alerts" desc:"bright targets, as they are reported first"`
	capture.EchoesOptions `yaml:",inline"`
}

// EchoesAlerts say which targets are alerts.
type EchoesAlerts struct {
	Off         bool    `yaml:"off" desc:"none are reported"`
	ThresholdDB float64 `yaml:"threshold_db" desc:"how far a target stands out of its surroundings, in dB" range:"10..60"`
	Land        string  `yaml:"land" desc:"a GeoJSON file of land, in longitude and latitude: what lies within is no ship. It needs an orbit; statistics tell land without"`
	Most        int     `yaml:"most" desc:"alerts of one block of lines: ships first, then by how far they stand out; how many were left out is told" range:"1..10000"`
}

// SetDefaults makes a device send all it can.
func (s *EchoesSource) SetDefaults() {
	s.Amplitude, s.Complex = true, true
	s.Alerts = EchoesAlerts{ThresholdDB: 18, Most: 100}
}

// onDevice says whether images are made here.
func (s EchoesSource) onDevice() bool { return s.Focus != FocusCloud }

// FocusCloud is the Focus of a device that sends raw echoes only.
const FocusCloud = "cloud"

// rules are those of bright targets. Its land mask is read each time that they are asked for.
func (s EchoesSource) rules() (r sar.CFAR, err error) {
	r = sar.CFAR{ThresholdDB: s.Alerts.ThresholdDB, MaxTargets: s.Alerts.Most}
	if s.Alerts.Land != "" {
		r.Land, err = sar.ReadLand(s.Alerts.Land)
	}
	return r, err
}

// watched is how the folder is watched.
func (s EchoesSource) watched() capture.FolderConfig {
	return capture.FolderConfig{Path: s.Folder, Patterns: s.Patterns, Every: s.Every, Settle: s.Settle, After: s.After}
}

// ID is the name of the source.
func (s EchoesSource) ID() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Path != "":
		return new(capture.SceneIDs).ID(s.Path)
	}
	if abs, err := filepath.Abs(s.Folder); err == nil {
		return new(capture.SceneIDs).ID(abs)
	}
	return new(capture.SceneIDs).ID(s.Folder)
}

// Problems names every mistake.
func (s EchoesSource) Problems(add func(field, message, hint string)) {
	own, defaults := s, EchoesSource{}
	defaults.SetDefaults()
	own.EchoesOptions = capture.EchoesOptions{} // which speak for themselves,
	if s.Folder != "" {
		own.Arrivals = Arrivals{} // as these do of a folder
	}
	config.Limits(own, defaults, add)
	if (s.Path == "") == (s.Folder == "") {
		add("path", "needs either path or folder", "path: the file that describes the echoes; folder: one that is watched")
	}
	if s.Folder != "" {
		s.watched().Problems(add)
	} else if len(s.Patterns) > 0 || s.Every != 0 || s.Settle != 0 || s.After != "" {
		add("folder", "is missing: patterns, every, settle and after say how a folder is watched", "leave them out, or name a folder in place of path")
	}
	switch {
	case s.Focus == FocusCloud && !s.Complex:
		add("complex", "is off with focus: cloud: nothing would be sent", "leave it out, or set focus: device")
	case !s.Complex && !s.Amplitude && s.Alerts.Off:
		add("amplitude", "is off, and so are alerts and complex: only a quicklook would be sent", "leave one of them on")
	}
	if _, err := s.rules(); err != nil {
		add("alerts.land", err.Error(), "name a GeoJSON file of polygons, in longitude and latitude")
	}
	s.EchoesOptions.Problems(add)
}
