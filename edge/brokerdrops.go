package edge

import (
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"

	"cloudcanvas/shared/mqtt"
)

// droppedTopic is where mosquitto says how many messages it has dropped since its start because the queue
// of who should get them was full. Their senders were told that they are safe.
const droppedTopic = "$SYS/broker/publish/messages/dropped"

const dropsHint = "raise its max_queued_messages and max_queued_bytes, or find out who does not keep up"

// brokerDrops watches that count. Brokers that don't tell it leave it at 0.
type brokerDrops struct {
	log  *slog.Logger
	last atomic.Int64 // as the broker told it, from 1 on; 0: it has not
	all  atomic.Int64 // since the agent's start
}

// hear takes the count as it is told.
func (d *brokerDrops) hear(m mqtt.Message) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(m.Payload)), 10, 64)
	if err != nil || n < 0 {
		return
	}
	before := d.last.Swap(n + 1)
	if before == 0 {
		if n > 0 { // some of them perhaps while the agent was away
			d.log.Warn("the local broker dropped messages before this start, for a queue was full: "+dropsHint, "since_the_brokers_start", n)
		}
		return
	}
	more := n + 1 - before
	if more < 0 { // the broker has been started anew
		more = n
	}
	if more == 0 {
		return
	}
	d.log.Warn("the local broker has dropped messages, for a queue was full: "+dropsHint, "dropped", more, "since_start", d.all.Add(more))
}
