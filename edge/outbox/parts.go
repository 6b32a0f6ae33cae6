package outbox

import "cloudcanvas/shared/event"

// Parts are those that the cloud holds of a large item, and of how many: none are known here.
func (o *Outbox) Parts(uint64) (of uint32, have []event.Range) { return 0, nil }
