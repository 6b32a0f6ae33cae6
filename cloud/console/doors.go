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

	"cloudcanvas/cloud/console/index"
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
