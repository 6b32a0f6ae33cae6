// Package live asks what the index has not: who works in the cloud and how far behind they are, which models
// should run, and the device beside the console. Each is asked at most once in a while.
package live

import (
	"context"
	"sync"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Log is what is needed of Kafka.
type Log interface {
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
}

// Group says which workers are in the cloud and who owns what.
type Group interface {
	Workers(ctx context.Context) ([]Worker, error)
	Owners(ctx context.Context) (map[string]string, error) // member by what is owned: canvas.work-3
}

// Worker is one of the cloud's workers.
type Worker struct {
	ID          string             `json:"id"`
	Host        string             `json:"host"`
	Accelerator string             `json:"accelerator"`
	MemoryBytes int64              `json:"memory_bytes"`
	Rates       map[string]float64 `json:"rates"`  // measured items a second by model
	Models      map[string]string  `json:"models"` // version by model, of those it runs
}

// Device says what only the device knows, where the console runs beside it.
type Device interface {
	Outbox() Outbox
	Engines() []Engine
	Link(ctx context.Context) (event.LinkReport, error)
}

// Outbox is the state of a device's buffer.
type Outbox struct {
	Edge      string    `json:"edge"`
	Committed uint64    `json:"committed"`
	Received  uint64    `json:"received"`
	Waiting   uint64    `json:"waiting"`
	Dropped   uint64    `json:"dropped"`
	Bytes     int64     `json:"bytes"`  // that wait
	Oldest    time.Time `json:"oldest"` // when the oldest that waits was committed
}

// Engine is which engine really runs a model.
type Engine struct {
	Model  string  `json:"model"`
	Engine string  `json:"engine"`
	Device string  `json:"device"`
	Golden string  `json:"golden"` // match, or why not
	Ms     float64 `json:"ms"`     // an image
}

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
