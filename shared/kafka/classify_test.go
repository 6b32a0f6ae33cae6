package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

func TestOnlyWhatWasSurelyNotWrittenIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		err  error
		o    Outcome
		next move
	}{
		{nil, Confirmed, nothing},
		{fmt.Errorf("metadata: %w", dialError{&net.OpError{Op: "dial"}}), Refused, later},
		{kafka.LeaderNotAvailable, Refused, later},
		{kafka.NotLeaderForPartition, Refused, later},
		{kafka.NotEnoughReplicas, Refused, later},
		{kafka.UnknownTopicOrPartition, Refused, later},
		{kafka.TopicAuthorizationFailed, Refused, nothing},
		{kafka.MessageSizeTooLarge, Refused, apart},
		{kafka.InvalidRecord, Refused, apart},
		{kafka.RequestTimedOut, Unknown, nothing},
		{kafka.NotEnoughReplicasAfterAppend, Unknown, nothing},
		{kafka.Unknown, Unknown, nothing},
		{io.ErrUnexpectedEOF, Unknown, nothing},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, Unknown, nothing},
		{context.DeadlineExceeded, Unknown, nothing},
		{io.ErrClosedPipe, Refused, nothing},
	} {
		if o, next := classify(c.err); o != c.o || next != c.next {
			t.Errorf("%v: %s, %d; want %s, %d", c.err, o, next, c.o, c.next)
		}
	}
}

func TestControlBatchesMoveTheOffsetAndShowNothing(t *testing.T) {
	record := func(offset int64, text string) protocol.Record {
		return protocol.Record{Offset: offset, Value: protocol.NewBytes([]byte(text))}
	}
	f := fetched{next: 5}
	err := f.take(&protocol.RecordStream{Records: []protocol.RecordReader{
		protocol.NewRecordReader(record(3, "before"), record(4, "before"), record(5, "a"), record(8, "b")), // 6 and 7 were compacted away
		&protocol.ControlBatch{Records: protocol.NewRecordReader(record(9, ""))},
	}}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.records) != 2 || string(f.records[0].Value) != "a" || f.records[1].Offset != 8 || f.next != 10 {
		t.Errorf("%+v", f)
	}
}
