// Package kafka is Kafka: kafka-go set up once, appending whose outcome is known, reading by partitions, and
// a Kafka for the processes of one machine.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/security"
)

// Options say to which brokers and how.
type Options struct {
	Brokers  []string // host:port of some of the cluster's
	Security security.Security
	Log      *slog.Logger
	MaxBytes int64         // of one record and of one batch; default 1,000,000, just below the brokers' own default
	Step     func()        // called whenever a following Read comes round, with or without records; for a watchdog
	Patience time.Duration // how long Append tries again what was surely not written; default 30 s
}

// Defaults of Options, and times that are the same for all.
const (
	defaultMaxBytes = 1_000_000
	defaultPatience = 30 * time.Second

	dialTimeout    = 10 * time.Second
	requestTimeout = 30 * time.Second // long: a write given up early may still arrive later
	metadataTTL    = 3 * time.Second
	// Append hands the Writer all it has at once, so that waiting for more to come only idles: MaxBytes
	// bounds a batch, as a rule, not their number.
	batchTimeout = time.Millisecond
	batchRecords = 4096
)

// Record is one that is read or to be written.
type Record struct {
	Topic     string
	Partition int   // of records read; when writing, the key decides
	Offset    int64 // of records read
	Key       []byte
	Value     []byte // nil deletes the key on a compacted topic
	Headers   []event.Header
	Time      time.Time // of records read: when they were written
}

// RecordOf is an item as the record that Route says.
func RecordOf(item event.Item) Record {
	topic, _ := event.Route(item)
	key, headers, value := item.Kafka()
	return Record{Topic: topic, Key: key, Headers: headers, Value: value}
}

// Item reads the item that a record carries. Errors are those of event.FromKafka.
func (r Record) Item() (event.Item, error) { return event.FromKafka(r.Headers, r.Value) }

// Client is a client of one cluster, safe for concurrent use.
type Client struct {
	options   Options
	log       *slog.Logger
	transport *kafka.Transport
	client    *kafka.Client
	writer    *kafka.Writer
}

// dialError marks what failed before a connection stood, so that nothing can have been written.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// Dial makes the client. It connects when first used; only unusable options are an error.
func Dial(o Options) (*Client, error) {
	if len(o.Brokers) == 0 {
		return nil, errors.New("connecting to Kafka: no broker is named: give at least one as host:port")
	}
	for _, b := range o.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return nil, fmt.Errorf("connecting to Kafka: broker %q: %w: give it as host:port", b, err)
		}
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Step == nil {
		o.Step = func() {}
	}
	encryption, err := o.Security.TLS()
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	login, err := login(o.Security)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	k := &Client{options: o, log: o.Log.With("broker", "kafka"), transport: transport(encryption, login)}
	address := kafka.TCP(o.Brokers...)
	k.client = &kafka.Client{Addr: address, Transport: k.transport, Timeout: requestTimeout}
	k.writer = &kafka.Writer{
		Addr:      address,
		Transport: k.transport,
		Balancer:  &kafka.Hash{},
		// The Writer's own defaults lose data: no acknowledgement at all, and a second's wait.
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: batchTimeout,
		BatchSize:    batchRecords,
		BatchBytes:   o.MaxBytes,
		WriteTimeout: requestTimeout,
		ReadTimeout:  requestTimeout,
		// The Writer would also repeat writes whose outcome is unknown, and so make duplicates that
		// no caller learns of. Append decides instead.
		MaxAttempts: 1,
	}
	return k, nil
}

func transport(encryption *tls.Config, login sasl.Mechanism) *kafka.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &kafka.Transport{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, dialError{err}
			}
			return conn, nil
		},
		DialTimeout: dialTimeout,
		IdleTimeout: 5 * time.Minute,
		MetadataTTL: metadataTTL,
		ClientID:    "cloudcanvas",
		TLS:         encryption,
		SASL:        login,
	}
}

// login is how the user proves itself, or nil where none is named.
func login(s security.Security) (sasl.Mechanism, error) {
	if s.User == "" {
		return nil, nil
	}
	password, err := s.Password()
	if err != nil {
		return nil, err
	}
	switch s.Mechanism {
	case "", security.ScramSHA512:
		return scram.Mechanism(scram.SHA512, s.User, password)
	case security.ScramSHA256:
		return scram.Mechanism(scram.SHA256, s.User, password)
	case security.Plain:
		return plain.Mechanism{Username: s.User, Password: password}, nil
	}
	return nil, fmt.Errorf("SASL mechanism %q is not known: use %s, %s or %s", s.Mechanism, security.ScramSHA512, security.ScramSHA256, security.Plain)
}

// Close waits for writes in hand and ends the client's connections.
func (k *Client) Close() {
	k.writer.Close()
	k.transport.CloseIdleConnections()
}
