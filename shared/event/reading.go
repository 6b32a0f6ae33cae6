package event

import "time"

// ReadingData is the data of an item of kind reading: what a sensor said.
type ReadingData struct {
	Sensor string             `json:"sensor"`
	Time   time.Time          `json:"time"`
	From   time.Time          `json:"from,omitzero"` // of a window that ends at Time: when it began
	Values map[string]float64 `json:"values"`        // by name; a plain number is "value"
}
