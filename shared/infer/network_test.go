package infer

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/shared/vision"
)

// stub is a worker whose images are numbers: W is the image's name, H the size of its input.
type stub struct {
	batches chan []int
	hold    chan struct{} // run waits for it where set
	closed  *atomic.Int32
}

var errOdd = errors.New("odd")

func (s *stub) place(j *job) error {
	if j.im.W < 0 {
		return errOdd
	}
	j.at = geometry{w: j.im.H, h: j.im.H}
	return nil
}

func (s *stub) run(batch []*job) {
	if s.hold != nil {
		<-s.hold
	}
	var names []int
	for _, j := range batch {
		names = append(names, j.im.W)
		j.out.Classes = []vision.Class{{Index: j.im.W}}
		j.finish(nil)
	}
	s.batches <- names
}

func (s *stub) close() { s.closed.Add(1) }

func stubs(n int, l Layout) (*Network, *stub, *atomic.Int32) {
	s := &stub{batches: make(chan []int, 1000), closed: new(atomic.Int32)}
	workers := make([]worker, n)
	for i := range workers {
		workers[i] = s
	}
	released := new(atomic.Int32)
	return start(workers, l.withDefaults(ORTCPU, 256), func() { released.Add(1) }), s, released
}

func numbered(names ...int) []vision.Image {
	in := make([]vision.Image, len(names))
	for i, n := range names {
		in[i] = vision.Image{W: n, H: 1}
	}
	return in
}

func TestRunGivesOutputsInOrderWhoeverComputesThem(t *testing.T) {
	defer goleak.VerifyNone(t)
	n, s, released := stubs(3, Layout{})
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			in := numbered(c*10, c*10+1, c*10+2, c*10+3)
			out, err := n.Run(context.Background(), in)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range in {
				if out[i].Classes[0].Index != in[i].W {
					t.Errorf("image %d got the output of %d", in[i].W, out[i].Classes[0].Index)
				}
			}
		})
	}
	wg.Wait()
	n.Close()
	n.Close()
	if s.closed.Load() != 3 || released.Load() != 1 {
		t.Fatalf("%d sessions closed, engine released %d times", s.closed.Load(), released.Load())
	}
	if _, err := n.Run(context.Background(), numbered(1)); !errors.Is(err, ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}

func TestBatchesFillWhileASessionIsBusyAndKeepToOneSize(t *testing.T) {
	defer goleak.VerifyNone(t)
	n, s, _ := stubs(1, Layout{MaxBatch: 4, MaxWait: time.Minute, Queue: 32})
	defer n.Close()
	in := numbered(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	for i := range in {
		if i >= 6 {
			in[i].H = 2 // the next size ends the batch at once, however long it could wait
		}
	}
	if _, err := n.Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]int{{0, 1, 2, 3}, {4, 5}, {6, 7, 8, 9}} {
		if got := <-s.batches; !reflect.DeepEqual(got, want) {
			t.Fatalf("batch %v, want %v", got, want)
		}
	}
}

func TestABatchLeavesAfterMaxWait(t *testing.T) {
	n, s, _ := stubs(1, Layout{MaxBatch: 8, MaxWait: time.Millisecond})
	defer n.Close()
	if _, err := n.Run(context.Background(), numbered(7)); err != nil {
		t.Fatal(err)
	}
	if got := <-s.batches; !reflect.DeepEqual(got, []int{7}) {
		t.Fatalf("batch %v", got)
	}
}

func TestOneBadImageFailsItsCallAlone(t *testing.T) {
	n, _, _ := stubs(2, Layout{MaxBatch: 4})
	defer n.Close()
	if _, err := n.Run(context.Background(), numbered(1, -1, 3)); !errors.Is(err, errOdd) {
		t.Fatalf("got %v", err)
	}
	if _, err := n.Run(context.Background(), numbered(1, 3)); err != nil {
		t.Fatal(err)
	}
}

func TestACancelledRunReturnsOnceNothingTouchesItsImages(t *testing.T) {
	defer goleak.VerifyNone(t)
	n, s, _ := stubs(1, Layout{Queue: 2})
	s.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() {
		_, err := n.Run(ctx, numbered(1, 2, 3, 4, 5, 6))
		result <- err
	}()
	s.hold <- struct{}{} // the first is computed; the session now waits with the second
	cancel()
	close(s.hold)
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	n.Close()
	if computed := len(s.batches); computed > 2 {
		t.Fatalf("%d images were computed after nobody waited", computed)
	}
}

func TestTheSameImageGivesTheSameMaskInAnyBatchAndSession(t *testing.T) {
	m := known(t, "ukis_csmask_6b_l1c")
	im := scene(t, 100, 100, 256, 256)
	im.Void = make([]byte, 256*256)
	im.Void[77] = 1
	n := open(t, m, ORTCPU, Layout{Sessions: 1, MaxBatch: 3})
	out, err := n.Run(context.Background(), []vision.Image{im, scene(t, 0, 0, 256, 256), im, scene(t, 0, 0, 200, 100)})
	if err != nil {
		t.Fatal(err)
	}
	if share := equalShare(out[0].Mask.Class, out[2].Mask.Class); share < 0.9999 {
		t.Fatalf("%.5f of the pixels are equal", share)
	}
	if out[0].Mask.Class[77] != vision.NoData {
		t.Fatal("a pixel without data has a class")
	}
	if m := out[3].Mask; m.W != 200 || m.H != 100 || len(m.Class) != 200*100 {
		t.Fatalf("a window of 200x100 gave a mask of %dx%d", m.W, m.H)
	}
}

func TestManyCallersShareARealNetwork(t *testing.T) {
	for _, engine := range cpuEngines() {
		n := open(t, known(t, "light_person"), engine, Layout{Sessions: 2})
		im := shot(t, "vtest.avi:20")
		want, err := n.Run(context.Background(), []vision.Image{im})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				out, err := n.Run(context.Background(), []vision.Image{im, im})
				if err != nil {
					t.Error(err)
				} else if !reflect.DeepEqual(out[0], want[0]) || !reflect.DeepEqual(out[1], want[0]) {
					t.Errorf("%s: the same picture gave other boxes", engine)
				}
			})
		}
		wg.Wait()
	}
}

func TestSteadyRunsAllocateTheirAnswerOnly(t *testing.T) {
	for _, engine := range cpuEngines() {
		if engine != OpenCVCPU { // whose module allocates by itself
			t.Run(engine, func(t *testing.T) { allocatesItsAnswer(t, engine) })
		}
	}
}

func allocatesItsAnswer(t *testing.T, engine string) {
	n := open(t, known(t, "yolox_nano"), engine, Layout{Sessions: 1})
	in := []vision.Image{shot(t, "skimage_astronaut.png")}
	once := func() {
		if _, err := n.Run(context.Background(), in); err != nil {
			t.Fatal(err)
		}
	}
	once()
	if got := testing.AllocsPerRun(20, once); got > 2 {
		t.Fatalf("%.0f allocations an image, should be the answer's two: the list of outputs, and the boxes in it", got)
	}
}
