package event

import "time"

// Ref is an item that waits in a buffer, without its data: what a scheduler needs to choose.
type Ref struct {
	Seq      uint64
	Priority Priority
	Value    float64 // 0 … 1
	Bytes    int
	Time     time.Time // when it was committed
}
