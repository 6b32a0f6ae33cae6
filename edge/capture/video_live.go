package capture

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/shared/telemetry"
)

func (v *Video) runLive(ctx context.Context, emit func(context.Context, Picture) error) error {
	defer v.status.phase(Ended, nil)
	queue := newNewest(v.config.Queue, 0, func(string) { v.status.dropped(1) })
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		select {
		case <-v.end:
			cancel()
		case <-done:
		}
	}()
	var ended error
	go func() {
		defer close(done)
		ended = v.config.Restart.keep(reading, func(ctx context.Context) (time.Time, error) {
			v.status.setNextTry(time.Time{})
			last, err := v.decodeLive(ctx, queue)
			if ctx.Err() == nil && !isFinal(err) {
				phase := Down
				if errors.Is(err, ErrStalled) {
					phase = Stalled
				}
				v.status.phase(phase, err)
				if v.faults.New(err) {
					v.log.Warn("camera lost; it is tried again", "phase", phase, telemetry.Err, err)
				}
				v.status.restarted()
			}
			return last, err
		}, v.status.setNextTry)
	}()
	err := queue.drain(ctx, done, emit)
	cancel()
	<-done
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	stopped := v.stopped() || errors.Is(ended, errStopped)
	switch {
	case v.frame == 0 && stopped:
		return fmt.Errorf("%s: %w before a picture came", v.in.shown, errStopped)
	case v.frame == 0:
		return ended
	}
	last := Picture{Stream: v.config.Name, At: time.Now(), Frame: v.frame, Last: true}
	if !stopped { // given up, but what came counts: the stream is closed as an incomplete one
		last.Partial = ended.Error()
	}
	return emit(ctx, last)
}

// reprobeAfter is how many decoders in a row give no picture, though the camera answered, until one that was
// known is probed anew: it may be another camera.
const reprobeAfter = 8

// decodeLive runs a live camera's decoder once. What its pictures are like is probed the first time: later decoders
// begin at once, and show by themselves when the pictures have become others.
func (v *Video) decodeLive(ctx context.Context, queue *newest) (last time.Time, err error) {
	if err := v.in.check(); err != nil {
		return last, err
	}
	s := v.known
	if s.w == 0 || v.withoutPicture%reprobeAfter == reprobeAfter-1 {
		if s, err = v.tools.probe(ctx, v.in, v.config.OpenTimeout, v.config.MaxPixels); err != nil {
			return last, err
		}
		s.quick = v.withoutPicture%2 == 0 // it was just seen; where that is not enough, the next decoder studies it at length
	}
	for {
		end, err := v.decode(ctx, s, v.config.stall(s.fps), func(p Picture, f frameInfo) error {
			if s.other(f) {
				return resized{f.w, f.h}
			}
			if last.IsZero() {
				v.faults.Mended()
				v.log.Info("camera up", "width", s.w, "height", s.h, "rate", s.fps)
			}
			last = p.At
			queue.put(p)
			if v.began.IsZero() {
				v.began = p.At
			}
			if v.config.Length > 0 && p.At.Sub(v.began) >= v.config.Length {
				return errStopped
			}
			return nil
		})
		if to, ok := errors.AsType[resized](err); ok {
			if s, err = v.resize(s, to); err == nil {
				continue
			}
		}
		if end.noPictures() { // as one that stalled
			v.withoutPicture++
		}
		if !last.IsZero() {
			v.known, v.withoutPicture = s, 0
			v.known.quick = true
		}
		return last, v.lost(last, end, err)
	}
}

// lost says how a live camera's decoder ended.
func (v *Video) lost(last time.Time, end ending, err error) error {
	switch {
	case err != nil:
		return err
	case last.IsZero() && end.exit != nil:
		return v.in.failed(end.reason())
	case end.exit != nil:
		return fmt.Errorf("%s: %s", v.in.shown, v.in.clean(end.exit.Error()))
	case last.IsZero():
		return fmt.Errorf("%w: %s", ErrGarbage, v.in.clean(end.reason()))
	}
	return fmt.Errorf("%w: %s closed the stream", ErrExited, v.in.shown)
}

// resized ends a decoder whose live stream has pictures of another size now.
type resized struct{ w, h int }

func (r resized) Error() string { return fmt.Sprintf("its pictures are %d x %d now", r.w, r.h) }

// resize gives the shape with which the decoder begins again.
func (v *Video) resize(s shape, to resized) (shape, error) {
	if int64(to.w)*int64(to.h) > v.config.MaxPixels {
		return s, v.in.failed(fmt.Sprintf("its frames are %d x %d now; the limit is %d pixels (max_pixels)", to.w, to.h, v.config.MaxPixels))
	}
	v.log.Warn("the camera's pictures have another size now; its decoder begins again", "from", fmt.Sprintf("%dx%d", s.w, s.h), "to", fmt.Sprintf("%dx%d", to.w, to.h))
	s.w, s.h, s.quick = to.w, to.h, true
	return s, nil
}
