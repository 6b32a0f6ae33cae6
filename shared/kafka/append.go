package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

// Outcome is what became of a record in an Append that failed.
type Outcome int

const (
	Confirmed Outcome = iota // Kafka has it
	Refused                  // Kafka does not have it, and will not get it from this call
	Unknown                  // it may be there, or may yet come: read the topic before sending it again
)

func (o Outcome) String() string { return [...]string{"confirmed", "refused", "unknown"}[o] }

// AppendError says what became of each record of an Append, in their order.
type AppendError struct {
	Outcomes []Outcome
	Errs     []error // nil where confirmed
}

// Count says how many records ended so.
func (e *AppendError) Count(o Outcome) int {
	n := 0
	for _, each := range e.Outcomes {
		if each == o {
			n++
		}
	}
	return n
}

// Error says how many failed and why the first did.
func (e *AppendError) Error() string {
	return fmt.Sprintf("appending %d records to Kafka: %d confirmed, %d refused, %d unknown: %v",
		len(e.Outcomes), e.Count(Confirmed), e.Count(Refused), e.Count(Unknown), e.first())
}

func (e *AppendError) first() error {
	for _, err := range e.Errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Unwrap gives the first record's error.
func (e *AppendError) Unwrap() error { return e.first() }

// ErrRecordTooLarge says that a record is over Options.MaxBytes, or over what the topic takes.
var ErrRecordTooLarge = errors.New("the record is too large for Kafka: let its data rest in the object store")

// Append writes records and returns nil once all in-sync replicas have every one of them. Any other
// end is an *AppendError. A record that is too large or that Kafka refuses does not hold up the
// others. What was surely not written is tried again for a while; what may have been is not.
// Records must not be changed until Append returns, nor after an outcome that is unknown.
func (k *Client) Append(ctx context.Context, records ...Record) error {
	a := &appending{
		kafka:  k,
		result: AppendError{Outcomes: make([]Outcome, len(records)), Errs: make([]error, len(records))},
		msgs:   make([]kafka.Message, len(records)),
	}
	fitting := make([]int, 0, len(records))
	for n, r := range records {
		if size := recordSize(r); size > k.options.MaxBytes {
			a.set(n, Refused, fmt.Errorf("%w: topic %s: %d bytes, %d is the limit", ErrRecordTooLarge, r.Topic, size, k.options.MaxBytes))
			continue
		}
		a.msgs[n] = message(r)
		fitting = append(fitting, n)
	}
	a.persist(ctx, fitting)
	if a.result.Count(Confirmed) == len(records) {
		return nil
	}
	return &a.result
}

// appending is one Append under way.
type appending struct {
	kafka  *Client
	msgs   []kafka.Message
	result AppendError
}

func (a *appending) set(n int, o Outcome, err error) {
	a.result.Outcomes[n], a.result.Errs[n] = o, err
}

// persist writes those records, again and again while nothing but "not now" is the answer.
func (a *appending) persist(ctx context.Context, which []int) {
	_ = a.kafka.patiently(2*time.Second, nil).Do(ctx, func() error { // what became of each record says the result
		which = a.write(ctx, which)
		if len(which) == 0 {
			return nil
		}
		return a.result.Errs[which[0]]
	})
}

// write tries those records once and gives back the ones worth another try.
func (a *appending) write(ctx context.Context, which []int) (again []int) {
	if len(which) == 0 {
		return nil
	}
	msgs := make([]kafka.Message, len(which))
	for i, n := range which {
		msgs[i] = a.msgs[n]
	}
	err := a.kafka.writer.WriteMessages(ctx, msgs...)
	var each kafka.WriteErrors
	perRecord := errors.As(err, &each) && len(each) == len(which)
	var split []int
	for i, n := range which {
		cause := err
		if perRecord {
			cause = each[i]
		}
		outcome, next := classify(cause)
		if cause != nil {
			cause = fmt.Errorf("topic %s: %w", a.msgs[n].Topic, cause)
		}
		a.set(n, outcome, cause)
		switch next {
		case later:
			again = append(again, n)
		case apart:
			split = append(split, n)
		}
	}
	return append(again, a.apart(ctx, split)...)
}

// apart tries records that a batch was refused for in two halves, down to the one that is bad.
func (a *appending) apart(ctx context.Context, which []int) (again []int) {
	if len(which) < 2 {
		return nil
	}
	half := len(which) / 2
	return append(a.write(ctx, which[:half]), a.write(ctx, which[half:])...)
}

// move is what to do next about a failed record.
type move int

const (
	nothing move = iota
	later        // nothing was written, and it may work in a moment
	apart        // the batch was refused: one record may be bad, the others good
)

// classify gives what an error of kafka-go's Writer says about a record.
func classify(err error) (Outcome, move) {
	if err == nil {
		return Confirmed, nothing
	}
	if errors.As(err, new(dialError)) {
		return Refused, later
	}
	if errors.Is(err, io.ErrClosedPipe) {
		return Refused, nothing
	}
	var code kafka.Error
	if !errors.As(err, &code) {
		return Unknown, nothing // timed out, connection lost, call given up
	}
	switch code {
	case kafka.RequestTimedOut, kafka.NotEnoughReplicasAfterAppend, kafka.NetworkException, kafka.KafkaStorageError, kafka.Unknown:
		return Unknown, nothing
	}
	switch {
	case atFault(code):
		return Refused, apart
	case code.Temporary():
		return Refused, later
	}
	return Refused, nothing
}

// RecordAtFault says that Kafka refuses a record for its own sake: no other time will do.
func RecordAtFault(err error) bool {
	if errors.Is(err, ErrRecordTooLarge) {
		return true
	}
	var code kafka.Error
	return errors.As(err, &code) && atFault(code)
}

func atFault(code kafka.Error) bool {
	switch code {
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidMessage, kafka.InvalidTimestamp:
		return true
	}
	return false
}

// NoTopic says that an error means that there is no such topic or partition.
func NoTopic(err error) bool { return errors.Is(err, kafka.UnknownTopicOrPartition) }

// message leaves the time to the moment of writing. Kafka deletes by it and refuses the future, so a
// device's clock, which may be years wrong, must not set it; an item's own time is in its envelope.
func message(r Record) kafka.Message {
	m := kafka.Message{Topic: r.Topic, Key: r.Key, Value: r.Value}
	if len(r.Headers) > 0 {
		m.Headers = make([]kafka.Header, len(r.Headers))
		for i, h := range r.Headers {
			m.Headers[i] = kafka.Header(h)
		}
	}
	return m
}

// recordSize is at least what kafka-go and the broker will count for a record.
func recordSize(r Record) int64 {
	n := 128 + len(r.Key) + len(r.Value) // record and batch headers
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 12
	}
	return int64(n)
}
