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
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
	"cloudcanvas/shared/signed"
	"cloudcanvas/shared/telemetry"
)

// Config is what a device is told, the whole of edge.yaml. docs/configuration.md explains each
// setting; firmware-configs/ has samples.
type Config struct {
	Edge        string           `yaml:"edge" desc:"the device's name in topics and items: letters, digits, '-', '_' and '.', up to 63" required:"edge"`
	Data        string           `yaml:"data" desc:"folder of the buffer and of all that must survive a restart"`
	Cloud       Cloud            `yaml:"cloud" desc:"the cloud's MQTT broker" required:"url"`
	Local       Local            `yaml:"local" desc:"the MQTT broker on the device, for cameras and sensors: capture.md"`
	Models      Models           `yaml:"models" desc:"where models lie and what runs them: models.md"`
	Scenes      []SceneSource    `yaml:"scenes" desc:"scenes of satellites and aircraft: files, or folders that are watched: scenes.md"`
	Echoes      []EchoesSource   `yaml:"echoes" desc:"raw echoes of synthetic aperture radars: files, or folders that are watched: capture.md#raw-echoes-of-a-radar"`
	Cameras     []Camera         `yaml:"cameras" desc:"video files, RTSP and USB cameras: capture.md"`
	Images      []ImageSet       `yaml:"images" desc:"sets of picture files: capture.md"`
	Frames      Frames           `yaml:"frames" desc:"pictures that cameras publish on canvas/cameras/<camera>/frame: capture.md"`
	Sensors     Sensors          `yaml:"sensors" desc:"numbers that sensors publish on canvas/sensors/<sensor>/reading: capture.md"`
	Screen      screen.Config    `yaml:"screen" desc:"what is left out before the buffer: screening.md"`
	Reference   reference.Config `yaml:"reference" desc:"the earlier views of the ground that tiles are compared with, see screen.scenes.change"`
	Detect      detect.Config    `yaml:"detect" desc:"tracks, alerts, batches and pictures of objects: detection.md"`
	Overload    Overload         `yaml:"overload" desc:"what gives way when frames come faster than the models look at them"`
	Power       power.Config     `yaml:"power" desc:"fewer frames when the device is hot or in a mode of low power: ladder.md"`
	FrameEvery  time.Duration    `yaml:"frame_every" desc:"how often a whole frame of a camera is sent for people to look at; 0: never"`
	LookQuality int              `yaml:"look_quality" desc:"quality of the JPEG of whole frames and of scenes' quicklooks, which people look at" range:"1..100"`
	Attempts    Attempts         `yaml:"attempts" desc:"what becomes of inputs that kill the process: delivery.md"`
	DecodeBytes int64            `yaml:"decode_bytes" desc:"bytes of memory that all decoders of pictures may take at one time; a picture takes 6 to 14 bytes a pixel, and one that takes more by itself is left out: operations.md#memory" range:"1MiB.."`
	Outbox      outbox.Config    `yaml:"outbox" desc:"the buffer on disk; a full one holds up files, and of live sources the least valuable items are dropped, with an entry in the ledger: outbox.md"`
	Uplink      uplink.Config    `yaml:"uplink" desc:"how the link to the cloud is used: uplink.md"`
	Telemetry   telemetry.Config `yaml:"telemetry" desc:"health, metrics and traces of this process"`
}

// Overload says what gives way when frames come faster than the networks look at them.
type Overload struct {
	MaxLag time.Duration `yaml:"max_lag" desc:"how old a frame of a live camera may be when its turn comes; older ones make way for newer ones. 0: any age. Files are never left out" range:"0 or 50ms.."`
}

// Connection is a broker elsewhere.
type Connection struct {
	URL      string            `yaml:"url" desc:"the broker's address: tcp://host:1883 or tls://host:8883"`
	ClientID string            `yaml:"client_id" desc:"MQTT client id; a broker with the shipped files takes the certificate's name in its place" default:"canvas-edge-<edge>, and -local behind it for the local broker"`
	Security security.Security `yaml:"security" desc:"TLS and login of this connection"`
}

// Cloud is the broker of the cloud, and whom the device believes about what comes down from it.
type Cloud struct {
	Connection  `yaml:",inline"`
	TrustedKeys []string `yaml:"trusted_keys" desc:"public keys of the cloud: a PEM file each, or a key in base64. With any, receipts, models, queries and views that their holders have not signed are refused: operations.md#signed-messages" default:"everything that the broker delivers is believed"`
}

// Local is the broker on the device that cameras and sensors speak to.
type Local struct {
	Connection `yaml:",inline"`
	Embedded   string `yaml:"embedded" desc:"host:port of a broker inside the agent, in place of one at url; it keeps no sessions over a restart"`
}

// Attempts say what becomes of inputs that kill the process.
type Attempts struct {
	Folder            string `yaml:"folder" desc:"folder of the cases of inputs that killed the process" default:"attempts, inside data"`
	crashguard.Config `yaml:",inline"`
}

// Models says where networks come from and what runs them.
type Models struct {
	Folders []string     `yaml:"folders" desc:"folders of models, besides those that set-up filled"`
	Engine  string       `yaml:"engine" desc:"the engine that runs models, by its name; auto tries those that are there and takes the fastest"`
	Layout  infer.Layout `yaml:"layout" desc:"how models use the machine"`

	Fetch modelupdate.Config `yaml:"fetch" desc:"versions of models that the cloud offers: models.md#models-for-devices"`
}

// SceneSource is a scene, or a folder that scenes come into.
type SceneSource struct {
	Name                 string `yaml:"name" desc:"the scene's id; of a folder, a name for the log"`
	Path                 string `yaml:"path" desc:"a raster file or a product"`
	Folder               string `yaml:"folder" desc:"or a folder that is watched: capture.md#watched-folder"`
	Arrivals             `yaml:",inline"`
	CloudModel           string `yaml:"cloud_model" desc:"who screens for clouds: a small model, or several with commas, of which the first is taken whose bands the scene has; spectral is the spectral test" default:"cloud_edge_6b,cloud_edge_rgbn,cloud_edge_rgb,spectral"`
	capture.SceneOptions `yaml:",inline"`
}

// Arrivals say what is taken from a folder that is watched, and what becomes of it: capture.FolderConfig.
type Arrivals struct {
	Patterns []string      `yaml:"patterns" desc:"of a folder: patterns of names of files and products" default:"of scenes what scenes.md lists, of echoes *.yaml, *.yml, *.cphd"`
	Every    time.Duration `yaml:"every" desc:"of a folder: time between two looks; 0: 2s" range:"0s.."`
	Settle   time.Duration `yaml:"settle" desc:"of a folder: how long a file's size and time must not change before it is read; 0: 5s" range:"0s.."`
	After    string        `yaml:"after" desc:"of a folder: what happens to a file that was read; move takes it to done/ or failed/ inside the folder" enum:"keep, move, delete" default:"keep"`
}

// watched is how the folder is watched.
func (s SceneSource) watched() capture.FolderConfig {
	return capture.FolderConfig{Path: s.Folder, Patterns: s.Patterns, Every: s.Every, Settle: s.Settle, After: s.After}
}

// SetDefaults cuts scenes into windows nearly as ukis-csmask does. The sizes are left to their own defaults, which
// differ by what is wanted.
func (s *SceneSource) SetDefaults() { s.Overlap, s.Margin = 24, 51 }

// Spectral stands for the spectral test among the names of CloudModel.
const Spectral = "spectral"

// DefaultScreens are the networks that screen scenes where none is named: the project's own, which its programs
// carry. Where none of them can be loaded the spectral test does. On labelled scenes each is as good as the test or
// better (docs/benchmarks.md); from colours alone neither is good enough to leave tiles out, so neither does.
func DefaultScreens() []string { return []string{"cloud_edge_6b", "cloud_edge_rgbn", "cloud_edge_rgb"} }

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
	Detector             string `yaml:"detector" desc:"the model that looks at the frames, by its name; an enabled source of pictures needs one"`
	detect.Places        `yaml:",inline"`
}

// ImageSet is a set of picture files, and the network that looks at it.
type ImageSet struct {
	capture.ImagesConfig `yaml:",inline"`
	Detector             string `yaml:"detector" desc:"the model that looks at the pictures, by its name"`
}

// Frames are pictures that cameras publish on canvas/cameras/<camera>/frame.
type Frames struct {
	Enabled             bool                     `yaml:"enabled" desc:"take them from the local broker"`
	Detector            string                   `yaml:"detector" desc:"the model that looks at them, by its name"`
	Places              map[string]detect.Places `yaml:"places" desc:"zones and lines of a camera, by its name"`
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
	Enabled               bool         `yaml:"enabled" desc:"take them from the local broker"`
	Rules                 []rules.Rule `yaml:"rules" desc:"what is reported of which sensor; the first rule that fits a value holds: ladder.md" default:"every reading"`
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
	c.Scenes, c.Echoes, c.Cameras, c.Images, c.Local = nil, nil, nil, nil, Local{}
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
		FrameEvery: 5 * time.Second, LookQuality: 75, Overload: Overload{MaxLag: 2 * time.Second}, Power: power.DefaultConfig(),
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
	config.Limits(c, DefaultConfig(), add)
	c.Models.Layout.Problems(in("models.layout"))
	c.Models.Fetch.Problems(in("models.fetch"))
	c.Cloud.Problems(in("cloud"))
	if len(c.Cloud.TrustedKeys) > 0 && c.Uplink.Receipts == uplink.ReceiptsPUBACK {
		add("uplink.receipts", "is puback, by which the broker's word frees the buffer, and cloud.trusted_keys believes signed receipts alone", "leave one of them out")
	}
	c.Local.Problems(in("local"))
	c.Screen.Problems(in("screen"))
	c.Reference.Problems(in("reference"))
	if c.Reference.Shared && c.Screen.Scenes.Change <= 0 {
		add("reference.shared", "is set, but no tile is compared with any view", "set screen.scenes.change, such as 0.01, or leave reference.shared out")
	}
	c.Detect.Problems(in("detect"))
	c.Attempts.Problems(in("attempts"))
	c.Power.Problems(in("power"))
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
	for i, s := range c.Echoes {
		if s.Name != "" || s.Path != "" || s.Folder != "" {
			name(fmt.Sprintf("echoes.%d.name", i), s.ID())
		}
		s.Problems(in("echoes.%d.", i))
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

// Problems lists what is wrong with the connection to the cloud and the keys that are trusted.
func (c Cloud) Problems(add func(field, message, hint string)) {
	c.Connection.Problems(add)
	if _, err := signed.Trusted(c.TrustedKeys); err != nil {
		add("trusted_keys", err.Error(), "the cloud's signing.pub, or the line that canvas-cloud keys show prints")
	}
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
