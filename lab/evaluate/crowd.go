package evaluate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"cloudcanvas/shared/vision"
)

// Crowd says how people walk before a simulated camera and how well a simulated detector sees them.
type Crowd struct {
	Objects int     `json:"objects"` // at once
	Frames  int     `json:"frames"`
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Noise   float64 `json:"noise"` // of a box's place and sides, in shares of its sides
	Miss    float64 `json:"miss"`  // share of the objects in full view that are not seen
	False   float64 `json:"false"` // detections of nothing, a frame
	Seed    uint64  `json:"seed"`
}

// DefaultCrowd is a busy square.
func DefaultCrowd() Crowd {
	return Crowd{Objects: 16, Frames: 600, Width: 1280, Height: 720, Noise: 0.03, Miss: 0.03, False: 0.5, Seed: 1}
}

// walker is somebody on the ground before the camera. Who walks out of the picture is somebody else
// when the next comes in.
type walker struct {
	id           int
	x, y         float64 // of the feet
	vx, vy       float64 // pixels a frame
	goalX, goalY float64 // velocities that it takes up
	build        float64 // its height against others'
}

// crowd is the simulation at work.
type crowd struct {
	Crowd
	*rand.Rand
	walkers []walker
	people  int
}

// Walk gives the truth, with frames from 1, and the detections of each frame. People cross each other,
// stop, turn and hide each other; who is hidden is seen weakly, badly, or not at all, and two boxes
// that are nearly one are suppressed to one. The same seed gives the same.
func (c Crowd) Walk() (truth []Sighting, detections [][]vision.Box) {
	w := &crowd{Crowd: c, Rand: rand.New(rand.NewPCG(c.Seed, 0))}
	for range c.Objects {
		w.walkers = append(w.walkers, w.enter(true))
	}
	for n := range c.Frames {
		for i := range w.walkers {
			w.step(&w.walkers[i])
		}
		seen, boxes := w.look(n + 1)
		truth = append(truth, seen...)
		detections = append(detections, boxes)
	}
	return truth, detections
}

// enter makes somebody new: anywhere in the picture, or at one of its sides.
func (w *crowd) enter(anywhere bool) walker {
	w.people++
	p := walker{id: w.people, build: 0.85 + 0.3*w.Float64()}
	p.y = float64(w.Height) * (0.45 + 0.5*w.Float64())
	_, side := w.size(p)
	if p.x = -side / 2; w.IntN(2) == 0 {
		p.x = float64(w.Width) + side/2
	}
	if anywhere {
		p.x = float64(w.Width) * w.Float64()
	}
	w.turn(&p)
	if !anywhere && (p.goalX > 0) != (p.x < 0) {
		p.goalX = -p.goalX
	}
	p.vx, p.vy = p.goalX, p.goalY
	return p
}

// size is somebody's height and width: who is further down in the picture is nearer.
func (w *crowd) size(p walker) (height, width float64) {
	height = p.build * (0.12*float64(w.Height) + 0.35*max(p.y-0.4*float64(w.Height), 0))
	return height, 0.4 * height
}

// turn takes up another way.
func (w *crowd) turn(p *walker) {
	height, _ := w.size(*p)
	p.goalX, p.goalY = 0.025*height*(0.4+w.Float64()), 0.004*height*w.NormFloat64()
	if w.IntN(2) == 0 {
		p.goalX = -p.goalX
	}
	if w.IntN(5) == 0 {
		p.goalX, p.goalY = 0, 0 // stops
	}
}

func (w *crowd) step(p *walker) {
	height, width := w.size(*p)
	if w.IntN(120) == 0 {
		w.turn(p)
	}
	const easing, unrest = 0.15, 0.002
	p.vx += easing*(p.goalX-p.vx) + unrest*height*w.NormFloat64()
	p.vy += easing*(p.goalY-p.vy) + unrest/4*height*w.NormFloat64()
	p.x, p.y = p.x+p.vx, p.y+p.vy
	if low, high := 0.42*float64(w.Height), 0.99*float64(w.Height); p.y < low || p.y > high {
		p.y, p.vy, p.goalY = min(max(p.y, low), high), -p.vy, -p.goalY
	}
	if p.x < -width || p.x > float64(w.Width)+width {
		*p = w.enter(false)
	}
}

// leastSeen is the share of somebody that must be in sight to be labelled.
const leastSeen = 0.1

// look gives what is there in a frame, and what the detector makes of it.
func (w *crowd) look(n int) (truth []Sighting, boxes []vision.Box) {
	near := slices.SortedFunc(slices.Values(w.walkers), func(a, b walker) int { return cmp.Or(cmp.Compare(b.y, a.y), a.id-b.id) })
	var full [][4]float64
	for _, p := range near {
		height, width := w.size(p)
		box := [4]float64{p.x - width/2, p.y - height, width, height}
		share := w.visible(box, full)
		full = append(full, box)
		if share < leastSeen {
			continue
		}
		x, y := max(box[0], 0), max(box[1], 0)
		inside := [4]float64{x, y, min(box[0]+width, float64(w.Width)) - x, min(box[1]+height, float64(w.Height)) - y}
		truth = append(truth, Sighting{Frame: n, ID: p.id, BBox: inside, Score: 1})
		if b, seen := w.detect(inside, share); seen {
			boxes = append(boxes, b)
		}
	}
	for range w.falseAlarms() {
		height := float64(w.Height) * (0.1 + 0.3*w.Float64())
		boxes = append(boxes, vision.Box{X: float32(w.Float64() * float64(w.Width)), Y: float32(w.Float64() * float64(w.Height)),
			W: float32(0.4 * height), H: float32(height), Score: float32(0.05 + 0.4*w.Float64()), Label: "person"})
	}
	return truth, suppressed(boxes)
}

// visible is the share of a box that lies in the picture and behind none of the nearer ones, by
// points on a grid.
func (w *crowd) visible(box [4]float64, nearer [][4]float64) float64 {
	const grid = 10
	seen := 0
	for i := range grid * grid {
		x, y := box[0]+box[2]*(float64(i%grid)+0.5)/grid, box[1]+box[3]*(float64(i/grid)+0.5)/grid
		hidden := x < 0 || y < 0 || x >= float64(w.Width) || y >= float64(w.Height)
		for _, n := range nearer {
			hidden = hidden || x >= n[0] && x < n[0]+n[2] && y >= n[1] && y < n[1]+n[3]
		}
		if !hidden {
			seen++
		}
	}
	return float64(seen) / (grid * grid)
}

// detect sees somebody of whom that share is in sight.
func (w *crowd) detect(box [4]float64, share float64) (b vision.Box, seen bool) {
	chance := (1 - w.Miss) * min(1, max(0, (share-0.15)/0.35))
	if w.Float64() >= chance {
		return b, false
	}
	noise := w.Noise * (2 - share)
	width, height := box[2]*math.Exp(noise*w.NormFloat64()), box[3]*math.Exp(noise*w.NormFloat64())
	x, y := box[0]+box[2]/2+noise*box[2]*w.NormFloat64(), box[1]+box[3]/2+noise*box[3]*w.NormFloat64()
	score := min(max(0.05+0.8*share+0.07*w.NormFloat64(), 0.05), 0.99)
	return vision.Box{X: float32(x - width/2), Y: float32(y - height/2), W: float32(width), H: float32(height), Score: float32(score), Label: "person"}, true
}

// falseAlarms is how many things are seen where nothing is (Poisson, by Knuth's method).
func (w *crowd) falseAlarms() (n int) {
	for p := w.Float64(); p > math.Exp(-w.False); p *= w.Float64() {
		n++
	}
	return n
}

// suppressed keeps of boxes that are nearly one the best, as detectors do.
func suppressed(boxes []vision.Box) []vision.Box {
	slices.SortStableFunc(boxes, func(a, b vision.Box) int { return cmp.Compare(b.Score, a.Score) })
	kept := boxes[:0]
	for _, b := range boxes {
		if !slices.ContainsFunc(kept, func(k vision.Box) bool { return vision.IoU(k, b) > 0.6 }) {
			kept = append(kept, b)
		}
	}
	return kept
}
