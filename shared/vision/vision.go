// Package vision holds what an image is in memory and what a network may find in it. Plain Go: no
// native library is needed to speak of pictures.
package vision

// Image is a picture in memory. Exactly one of Pix and Planes is set.
type Image struct {
	W, H int

	// Pix is interleaved 8-bit blue, green, red: len W*H*3, OpenCV's order.
	Pix []byte

	// Planes are bands of float32, each W*H, named by Bands (blue, green, red, nir, swir16,
	// swir22, …). Values are reflectance, 0 to about 1.6, once scale and offset are applied.
	Planes [][]float32
	Bands  []string

	// Void marks pixels without data (1), W*H; nil means that all have data.
	Void []byte
}

// Plane is the band of that name, or nil.
func (m *Image) Plane(band string) []float32 {
	for i, b := range m.Bands {
		if b == band {
			return m.Planes[i]
		}
	}
	return nil
}

// Box is a detection, in pixels of the original image, from its top-left corner.
type Box struct {
	X, Y, W, H float32
	Score      float32 // 0 … 1
	Class      int     // index into the manifest's labels, from 0
	Category   int     `json:",omitempty"` // in COCO's result format, see Categories; 0: not said
	Label      string
	Points     [][2]float32 `json:",omitempty"` // landmarks, where the network gives them

	// What some networks give beside the box, which then is the envelope of it.
	Corners   [][2]float32   `json:",omitempty"` // of a turned box: four, one after the other around it
	Keypoints [][3]float32   `json:",omitempty"` // of a pose: x, y, and how likely it is seen, 0 … 1
	Outline   [][][2]float32 `json:",omitempty"` // of its mask: the border of each of its parts
}

// Bare is the box alone: where it is moved, merged or kept for long, what stands beside it is no longer true.
func (b Box) Bare() Box {
	b.Points, b.Corners, b.Keypoints, b.Outline = nil, nil, nil, nil
	return b
}

// Mark is something drawn beside the boxes: a zone or a line of a camera.
type Mark struct {
	Name   string
	Points [][2]float32 // pixels
	Closed bool
}

// Classes of a mask.
const (
	Clear  = 0
	Shadow = 1
	Cloud  = 2

	NotJudged = 254 // there may be data, and nobody said what it shows
	NoData    = 255
)

// Mask is a class for each pixel, H*W row by row: Clear, Shadow, Cloud … or NotJudged or NoData.
type Mask struct {
	W, H  int
	Class []byte

	// Probabilities are the probabilities behind Class, in 1/254: one plane of H*W for each of the classes
	// 1, 2, … (what is left is class 0), 255 where there is no data. Nil where a network gives none.
	Probabilities [][]byte
}

// Class is a whole-image label.
type Class struct {
	Index int
	Label string
	Score float32

	Category int `json:",omitempty"` // in COCO's result format, see Categories; 0: not said
}

// Output is what a network found in one image. Which fields are set depends on its task.
type Output struct {
	Boxes   []Box   // detect, best first
	Mask    Mask    // segment
	Classes []Class // classify, best first
}

// IoU is the intersection over union of two boxes.
func IoU(a, b Box) float32 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	inter := w * h
	return inter / (a.W*a.H + b.W*b.H - inter)
}

// Notes are what a person should know of how a picture was read.
type Notes struct {
	Assumed string  // a guess that its pixels rest on; empty: none
	Left    string  // what of the file was not taken; empty: nothing
	Spacing Spacing // of its pixels, where the file says it
}

// Spacing is how far apart the middles of neighbouring pixels are, in mm; zero where nobody said it.
type Spacing struct {
	X  float64 `json:"x"` // along a row
	Y  float64 `json:"y"` // down a column
	Of string  `json:"of"`
}

// What a Spacing is of.
const (
	OfBody     = "body"     // what was looked at
	OfDetector = "detector" // of an X-ray: what was looked at is smaller, by how far it was from the detector
)
