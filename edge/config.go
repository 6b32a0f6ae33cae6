package edge

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/modelupdate"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/power"
	"cloudcanvas/edge/reference"
	"cloudcanvas/edge/rules"
	"cloudcanvas/edge/screen"
	"cloudcanvas/edge/uplink"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
	"cloudcanvas/shared/telemetry"
)

// Config is what a device is told, the whole of edge.yaml. docs/configuration.md explains each
// setting; firmware-configs/ has samples.
type Config struct {
	Edge    string        `yaml:"edge"` // the device's name
	Data    string        `yaml:"data"` // folder of the buffer and of what must survive
	Cloud   Connection    `yaml:"cloud"`
	Local   Local         `yaml:"local"`
	Models  Models        `yaml:"models"`
	Scenes  []SceneSource `yaml:"scenes"`
	Cameras []Camera      `yaml:"cameras"`
	Images  []ImageSet    `yaml:"images"`
	Frames  Frames        `yaml:"frames"`
	Sensors Sensors       `yaml:"sensors"`
	Screen  screen.Config `yaml:"screen"`
	// Reference bounds the views of ground that tiles are compared with (screen.scenes.change).
	Reference reference.Config `yaml:"reference"`
	Detect    detect.Config    `yaml:"detect"`
	Overload  Overload         `yaml:"overload"`
	Power     power.Config     `yaml:"power"`
	// FrameEvery is how often a whole frame of a camera is sent, for people to look at; 0: never.
	FrameEvery time.Duration `yaml:"frame_every"`
	Attempts   Attempts      `yaml:"attempts"`
	// DecodeBytes is the memory that all decoders of pictures may take at one time. What takes more by
	// itself is left out.
	DecodeBytes int64            `yaml:"decode_bytes"`
	Outbox      outbox.Config    `yaml:"outbox"`
	Uplink      uplink.Config    `yaml:"uplink"`
	Telemetry   telemetry.Config `yaml:"telemetry"`
}

// Overload says what gives way when frames come faster than the networks look at them.
type Overload struct {
	// MaxLag is how old a frame of a live camera may be when its turn comes; older ones make way for
	// newer ones. 0: any age. Files are never left out.
	MaxLag time.Duration `yaml:"max_lag"`
}

// Connection is a broker elsewhere.
type Connection struct {
	URL      string            `yaml:"url"` // tcp://host:1883 or tls://host:8883
	ClientID string            `yaml:"client_id"`
	Security security.Security `yaml:"security"`
}

// Local is the broker on the device that cameras and sensors speak to.
type Local struct {
	Connection `yaml:",inline"`
	Embedded   string `yaml:"embedded"` // host:port to serve one from inside the agent, instead of URL
}

// Attempts say what becomes of inputs that kill the process.
type Attempts struct {
	Folder            string `yaml:"folder"` // empty: attempts, inside data
	crashguard.Config `yaml:",inline"`
}

// Models says where networks come from and what runs them.
type Models struct {
	Folders []string     `yaml:"folders"`
	Engine  string       `yaml:"engine"` // auto, or one engine's name
	Layout  infer.Layout `yaml:"layout"`

	Fetch modelupdate.Config `yaml:"fetch"` // of versions that the cloud offers
}

// SceneSource is a scene, or a folder that scenes come into.
type SceneSource struct {
	Name                 string `yaml:"name"`   // the scene's id; of a folder, only a name for log lines
	Path                 string `yaml:"path"`   // a file
	Folder               string `yaml:"folder"` // or a folder that is watched
	Arrivals             `yaml:",inline"`
	CloudModel           string `yaml:"cloud_model"` // a small network for screening, or several, NAME,NAME: the first whose bands the scene has; spectral: the spectral test; empty: see DefaultScreens
	capture.SceneOptions `yaml:",inline"`
}

// Arrivals say what is taken from a folder that is watched, and what becomes of it: capture.FolderConfig.
type Arrivals struct {
	Patterns []string      `yaml:"patterns"`
	Every    time.Duration `yaml:"every"`
	Settle   time.Duration `yaml:"settle"`
	After    string        `yaml:"after"`
}

// watched is how the folder is watched.
func (s SceneSource) watched() capture.FolderConfig {
	return capture.FolderConfig{Path: s.Folder, Patterns: s.Patterns, Every: s.Every, Settle: s.Settle, After: s.After}
}

// SetDefaults cuts scenes as ukis-csmask does.
func (s *SceneSource) SetDefaults() { s.TileSize, s.Overlap, s.Margin = 256, 24, 51 }

// Spectral stands for the spectral test among the names of CloudModel.
const Spectral = "spectral"

// DefaultScreens are the networks that screen scenes where none is named, as far as they are there; what
// lacks their bands is screened by the spectral test. On labelled scenes each is as good as the test or
// better (docs/benchmarks.md); from colours alone neither is good enough to leave tiles out, which the
// test then does not.
func DefaultScreens() []string { return []string{"cloud_edge_6b", "cloud_edge_rgbn"} }

// cloudModels are the networks named in CloudModel.
func (s SceneSource) cloudModels() []string {
	return slices.DeleteFunc(s.screens(), func(name string) bool { return name == Spectral })
}

// screens are the names in CloudModel.
func (s SceneSource) screens() []string {
	return strings.FieldsFunc(s.CloudModel, func(r rune) bool { return r == ',' || r == ' ' })
}

// Camera is a video file, an RTSP camera or a USB camera, and the network that looks at it.
type Camera struct {
	capture.CameraConfig `yaml:",inline"`
	Detector             string `yaml:"detector"` // a model's name
	detect.Places        `yaml:",inline"`
}

// ImageSet is a set of picture files, and the network that looks at it.
type ImageSet struct {
	capture.ImagesConfig `yaml:",inline"`
	Detector             string `yaml:"detector"`
}

// Frames are pictures that cameras publish on canvas/cameras/<camera>/frame.
type Frames struct {
	Enabled             bool                     `yaml:"enabled"`
	Detector            string                   `yaml:"detector"`
	Places              map[string]detect.Places `yaml:"places"` // zones and lines, by camera
	capture.FrameConfig `yaml:",inline"`
}

// places are the zones and lines of a camera.
func (c Config) places(camera string) detect.Places {
	for _, cam := range c.Cameras {
		if cam.Name == camera {
			return cam.Places
		}
	}
	return c.Frames.Places[camera]
}

// Sensors are numbers published on canvas/sensors/<sensor>/reading.
type Sensors struct {
	Enabled               bool         `yaml:"enabled"`
	Rules                 []rules.Rule `yaml:"rules"` // what is told of which; none: everything
	capture.ReadingConfig `yaml:",inline"`
}

// folder is a place below the device's own folder.
func (c Config) folder(name string) string { return filepath.Join(c.Data, name) }

// OutboxFolder is where the buffer lies.
func (c Config) OutboxFolder() string { return c.folder("outbox") }

// ModelStoreFolder is where models lie that came from the cloud.
func (c Config) ModelStoreFolder() string { return c.folder("models") }

// WithoutSources is c for an agent that only sends what waits.
func (c Config) WithoutSources() Config {
	c.Scenes, c.Cameras, c.Images, c.Local = nil, nil, nil, Local{}
	return c
}

// ModelFolders are where models are looked for: as configured, and where set-up put them.
func (c Config) ModelFolders(home string) []string {
	return model.Folders(c.Models.Folders, home)
}

// DefaultConfig is a device that does nothing yet.
func DefaultConfig() Config {
	return Config{
		Data:   "/var/lib/canvas",
		Models: Models{Engine: infer.Auto, Layout: infer.Layout{Remember: infer.DefaultMemory()}, Fetch: modelupdate.DefaultConfig()},
		Screen: screen.DefaultConfig(), Reference: reference.DefaultConfig(), Detect: detect.DefaultConfig(),
		FrameEvery: 5 * time.Second, Overload: Overload{MaxLag: 2 * time.Second}, Power: power.DefaultConfig(),
		Attempts: Attempts{Config: crashguard.DefaultConfig()}, DecodeBytes: defaultDecodeBytes,
		Outbox: outbox.DefaultConfig(), Uplink: uplink.DefaultConfig(),
	}
}

// defaultDecodeBytes leaves a device of 4 GB room for networks and buffers, and takes one picture of 100
// megapixels.
const defaultDecodeBytes = 768 << 20

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// Problems lists every mistake of c.
func (c Config) Problems(add func(field, message, hint string)) {
	in := func(group string) func(field, message, hint string) {
		return func(field, message, hint string) { add(strings.TrimSuffix(group+"."+field, "."), message, hint) }
	}
	if !nameForm.MatchString(c.Edge) {
		add("edge", fmt.Sprintf("%q is no name for a device", c.Edge), "letters, digits, '-', '_' and '.', up to 63: mast-7")
	}
	if c.Data == "" {
		add("data", "is missing", "name a folder that survives restarts, such as /var/lib/canvas")
	}
	if c.Cloud.URL == "" {
		add("cloud.url", "is missing", "name the cloud's MQTT broker: tls://broker.example:8883")
	}
	if c.Models.Engine != infer.Auto && !slices.Contains(infer.Engines(), c.Models.Engine) {
		add("models.engine", fmt.Sprintf("%q is no engine", c.Models.Engine), "auto, or one of "+strings.Join(infer.Engines(), ", "))
	}
	if c.DecodeBytes < 1<<20 {
		add("decode_bytes", fmt.Sprintf("is %d", c.DecodeBytes), "use at least 1048576; a picture takes 6 to 14 bytes a pixel while it is decoded")
	}
	c.Models.Layout.Problems(in("models.layout"))
	c.Models.Fetch.Problems(in("models.fetch"))
	c.Cloud.Problems(in("cloud"))
	c.Local.Problems(in("local"))
	c.Screen.Problems(in("screen"))
	c.Reference.Problems(in("reference"))
	c.Detect.Problems(in("detect"))
	c.Attempts.Problems(in("attempts"))
	c.Power.Problems(in("power"))
	if c.Overload.MaxLag < 0 || c.Overload.MaxLag > 0 && c.Overload.MaxLag < 50*time.Millisecond {
		add("overload.max_lag", fmt.Sprintf("%s is less than a frame takes", c.Overload.MaxLag), "use about 2s, or 0 for any age")
	}
	c.Outbox.Problems(in("outbox"))
	c.Frames.Problems(in("frames"))
	c.Sensors.Problems(in("sensors"))
	c.Uplink.Problems(in("uplink"))
	c.Telemetry.Problems(in("telemetry"))
	c.sourceProblems(add)
}

func (c Config) sourceProblems(add func(field, message, hint string)) {
	taken := map[string]bool{}
	name := func(field, name string) {
		if !nameForm.MatchString(name) {
			add(field, fmt.Sprintf("%q is no name", name), "letters, digits, '-', '_' and '.', up to 63")
		} else if taken[name] {
			add(field, fmt.Sprintf("%q names another source too", name), "each source needs a name of its own")
		}
		taken[name] = true
	}
	in := func(format string, i int) func(field, message, hint string) {
		return func(field, message, hint string) { add(fmt.Sprintf(format, i)+field, message, hint) }
	}
	detector := func(field, model string) {
		if model == "" {
			add(field, "is missing: nothing says which model looks at the pictures", "a model's name; `canvas-edge models ls` lists them")
		}
	}
	for i, s := range c.Scenes {
		at := in("scenes.%d.", i)
		name(fmt.Sprintf("scenes.%d.name", i), s.Name)
		if (s.Path == "") == (s.Folder == "") {
			at("path", "needs either path or folder", "path: a raster file; folder: one that is watched")
		}
		if s.Folder != "" {
			s.watched().Problems(at)
		} else if len(s.Patterns) > 0 || s.Every != 0 || s.Settle != 0 || s.After != "" {
			at("folder", "is missing: patterns, every, settle and after say how a folder is watched", "leave them out, or name a folder in place of path")
		}
		s.SceneOptions.Problems(at)
	}
	for i, cam := range c.Cameras {
		name(fmt.Sprintf("cameras.%d.name", i), cam.Name)
		cam.CameraConfig.Problems(in("cameras.%d.", i))
		cam.Places.Problems(in("cameras.%d.", i))
		detector(fmt.Sprintf("cameras.%d.detector", i), cam.Detector)
	}
	if c.Frames.Enabled {
		detector("frames.detector", c.Frames.Detector)
	}
	for _, camera := range slices.Sorted(maps.Keys(c.Frames.Places)) {
		c.Frames.Places[camera].Problems(func(field, message, hint string) { add("frames.places."+camera+"."+field, message, hint) })
	}
	for i, set := range c.Images {
		name(fmt.Sprintf("images.%d.name", i), set.Name)
		set.ImagesConfig.Problems(in("images.%d.", i))
		detector(fmt.Sprintf("images.%d.detector", i), set.Detector)
	}
	for i, r := range c.Sensors.Rules {
		r.Problems(in("sensors.rules.%d.", i))
		for _, source := range r.Capture {
			if !taken[source] && !c.Frames.Enabled {
				add(fmt.Sprintf("sensors.rules.%d.capture", i), fmt.Sprintf("%q names no camera and no folder of scenes", source), "write the name of a source as it stands in this file")
			}
		}
	}
	if (c.Frames.Enabled || c.Sensors.Enabled) && c.Local.URL == "" && c.Local.Embedded == "" {
		add("local", "frames or sensors are enabled, but there is no local broker", "set local.url, or local.embedded: 127.0.0.1:1883")
	}
}

// Problems lists what is wrong with a connection; an empty URL is judged by who needs it.
func (c Connection) Problems(add func(field, message, hint string)) {
	scheme, _, ok := strings.Cut(c.URL, "://")
	switch {
	case c.URL == "":
	case !ok || !strings.Contains(" tcp mqtt tls ssl mqtts ", " "+scheme+" "):
		add("url", fmt.Sprintf("%q is no broker's address", security.Redact(c.URL)), "write tcp://host:1883 or tls://host:8883")
	default:
		if err := mqtt.Check(c.URL, c.Security); err != nil {
			add("url", err.Error(), "write tcp://host:1883 or tls://host:8883")
		}
	}
	c.Security.Problems(func(field, message, hint string) { add("security."+field, message, hint) })
}

// Problems lists what is wrong with the local broker's settings.
func (l Local) Problems(add func(field, message, hint string)) {
	if l.URL != "" && l.Embedded != "" {
		add("embedded", "stands beside url", "keep the broker at url, or serve one inside the agent: not both")
	}
	if _, _, err := net.SplitHostPort(l.Embedded); l.Embedded != "" && err != nil {
		add("embedded", fmt.Sprintf("%q is not host:port", l.Embedded), "127.0.0.1:1883")
	}
	l.Connection.Problems(add)
}

// ModelNames are the models that the configuration names.
func (c Config) ModelNames() []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, s := range c.Scenes {
		for _, name := range s.cloudModels() {
			add(name)
		}
	}
	for _, cam := range c.Cameras {
		add(cam.Detector)
	}
	for _, set := range c.Images {
		add(set.Detector)
	}
	if c.Frames.Enabled {
		add(c.Frames.Detector)
	}
	return names
}
