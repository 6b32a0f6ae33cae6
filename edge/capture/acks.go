package capture

import "sync"

// acks sends acknowledgements in the order in which the messages came, as MQTT wants it (3.1.1, section
// 4.6), whichever is done with first.
type acks struct {
	mu      sync.Mutex
	waiting []*pendingAck // the oldest first
}

type pendingAck struct {
	send func()
	done bool
}

// expect takes note of a message that has come; what it returns says that it is done with, and may be
// called more than once.
func (a *acks) expect(send func()) (settle func()) {
	if send == nil {
		send = func() {}
	}
	p := &pendingAck{send: send}
	a.mu.Lock()
	a.waiting = append(a.waiting, p)
	a.mu.Unlock()
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		p.done = true
		for len(a.waiting) > 0 && a.waiting[0].done {
			a.waiting[0].send()
			a.waiting[0] = nil
			a.waiting = a.waiting[1:]
		}
	}
}
