package vision

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
