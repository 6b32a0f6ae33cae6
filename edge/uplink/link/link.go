// Package link is the uplink's way over MQTT 3.1.1: items go up with QoS 1, receipts come down, and
// the broker publishes whether the device is there.
package link

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
	"cloudcanvas/shared/signed"
	"cloudcanvas/shared/telemetry"
)

// Options say to which broker, and as whom.
type Options struct {
	URL      string
	ClientID string // empty: canvas-edge-<edge>
	Security security.Security
	Edge     string
	Buffer   Buffer
	Version  string
	Cameras  func() []event.CameraState // what the status says of cameras; nil: nothing
	Trust    *signed.Verifier           // of what comes down; nil: everything is believed
	Log      *slog.Logger
}

// Buffer is what the status says of the device's buffer.
type Buffer interface {
	Epoch() event.Epoch
	Epochs() []event.EpochReport
	Troubles() []event.Trouble
}

// Link is a connection to the cloud's broker that comes back by itself.
type Link struct {
	options  Options
	client   *mqtt.Client
	receipts chan event.Receipt
	trust    *trust // nil: everything is believed

	statusMu sync.Mutex // one status at a time, so that the latest is the one that stays
	offline  bool       // under statusMu: offline was the last status

	mu     sync.Mutex
	since  time.Time                  // of the connection
	count  uint64                     // of connections
	up     chan struct{}              // closed while connected
	models func() []event.EdgeModel   // what the status says of models; nil: nothing
	views  func() []event.WantedViews // what the status asks of views of the ground; nil: nothing
	report *event.LinkReport          // of the link, the latest; nil: none yet
}

// receiptsHeld bounds receipts not yet taken; a later one covers all that an earlier one did.
const receiptsHeld = 64

// Dial makes the link; it connects in the background.
func Dial(ctx context.Context, o Options) (*Link, error) {
	if o.ClientID == "" {
		o.ClientID = "canvas-edge-" + o.Edge
	}
	l := &Link{options: o, receipts: make(chan event.Receipt, receiptsHeld), up: make(chan struct{})}
	if o.Trust != nil {
		l.trust = newTrust(o.Trust, o.Log, func() { go l.announce(context.Background(), event.Online) })
	}
	will, err := json.Marshal(event.Status{Status: event.Offline, Edge: o.Edge, Epoch: o.Buffer.Epoch(), Version: o.Version})
	if err != nil {
		return nil, err
	}
	l.mu.Lock() // a connection may be there before its client is: connected waits for it
	// It outlives ctx: offline is published after everything else has ended.
	l.client, err = mqtt.Dial(context.WithoutCancel(ctx), mqtt.Options{
		URL: o.URL, ClientID: o.ClientID, Security: o.Security, Persistent: true, Log: o.Log,
		Will: &mqtt.Message{Topic: event.StatusTopic(o.Edge), Payload: will, QoS: 1, Retained: true},
		OnUp: l.connected, OnDown: func(error) { l.lost() },
	})
	l.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("connect to the cloud: %w", err)
	}
	l.Down(event.DownReceipts, l.takeReceipt)
	return l, nil
}

// SetModels adds models to the status, from now on.
func (l *Link) SetModels(models func() []event.EdgeModel) {
	l.mu.Lock()
	l.models = models
	l.mu.Unlock()
	l.Announce(context.Background())
}

// SetReferences adds to the status what is asked of the cloud's views of the ground, from now on.
func (l *Link) SetReferences(views func() []event.WantedViews) {
	l.mu.Lock()
	l.views = views
	l.mu.Unlock()
	l.Announce(context.Background())
}

// Announce publishes the status anew, where there is a connection.
func (l *Link) Announce(ctx context.Context) error {
	if !l.client.Connected() {
		return nil // the next connection publishes it
	}
	return l.publishStatus(ctx, event.Online)
}

// Down takes what the cloud publishes on one of the edge's downward topics. handle must not block.
// Where keys are trusted, only what their holders have signed is handed on, without its signature.
func (l *Link) Down(what string, handle func(payload []byte)) {
	l.client.Subscribe(event.DownTopic(l.options.Edge, what), 1, func(m mqtt.Message) {
		if message, ok := l.trust.open(what, m.Payload); ok {
			handle(message)
		}
	})
}

func (l *Link) connected() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.up:
	default:
		close(l.up)
	}
	l.since = time.Now().UTC()
	l.count++
	go l.announce(context.Background(), event.Online)
}

func (l *Link) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.up:
		l.up = make(chan struct{})
	default:
	}
}

// announce publishes the retained status. Its loss is no harm: the next connection publishes it again.
func (l *Link) announce(ctx context.Context, status string) {
	if err := l.publishStatus(ctx, status); err != nil {
		l.options.Log.Debug("the device's status could not be published; the next connection publishes it", telemetry.Err, err)
	}
}

// Report publishes the status once more, with how the link is.
func (l *Link) Report(ctx context.Context, r event.LinkReport) error {
	l.mu.Lock()
	l.report = &r
	l.mu.Unlock()
	return l.publishStatus(ctx, event.Online)
}

// publishStatus publishes the status with all that is known now.
func (l *Link) publishStatus(ctx context.Context, status string) error {
	l.statusMu.Lock()
	defer l.statusMu.Unlock()
	if l.offline {
		return nil
	}
	l.offline = status == event.Offline
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	l.mu.Lock()
	s := event.Status{Status: status, Edge: l.options.Edge, Version: l.options.Version, Time: l.since, Connection: l.count, Link: l.report}
	models, views := l.models, l.views
	l.mu.Unlock()
	s.Epoch, s.Epochs, s.Troubles = l.options.Buffer.Epoch(), l.options.Buffer.Epochs(), l.options.Buffer.Troubles()
	if refused := l.Refused(); refused != nil {
		s.Troubles = append([]event.Trouble{*refused}, s.Troubles...)
		s.Troubles = s.Troubles[:min(len(s.Troubles), event.MaxTroubles)]
	}
	if l.trust != nil && status == event.Online {
		s.Signatures = &event.SignaturesWanted{Session: l.trust.verifier.Session().String(), Keys: l.trust.verifier.Keys()}
	}
	if status == event.Offline {
		s.Time = time.Now().UTC()
	}
	if models != nil {
		s.Models = models()
	}
	if views != nil {
		s.References = views()
	}
	if l.options.Cameras != nil && status == event.Online {
		s.Cameras = l.options.Cameras()
	}
	payload, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return l.client.Publish(ctx, event.StatusTopic(l.options.Edge), 1, true, payload)
}

// takeReceipt decodes a receipt. When too many are held the oldest goes: later ones repeat it.
func (l *Link) takeReceipt(message []byte) {
	item, err := event.UnmarshalMQTT(message)
	var r event.Receipt
	if err == nil {
		r, err = event.ParseReceipt(item)
	}
	if err != nil {
		l.options.Log.Warn("a receipt from the cloud can't be read", telemetry.Err, err)
		return
	}
	for {
		select {
		case l.receipts <- r:
			return
		default:
		}
		select {
		case <-l.receipts:
		default:
		}
	}
}

// Send publishes an item and returns nil once the broker has acknowledged it. handed is called when what
// is sent later can't pass it any more.
func (l *Link) Send(ctx context.Context, i event.Item, handed func()) error {
	payload, err := i.MarshalMQTT()
	if err != nil {
		return fmt.Errorf("item %s: %w", i.ID, err)
	}
	return l.client.PublishInTurn(ctx, event.Topic(i.Edge, i.Priority, i.Kind), 1, false, payload, handed)
}

// Up is closed while there is a connection.
func (l *Link) Up() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// Problem says in words why the connection does not hold; empty where nothing is known against it.
func (l *Link) Problem() string { return l.client.Problem() }

// Receipts are what the cloud has.
func (l *Link) Receipts() <-chan event.Receipt { return l.receipts }

// Close publishes offline and waits until the broker has confirmed it: a DISCONNECT discards the will. Where
// the confirmation does not come, the connection is cut, so that the broker publishes the will.
func (l *Link) Close() {
	if err := l.publishStatus(context.Background(), event.Offline); err != nil && l.client.Connected() {
		l.options.Log.Debug("the offline status could not be published; the connection is cut, so that the broker publishes the will", telemetry.Err, err)
		l.client.Cut()
	}
	l.client.Close()
}
