// Package mqtt is MQTT: paho set up once, with sessions that last and acknowledgements by hand, and a
// broker for the processes of one machine.
package mqtt

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/shared/security"
)

// Options say to which broker, as whom, and with which guarantees.
type Options struct {
	URL        string // mqtt://host:1883, mqtts://host:8883; also ws and wss
	ClientID   string // the same after a restart where Persistent is set; empty: drawn by lot
	Security   security.Security
	Persistent bool     // the broker keeps subscriptions and messages while this client is away
	ManualAck  bool     // a QoS 1 message is acknowledged by Message.Ack, not by the handler's return
	Will       *Message // what the broker says when this client is gone: Topic, Payload, QoS, Retained
	Log        *slog.Logger

	KeepAlive   time.Duration // silence after which the connection is probed; default 30 s
	PingTimeout time.Duration // how long a probe may take, behind what is already on its way; default 60 s
	MaxPause    time.Duration // between two tries to connect; default 10 s, as a pass of a satellite lasts minutes
	SendBuffer  int           // bytes the kernel may hold unsent, which later messages cannot overtake; default 16 KiB

	OnUp      func()              // after each connection, once the subscriptions stand; may publish
	OnSession func(kept bool)     // at each connection, before that and before its first message: whether the broker still knew the session; may be nil
	OnDown    func(error)         // after each loss
	OnRefused func(filter string) // the broker does not let this client have a subscription
}

const (
	defaultKeepAlive   = 30 * time.Second
	defaultPingTimeout = 60 * time.Second
	defaultSendBuffer  = 16 << 10

	connectTimeout = 20 * time.Second
	minBackoff     = 500 * time.Millisecond
	maxBackoff     = 10 * time.Second
	steady         = 10 * time.Second // a connection that lasted so long has reset the backoff
	thrownOut      = 3                // connections in a row that were soon ended: one remark
	inFlight       = 256              // publishes without a PUBACK, below mosquitto's and mochi's limits for a client
	quiesce        = 250              // milliseconds for the DISCONNECT to leave
)

// Message is one that came, or the will.
type Message struct {
	Topic     string
	Payload   []byte // the receiver's to keep
	QoS       byte
	Retained  bool
	Duplicate bool   // the broker has sent it before
	Packet    uint16 // its number in the session: the same when it comes again; 0 with QoS 0, and used anew later
	Ack       func() // sends the PUBACK; more than once does no harm. Does nothing without ManualAck
}

// ErrOffline says that there is no connection: the message was not sent.
var ErrOffline = errors.New("not connected to the MQTT broker")

// ErrConnectionLost says that the connection ended before the PUBACK came: the broker may have the
// message or not.
var ErrConnectionLost = errors.New("the connection was lost before the MQTT broker acknowledged the message")

// MQTT is a connection that comes back by itself. Each connection is a paho client of its own:
// paho's own reconnecting would send again, from its memory, what callers have long given up or
// sent anew, and would never free the message ids of those.
type Client struct {
	options Options
	log     *slog.Logger
	window  chan struct{} // a token for each publish under way
	close   context.CancelFunc
	done    chan struct{}
	once    sync.Once

	mu      sync.Mutex
	current *session // nil: not connected
	subs    []subscription
	changed chan struct{} // closed and replaced when subs change
	problem string        // why the connection does not hold, in words
}

type subscription struct {
	filter string
	qos    byte
	handle func(Message)
	stands func() // may be nil
}

// Dial returns at once; the connection is made, and made again after each loss, in the
// background, until ctx ends or Close is called. Only unusable options are an error.
func Dial(ctx context.Context, o Options) (*Client, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ClientID == "" {
		if o.Persistent {
			return nil, errors.New("connecting to MQTT: a persistent session needs a client id that stays the same")
		}
		o.ClientID = "canvas-" + rand.Text()
	}
	o.KeepAlive = max(cmp.Or(o.KeepAlive, defaultKeepAlive), time.Second)
	o.PingTimeout = cmp.Or(o.PingTimeout, defaultPingTimeout)
	o.MaxPause = max(cmp.Or(o.MaxPause, maxBackoff), minBackoff)
	o.SendBuffer = cmp.Or(o.SendBuffer, defaultSendBuffer)
	m := &Client{
		options: o,
		log:     o.Log.With("broker", "mqtt", "client", o.ClientID),
		window:  make(chan struct{}, inFlight),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	address, err := mqttAddress(o.URL)
	if err != nil {
		return nil, fmt.Errorf("connecting to MQTT: %w", err)
	}
	if _, err := m.credentials(address); err != nil {
		return nil, fmt.Errorf("connecting to MQTT: %w", err)
	}
	ctx, m.close = context.WithCancel(ctx)
	go m.run(ctx, address)
	return m, nil
}

// Publish sends a message and returns nil only after the broker's PUBACK (QoS 0: once it is
// written). ErrOffline says that it was not sent; any other error leaves the outcome unknown.
// payload must not be changed until Publish returns, nor after an unknown outcome.
func (m *Client) Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	return m.PublishInTurn(ctx, topic, qos, retain, payload, func() {})
}

// PublishInTurn is Publish, and calls handed once no later message can pass this one on its way to the
// broker. Where that never comes, handed is not called.
func (m *Client) PublishInTurn(ctx context.Context, topic string, qos byte, retain bool, payload []byte, handed func()) error {
	if qos > 1 {
		return fmt.Errorf("publishing to %s: QoS %d is not supported, use 0 or 1", topic, qos)
	}
	select {
	case m.window <- struct{}{}:
	case <-m.done:
		return fmt.Errorf("publishing to %s: %w", topic, ErrOffline)
	case <-ctx.Done():
		return fmt.Errorf("publishing to %s: %w", topic, ctx.Err())
	}
	s := m.session()
	if s == nil {
		<-m.window
		return fmt.Errorf("publishing to %s: %w", topic, ErrOffline)
	}
	// The place in the window stays taken until the message's fate is known, also when ctx ends.
	result := make(chan error, 1)
	go func() {
		defer func() { <-m.window }()
		s.send(ctx, result, topic, qos, retain, payload, handed)
	}()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("publishing to %s: %w", topic, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("publishing to %s: %w", topic, ctx.Err())
	}
}

// Subscribe takes the messages of a topic filter, now and after each connection. handle is called
// in the order of arrival and must not block long: it holds up all that comes over the connection.
// Filters of one client should not overlap.
func (m *Client) Subscribe(filter string, qos byte, handle func(Message)) {
	m.SubscribeThen(filter, qos, handle, nil)
}

// SubscribeThen is Subscribe, and says when the broker has confirmed it: what is published from then on
// comes. stands is called once in the life of each connection, so again after a loss, and not for a
// connection that is lost already; it must not block.
func (m *Client) SubscribeThen(filter string, qos byte, handle func(Message), stands func()) {
	sub := subscription{filter, qos, handle, stands}
	m.mu.Lock()
	m.subs = append(slices.Clone(m.subs), sub)
	close(m.changed)
	m.changed = make(chan struct{})
	s := m.current
	m.mu.Unlock()
	if s != nil {
		go m.subscribe(s, []subscription{sub})
	}
}

// Connected says whether there is a connection now.
func (m *Client) Connected() bool { return m.session() != nil }

// Close ends the connection in good order, so that no will is sent, and waits for its end.
func (m *Client) Close() {
	m.once.Do(func() {
		m.close()
		<-m.done
		for range inFlight { // nobody is under way any more
			m.window <- struct{}{}
		}
	})
}

// Cut breaks the connection without a word, so that the broker publishes the will, and is Close besides:
// for one whose last words did not get through.
func (m *Client) Cut() {
	if s := m.session(); s != nil && s.cut != nil {
		s.cut()
	}
	m.Close()
}

func (m *Client) session() *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current
}

// Matches says whether an MQTT topic filter takes in a topic (MQTT 3.1.1, section 4.7). A shared
// subscription's $share/<group>/ is passed over.
func Matches(filter, topic string) bool {
	if rest, shared := strings.CutPrefix(filter, "$share/"); shared {
		_, filter, _ = strings.Cut(rest, "/")
	}
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		want, restFilter, moreFilter := strings.Cut(filter, "/")
		if want == "#" {
			return true
		}
		have, restTopic, moreTopic := strings.Cut(topic, "/")
		if want != "+" && want != have {
			return false
		}
		if !moreFilter || !moreTopic {
			// "a/#" takes in "a" as well.
			return moreFilter == moreTopic || moreFilter && restFilter == "#"
		}
		filter, topic = restFilter, restTopic
	}
}
