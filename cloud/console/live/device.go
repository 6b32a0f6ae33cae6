package live

import (
	"context"
	"sync"
	"time"

	"cloudcanvas/shared/event"
)

// DeviceView asks the device beside the console at most once in a while.
type DeviceView struct {
	Device // nil: the console runs beside none
	mu     sync.Mutex
	asked  time.Time
	last   event.LinkReport
	err    error
}

// Link is what the device says of its link.
func (d *DeviceView) Link(ctx context.Context) (event.LinkReport, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.asked) >= askAgain {
		d.last, d.err = d.Device.Link(context.WithoutCancel(ctx))
		d.asked = time.Now()
	}
	return d.last, d.err
}

// NewDeviceView asks the device; nil: there is none.
func NewDeviceView(d Device) *DeviceView { return &DeviceView{Device: d} }
