package event

// Range is an inclusive range of sequence numbers.
type Range struct{ From, To uint64 }

// Receipt is the cloud's word for what Kafka has of one epoch of one edge: everything up to
// Through, and the ranges above it. Its JSON is {"epoch","through","above":[[from,to],…]}.
type Receipt struct {
	Epoch   Epoch
	Through uint64
	Above   []Range // ascending, disjoint, all above Through
}

// Drop is one entry of the drop ledger: an item that the edge let go of, and why.
type Drop struct {
	Seq    uint64 `json:"seq"`
	Kind   Kind   `json:"kind"`
	Stream string `json:"stream"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason"` // quota, expired, superseded, corrupt, …
}

// DropReport is the data of an upward receipt: these numbers will never come.
type DropReport struct {
	Drops []Drop `json:"drops"`
}
