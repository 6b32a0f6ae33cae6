package event

import "time"

// Ref is an item that waits in a buffer, without its data: what a scheduler needs to choose.
type Ref struct {
	Seq      uint64
	Priority Priority
	Kind     Kind
	Stream   string
	Rung     Rung
	Value    float64 // 0 … 1
	Bytes    int
	Time     time.Time // when it was committed
}

// Rung is an item's place on the product ladder: the higher its number, the more bytes for one more
// fact. Higher rungs go only when the lower ones have gone, and some only when the cloud asks.
type Rung uint8

// The ladder, from what a person wants to know to what everything else can be made from again.
const (
	RungAlert     Rung = iota // alerts, drop reports, answers
	RungVector                // tracks, readings, manifests, detections
	RungThumbnail             // snapshots, crops, quicklooks
	RungMask                  // masks made on the device
	RungTile                  // tiles that changed, or were asked for
	RungFull                  // whole frames, unchanged ground
)

// Rung is where items of this kind stand unless their maker says otherwise.
func (k Kind) Rung() Rung {
	switch k {
	case Alert, Ack, Answer:
		return RungAlert
	case Track, Reading, Scene, Result, Product:
		return RungVector
	case Crop:
		return RungThumbnail
	case Frame:
		return RungFull
	}
	return RungTile
}
