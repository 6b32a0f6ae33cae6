package track

import (
	"testing"

	"cloudcanvas/shared/vision"

	"pgregory.net/rapid"
)

var usual = Config{Begin: 0.3, Continue: 0.15, MinIoU: 0.2, Confirm: 3, MaxGap: 30, Most: 256}

func person(x, y, score float32) vision.Box {
	return vision.Box{X: x, Y: y, W: 20, H: 50, Score: score, Label: "person"}
}

func TestEachObjectIsFollowedOnceAndPartsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{Begin: 0.3, Continue: 0.15, MinIoU: 0.2, Confirm: rapid.IntRange(1, 3).Draw(t, "confirm"), MaxGap: 3, Most: 6}
		f := NewFollower(c)
		gone := map[int64]bool{}
		frame := int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "frames") {
			frame += rapid.Int64Range(1, 5).Draw(t, "step")
			var boxes []vision.Box
			for range rapid.IntRange(0, 9).Draw(t, "boxes") {
				b := person(rapid.Float32Range(0, 60).Draw(t, "x"), rapid.Float32Range(0, 60).Draw(t, "y"), rapid.Float32Range(0, 1).Draw(t, "score"))
				b.Class = rapid.IntRange(0, 1).Draw(t, "class")
				boxes = append(boxes, b)
			}
			alive, parted := f.Update(frame, boxes)
			slots, taken := map[int]bool{}, map[[4]float32]int{}
			for _, b := range boxes {
				taken[plain(b)]++
			}
			for _, o := range alive {
				if gone[o.ID] || slots[o.Slot] || o.Slot < 0 || o.Slot >= c.Most || o.Gone || !o.Confirmed && !o.Seen || frame-o.Frame > c.MaxGap || o.Box.Class != o.Class {
					t.Fatalf("%+v lives in frame %d", *o, frame)
				}
				slots[o.Slot] = true
				if !o.Seen {
					continue
				}
				if taken[plain(o.Box)]--; taken[plain(o.Box)] < 0 || o.Box.Score < c.Continue || !o.Confirmed && o.Box.Score < c.Begin {
					t.Fatalf("%+v has a box that it can't have", *o)
				}
			}
			for _, o := range parted {
				if gone[o.ID] || !o.Gone {
					t.Fatalf("%+v parts", *o)
				}
				gone[o.ID] = true
			}
			if len(alive) > c.Most {
				t.Fatalf("%d objects", len(alive))
			}
		}
		left := len(f.alive)
		if parted := f.Finish(); len(parted) != left || len(f.alive) != 0 {
			t.Fatalf("%d of %d part at the end", len(parted), left)
		}
	})
}

// plain is a box that can be compared.
func plain(b vision.Box) [4]float32 { return [4]float32{b.X, b.Y, b.Score, float32(b.Class)} }

// TestTheAssignmentOfAFrameIsTheBestAndNotTheNearest: the best overlap would leave one of two alone.
func TestTheAssignmentOfAFrameIsTheBestAndNotTheNearest(t *testing.T) {
	f := NewFollower(usual)
	for n := range int64(5) {
		f.Update(n, []vision.Box{person(0, 0, 0.9), person(14, 0, 0.9)})
	}
	left := f.alive[0]
	f.Update(5, []vision.Box{person(8, 0, 0.9), person(26, 0, 0.9)}) // both have moved on; 8 is nearer to 14 than to 0
	if len(f.alive) != 2 || left.Box.X != 8 || f.alive[1].Box.X != 26 {
		t.Errorf("%+v, %+v", left.Box, f.alive[1].Box)
	}
}

func TestWeakDetectionsGoOnWithWhatIsLostAndBeginNothing(t *testing.T) {
	f := NewFollower(usual)
	n := int64(0)
	see := func(boxes ...vision.Box) int {
		f.Update(n, boxes)
		n++
		return len(f.alive)
	}
	for i := range 10 {
		see(person(float32(2*i), 0, 0.9))
	}
	see()
	see()
	if see(person(24, 0, 0.2), person(200, 0, 0.2)) != 1 || !f.alive[0].Seen || f.alive[0].ID != 1 {
		t.Errorf("%+v", *f.alive[0])
	}
	if see(person(26, 45, 0.2)); f.alive[0].Seen {
		t.Errorf("a weak detection beside it was taken: %+v", f.alive[0].Box)
	}
	for range usual.MaxGap - 1 {
		see()
	}
	if len(f.alive) != 1 || see() != 0 {
		t.Errorf("%d objects live", len(f.alive))
	}
}

func TestFollowingMakesNothingNew(t *testing.T) {
	f := NewFollower(usual)
	var boxes []vision.Box
	for i := range 40 {
		boxes = append(boxes, person(float32(i%10)*15, float32(i/10)*100, []float32{0.9, 0.2}[i%2]))
	}
	n := int64(0)
	step := func() { f.Update(n, boxes); n++ }
	for range 10 {
		step()
	}
	if a := testing.AllocsPerRun(100, step); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}

// BenchmarkFollower follows a crowded frame: 40 boxes, of which 30 overlap others.
func BenchmarkFollower(b *testing.B) {
	f := NewFollower(usual)
	var boxes []vision.Box
	for i := range 40 {
		boxes = append(boxes, person(float32(i%10)*15, float32(i/10)*100, 0.9))
	}
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		f.Update(n, boxes)
	}
}
