// Package console is what people see of the appliance: pages, a REST API, a STAC API and map tiles,
// all read from an index on disk that follows Kafka and can be made anew from it at any time.
//
//	Kafka, MQTT status ─▶ index ─▶ pages, API, STAC ─▶ people and programs
//	                        └────▶ notices ─▶ server-sent events ─▶ open pages
//	products' folder ───────────▶ pictures, tiles, downloads
//
// Nothing here is the only copy of anything, except the audit of what operators did.
package console

import (
	"context"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// Log is what the console needs of Kafka; *kafka.Client has it.
type Log interface {
	index.Log
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
	Append(ctx context.Context, records ...kafka.Record) error
}

// Statuses is where edges say, retained, that they are there; *mqtt.Client has it.
type Statuses interface {
	Subscribe(filter string, qos byte, handle func(mqtt.Message))
}

// Group tells who works in the cloud and who owns what.
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

// Device tells what only the device knows, where the console runs beside it.
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
