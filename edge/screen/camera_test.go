package screen

import (
	"math/rand/v2"
	"testing"

	"cloudcanvas/shared/vision"
)

// room is a grey picture with some texture and noise, and perhaps a person in it.
func room(random *rand.Rand, light int, person bool) vision.Image {
	im := vision.Image{W: 320, H: 240, Pix: make([]byte, 320*240*3)}
	for y := range im.H {
		for x := range im.W {
			v := 100 + light + 40*((x/8+y/8)%2) + random.IntN(7) - 3
			if person && x > 100 && x < 120 && y > 80 && y < 130 {
				v = 220
			}
			for c := range 3 {
				im.Pix[3*(y*im.W+x)+c] = byte(min(max(v, 0), 255))
			}
		}
	}
	return im
}

func flat(v byte) vision.Image {
	im := vision.Image{W: 320, H: 240, Pix: make([]byte, 320*240*3)}
	for i := range im.Pix {
		im.Pix[i] = v
	}
	return im
}

func TestAStillCameraIsToldFromOneThatSeesSomething(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := Config{Cameras: CameraConfig{Motion: 0.002}}.Camera()
	if v := c.Decide(room(random, 0, false)); !v.Keep {
		t.Errorf("the first frame: %+v", v)
	}
	for i := range 20 {
		if v := c.Decide(room(random, i, false)); v.Keep || v.Reason != Unchanged { // it gets brighter
			t.Fatalf("frame %d: %+v", i, v)
		}
	}
	if v := c.Decide(room(random, 20, true)); !v.Keep || v.Score.Motion < 0.005 || v.Score.Motion > 0.05 {
		t.Errorf("a person: %+v", v)
	}
	for range 80 {
		c.Decide(room(random, 20, true))
	}
	if v := c.Decide(room(random, 20, true)); v.Keep {
		t.Errorf("what stays is background: %+v", v)
	}
}

// TestALargeThingIsAsLargeAsItIs lets a lorry into 40 % of the picture, while a cloud passes.
func TestALargeThingIsAsLargeAsItIs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := DefaultConfig().Camera()
	for range 5 {
		c.Decide(room(random, 0, false))
	}
	for _, light := range []int{0, -30, 30} {
		camera := *c
		camera.background = append([]float32(nil), c.background...)
		im := room(random, light, false)
		for y := range im.H {
			for i := y * im.W * 3; i < (y*im.W+im.W*4/10)*3; i++ {
				im.Pix[i] = 250
			}
		}
		if v := camera.Decide(im); v.Score.Motion < 0.38 || v.Score.Motion > 0.43 {
			t.Errorf("with the light %+d: %+v", light, v)
		}
	}
}

func TestOneFrameInSoManyOfAStillCameraIsKept(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := Config{Cameras: CameraConfig{Motion: 0.002, KeepEvery: 10}}.Camera()
	kept := 0
	for range 101 {
		if c.Decide(room(random, 0, false)).Keep {
			kept++
		}
	}
	if kept != 11 {
		t.Errorf("%d kept", kept)
	}
}

func TestFramesThatShowNothingAreNamed(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	config := Config{Cameras: CameraConfig{Dark: 0.98, Bright: 0.98, Sharpness: 30}}
	for reason, im := range map[string]vision.Image{Dark: flat(3), Bright: flat(250), Blurred: flat(120), Kept: room(random, 0, true)} {
		if v := config.Camera().Decide(im); v.Reason != reason {
			t.Errorf("%q: %+v", reason, v)
		}
		config := config
		config.KeepEverything = true
		if v := config.Camera().Decide(im); !v.Keep {
			t.Errorf("%q, all kept: %+v", reason, v)
		}
	}
}

func TestByDefaultEveryFrameIsKeptAndMeasured(t *testing.T) {
	c := DefaultConfig().Camera()
	for range 3 {
		if v := c.Decide(flat(0)); !v.Keep || v.Score.Dark != 1 {
			t.Errorf("%+v", v)
		}
	}
	for _, odd := range []vision.Image{{}, {W: 1, H: 1, Pix: make([]byte, 3)}, {W: 5, H: 5}, {W: 3, H: 3, Pix: make([]byte, 27)}} {
		if v := c.Decide(odd); !v.Keep {
			t.Errorf("%d x %d: %+v", odd.W, odd.H, v)
		}
	}
}

func TestJudgingFramesAllocatesNothing(t *testing.T) {
	c := DefaultConfig().Camera()
	im := flat(7)
	c.Decide(im)
	if n := testing.AllocsPerRun(20, func() { c.Decide(im) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkFrame(b *testing.B) {
	c := DefaultConfig().Camera()
	im := vision.Image{W: 768, H: 576, Pix: make([]byte, 768*576*3)}
	b.ReportAllocs()
	for b.Loop() {
		c.Decide(im)
	}
}
