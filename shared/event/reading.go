package event

import "time"

// ReadingData is the data of an item of kind reading: what a sensor said.
type ReadingData struct {
	Sensor string             `json:"sensor"`
	Time   time.Time          `json:"time"`
	Values map[string]float64 `json:"values"` // by name; a plain number is "value"
}
