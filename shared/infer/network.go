package infer

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cloudcanvas/shared/vision"
)

// Network is a loaded model. Run is safe for concurrent use. One image is computed by one session:
// keep Layout().Sessions images in flight, in one call or in several, to use the whole machine.
type Network struct {
	layout  Layout
	jobs    chan *job
	owners  sync.WaitGroup
	runs    sync.WaitGroup
	calls   chan *call // to be used again
	release func()
	tally   *tally

	mu     sync.RWMutex
	closed bool
}

// call is what one Run keeps; it is used again, so that a frame costs no memory but its answer's.
type call struct {
	jobs []job
	done sync.WaitGroup
}

// job is one image on its way through a session.
type job struct {
	ctx  context.Context
	im   *vision.Image
	out  *vision.Output
	err  error
	done *sync.WaitGroup
	at   geometry
}

func (j *job) finish(err error) {
	j.err = err
	j.done.Done()
}

// worker computes images in the goroutine that owns it.
type worker interface {
	// place checks an image and says where it will lie; images of one batch have one input size.
	place(j *job) error
	// run finishes every job.
	run(batch []*job)
	close()
}

// tally counts what a network's decoders made of its outputs.
type tally struct{ candidates, thrown atomic.Int64 }

// Candidates are how many boxes the network has given above its score floor, and how many of them were
// thrown away because they can't be: not finite, without a size, of a class without a label.
func (n *Network) Candidates() (seen, thrown int64) {
	return n.tally.candidates.Load(), n.tally.thrown.Load()
}

// start gives each worker its goroutine. release is called when all have ended.
func start(workers []worker, l Layout, release func()) *Network {
	n := &Network{layout: l, jobs: make(chan *job, l.Queue), calls: make(chan *call, spareCalls), release: release, tally: &tally{}}
	for _, w := range workers {
		if w, ok := w.(*netWorker); ok {
			w.tally = n.tally
		}
		n.owners.Add(1)
		go func() {
			defer n.owners.Done()
			defer w.close()
			n.own(w)
		}()
	}
	return n
}

// Run gives one Output for each image, in order. It blocks while the queue is full, and ends early
// with the context's error. An image that does not fit the network is ErrImage; with any error no
// output is given. Images are only read, and no longer touched once Run returns.
func (n *Network) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	n.mu.RLock()
	if n.closed {
		n.mu.RUnlock()
		return nil, ErrClosed
	}
	n.runs.Add(1)
	n.mu.RUnlock()
	defer n.runs.Done()

	c := n.call()
	defer n.leave(c)
	c.jobs = slices.Grow(c.jobs[:0], len(in))[:len(in)]
	out := make([]vision.Output, len(in))
	sent := 0
	for ; sent < len(in) && ctx.Err() == nil; sent++ {
		j := &c.jobs[sent]
		*j = job{ctx: ctx, im: &in[sent], out: &out[sent], done: &c.done}
		c.done.Add(1)
		select {
		case n.jobs <- j:
			continue
		case <-ctx.Done():
			c.done.Done()
		}
		break
	}
	// What is in the queue still points at the images: it must come out of it before Run returns.
	c.done.Wait()
	for i := range sent {
		if c.jobs[i].err != nil {
			return nil, c.jobs[i].err
		}
	}
	if sent < len(in) {
		return nil, ctx.Err()
	}
	return out, nil
}

// spareCalls are as many as wait to be used again.
const spareCalls = 16

func (n *Network) call() *call {
	select {
	case c := <-n.calls:
		return c
	default:
		return &call{}
	}
}

// leave forgets the images, which are their caller's.
func (n *Network) leave(c *call) {
	clear(c.jobs)
	select {
	case n.calls <- c:
	default:
	}
}

// Layout is the layout in use, with defaults filled in.
func (n *Network) Layout() Layout { return n.layout }

// Close waits for the images in hand and frees the native memory.
func (n *Network) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	n.mu.Unlock()
	n.runs.Wait()
	close(n.jobs)
	n.owners.Wait()
	n.release()
	return nil
}

// own takes images from the queue and gathers batches of one input size until the queue is closed.
func (n *Network) own(w worker) {
	batch := make([]*job, 0, n.layout.MaxBatch)
	var next *job // had another size than the batch before it
	for {
		j := next
		next = nil
		for j == nil {
			got, open := <-n.jobs
			if !open {
				return
			}
			if admit(w, got) {
				crashOn(whileInferring, got.im)
				j = got
			}
		}
		batch = append(batch[:0], j)
		if n.layout.MaxBatch > 1 {
			batch, next = n.gather(w, batch)
		}
		w.run(batch)
	}
}

// gather fills the batch until it is full, until MaxWait has passed, or until an image of another size comes.
func (n *Network) gather(w worker, batch []*job) ([]*job, *job) {
	timer := time.NewTimer(n.layout.MaxWait)
	defer timer.Stop()
	for len(batch) < n.layout.MaxBatch {
		select {
		case j, open := <-n.jobs:
			switch {
			case !open:
				return batch, nil
			case !admit(w, j):
			case j.at.w != batch[0].at.w || j.at.h != batch[0].at.h:
				return batch, j
			default:
				batch = append(batch, j)
			}
		case <-timer.C:
			return batch, nil
		}
	}
	return batch, nil
}

// admit finishes a job that nobody waits for any more, or whose image does not fit.
func admit(w worker, j *job) bool {
	err := j.ctx.Err()
	if err == nil {
		err = w.place(j)
	}
	if err != nil {
		j.finish(err)
		return false
	}
	return true
}

// netWorker runs one session of an engine.
type netWorker struct {
	plan    *plan
	session session
	decoder decoder
	tally   *tally
	scratch []byte
}

func (w *netWorker) place(j *job) (err error) {
	j.at, err = w.plan.fit(j.im)
	return err
}

func (w *netWorker) run(batch []*job) {
	err := w.compute(batch)
	if err != nil && len(batch) > 1 {
		// One image, or the batch's size, may be what the engine cannot take.
		for i := range batch {
			w.run(batch[i : i+1])
		}
		return
	}
	if err != nil {
		batch[0].finish(err)
	}
}

// compute finishes every job, or none and says why.
func (w *netWorker) compute(batch []*job) error {
	first := batch[0].at
	n := len(batch)
	input, err := w.session.bind(n, first.h, first.w)
	if err != nil {
		return err
	}
	each := len(input) / n
	for i, j := range batch {
		if need := j.at.scratch(); len(w.scratch) < need {
			w.scratch = make([]byte, need)
		}
		if err := w.plan.write(j.im, j.at, w.scratch, input[i*each:(i+1)*each]); err != nil {
			return err
		}
	}
	tensors, err := w.session.forward()
	if err != nil {
		return err
	}
	for i, j := range batch {
		var err error
		*j.out, err = w.decoder.decode(tensors, i, n, j.at, j.im)
		if b, ok := w.decoder.(*boxes); ok && w.tally != nil {
			w.tally.candidates.Add(int64(b.seen + b.thrown))
			w.tally.thrown.Add(int64(b.thrown))
		}
		j.finish(err)
	}
	return nil
}

func (w *netWorker) close() { w.session.close() }
