package local

import "cloudcanvas/cloud/coord"

// Expire does what the loss of a session does.
func (c *Coordinator) Expire() { c.expire(newSession(), coord.ErrLost) }
